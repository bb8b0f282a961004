"""``push_to_hub``: a saved model's folder, or a tokenizer's, to a repository on the Hugging Face Hub."""

import json
from pathlib import Path

from headway.checkpoints.files import CONFIG, WEIGHT_FORMS, weight_files
from headway.core.updates import undisturbed
from headway.errors import CheckpointError

HIDDEN, STATES = (".*", "*/.*"), ("checkpoint-*/*",)
"""What is not uploaded: drafts and other hidden files and, unless they are wanted, the states of a training run."""


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    commit_message: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    with_states: bool = False,
) -> str:
    """The address of the commit that brings a folder's files to ``repo_id``; with ``create_pr`` that of the pull request.

    The repository is made if it does not exist (``private`` says how), and so is the branch ``revision``. Other files there stay,
    except for other forms of the weights, which would belong to the old model. States of a training run stay here unless
    ``with_states`` asks for them. Saves to the folder wait until it is uploaded.
    """
    folder = Path(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise CheckpointError(
            f"{folder} is no folder with files, so there is nothing to upload. Save first: model.save_pretrained(folder)."
        )
    from headway.checkpoints.uploading import upload

    with undisturbed(folder):
        return upload(
            folder,
            repo_id,
            message=commit_message or f"Upload {_content(folder)}",
            private=private,
            token=token,
            revision=revision,
            create_pr=create_pr,
            leave=HIDDEN if with_states else HIDDEN + STATES,
            replaces=WEIGHT_FORMS if weight_files(folder) else (),
        )


def _content(folder: Path) -> str:
    """What the folder holds, in a word."""
    if not (folder / CONFIG).is_file():
        return "tokenizer"
    try:
        return str(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["architectures"][0])
    except (ValueError, LookupError, TypeError):
        return "model"

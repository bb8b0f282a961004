"""A folder's files to a Hub repository through ``huggingface_hub``, as one commit; its errors as ours."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, errors

from headway import __version__
from headway.checkpoints.hub import FAILURES, NO_TOKEN
from headway.errors import CheckpointError


def upload(
    folder: Path,
    repository: str,
    *,
    message: str,
    private: bool | None,
    token: str | bool | None,
    revision: str | None,
    create_pr: bool,
    leave: Sequence[str],
    replaces: Sequence[str],
) -> str:
    """The address of the commit, or pull request, with the folder's files; the repository and the branch are made if need be.

    Files that match ``leave`` stay here; those there that match ``replaces`` go, unless the folder has them too.
    """
    api = HfApi(token=token, library_name="headway", library_version=__version__)
    try:
        name = api.create_repo(repository, private=private, exist_ok=True).repo_id
        if revision is not None and not revision.startswith("refs/"):
            api.create_branch(name, branch=revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            commit_message=message,
            revision=revision,
            create_pr=create_pr,
            ignore_patterns=list(leave),
            delete_patterns=list(replaces),
        )
    except FAILURES as error:
        raise CheckpointError(explain_upload(error, repository, folder=folder)) from error
    return str(done.pr_url or done.commit_url)


def explain_upload(error: BaseException, repository: str, *, folder: Path) -> str:
    """What happened and how to mend it, for each way in which an upload fails."""
    match error:
        case errors.HFValidationError():
            return f"{repository!r} is no Hub repository id, which looks like 'owner/name', so nothing was uploaded. Correct it."
        case errors.LocalTokenNotFoundError():
            return NO_TOKEN
        case errors.OfflineModeIsEnabled():
            return (
                f"{folder} cannot be uploaded to {repository}, because HF_HUB_OFFLINE switches the network off. "
                "Unset it, and push again."
            )
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return (
            f"The Hub does not let you write to {repository} ({_reason(error)}). Log in with: hf auth login, or pass a "
            "token=… that may write there; to propose a change to somebody else's repository, push with create_pr=True."
        )
    return (
        f"{folder} could not be uploaded to {repository}: {_reason(error)}. Nothing there was changed, for a commit is made "
        "as a whole. Check the connection and the name, then push again."
    )


def _reason(error: BaseException) -> str:
    """The first line of what the library says, and of what made it say so."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    return reason if error.__cause__ is None else f"{reason}: {_reason(error.__cause__)}"

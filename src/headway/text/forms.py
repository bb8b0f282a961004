"""Which file of a folder holds its vocabulary, and whose way of reading it holds."""

from collections.abc import Mapping
from pathlib import Path

from headway.architecture import TokenizerDefaults
from headway.architecture.tokenizer import Algorithm
from headway.errors import TokenizerError
from headway.families import family, model_types

FILES: Mapping[str, Algorithm] = {
    "vocab.txt": "wordpiece",
    "vocab.json": "byte-level-bpe",
    "spm.model": "sentencepiece",
    "sentencepiece.bpe.model": "sentencepiece",
    "spiece.model": "sentencepiece",
}
"""The files that a vocabulary can be in; ``merges.txt`` lies beside ``vocab.json``."""

GENERIC = {"PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"}
"""Classes of transformers that say nothing of a tokenizer's form."""


def named(class_name: str | None) -> TokenizerDefaults | None:
    """The form of a tokenizer's class as transformers calls it, with or without ``Fast``; None for one that says nothing."""
    if class_name is None or class_name in GENERIC:
        return None
    wanted = class_name.removesuffix("Fast")
    return next((form for form in _known() if form.class_name == wanted), None)


def form_of(folder: Path, *, class_name: str | None, own: TokenizerDefaults | None) -> tuple[TokenizerDefaults, Path]:
    """How the folder's vocabulary is to be read, and its file.

    The files decide; where one can be read in several ways, the class that the settings name, then the model's family (``own``),
    then the family that has files of this name.
    """
    present = {name: folder / name for name in FILES if (folder / name).is_file()}
    if not present:
        raise TokenizerError(
            f"{folder} holds neither tokenizer.json nor a vocabulary ({', '.join(FILES)}), so there is no tokenizer to load. "
            "A model needs the tokenizer that it was trained with: copy its files there, or name it (tokenizer=…). For a new "
            "model, train one with: headway tokenizer."
        )
    by_class = named(class_name)
    _refuse_unknown(folder, class_name, by_class, own)
    claimed = (form for name in present for form in _known() if name in form.files)
    for form in (by_class, own, *claimed):
        for name, file in present.items():
            if form is not None and form.algorithm == FILES[name]:
                return form, file
    raise TokenizerError(
        f"{folder} has a vocabulary in {', '.join(present)}, but nothing says which kind of tokenizer it belongs to. "
        f"Name it as tokenizer_class in tokenizer_config.json: {_classes()}."
    )


def _refuse_unknown(
    folder: Path, class_name: str | None, by_class: TokenizerDefaults | None, own: TokenizerDefaults | None
) -> None:
    if by_class is None and class_name is not None and class_name not in GENERIC:
        raise TokenizerError(
            f"{folder} names the tokenizer class {class_name!r}, whose way with a vocabulary is not known here "
            f"(known are {_classes()}), and has no tokenizer.json, which could be taken as it is. "
            "Load it with transformers' fast tokenizer, and save that."
        )
    if by_class is None and own is not None and own.algorithm is None:
        raise TokenizerError(
            f"{folder} has no tokenizer.json, and a vocabulary alone does not say how tokenizers of this family split a text. "
            "Take tokenizer.json from where the model comes from."
        )


def _known() -> list[TokenizerDefaults]:
    return [family(model_type).tokenizer for model_type in model_types()]


def _classes() -> str:
    return ", ".join(form.class_name for form in _known() if form.algorithm is not None)

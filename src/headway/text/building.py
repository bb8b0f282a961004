"""A tokenizer from a file of pieces, in the form of its family and with its settings."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, processors
from tokenizers import Tokenizer as Backend

from headway.architecture import TokenizerDefaults
from headway.architecture.tokenizer import Template
from headway.errors import TokenizerError
from headway.text.byte_level import build_byte_level, read_byte_level
from headway.text.sentencepiece import read_sentencepiece
from headway.text.unigram import build_sentencepiece
from headway.text.wordpiece import empty_wordpiece, read_vocabulary

PAIRS: Mapping[Template, str] = {
    "bert": "{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
    "roberta": "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:0 {sep}:0",
    "mpnet": "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:1 {sep}:1",
}


def build(
    path: Path, form: TokenizerDefaults, *, roles: Mapping[str, str], settings: Mapping[str, Any]
) -> tuple[Backend, list[AddedToken]]:
    """The tokenizer without a template, and the pieces of the file that are to be recognised in any text."""
    lowercase = bool(settings.get("do_lower_case", form.lowercase))
    match form.algorithm:
        case "wordpiece":
            backend = empty_wordpiece(
                read_vocabulary(path),
                unknown=roles["unk_token"],
                lowercase=lowercase,
                strip_accents=settings.get("strip_accents"),
                split_chinese=bool(settings.get("tokenize_chinese_chars", True)),
            )
            return backend, []
        case "byte-level-bpe":
            return build_byte_level(*read_byte_level(path), add_prefix_space=bool(settings.get("add_prefix_space", False))), []
        case "sentencepiece" if form.pieces is not None:
            return build_sentencepiece(read_sentencepiece(path), form.pieces, lowercase=lowercase, settings=settings, path=path)
    raise AssertionError(f"no vocabulary is read as {form.algorithm}")


def settings_read(form: TokenizerDefaults) -> set[str]:
    """The settings that shape a tokenizer of this form while it is built, beside those that its parts have names for."""
    if form.pieces is None:
        return set()
    steps = form.pieces.normalization
    return {
        "byte_fallback",
        *(["do_lower_case"] if "lowercase" in steps else []),
        *(["keep_accents"] if "accents" in steps else []),
        *(["split_by_punct"] if form.pieces.split_by_punct is not None else []),
    }


def check_special_tokens(
    backend: Backend, form: TokenizerDefaults, *, roles: Mapping[str, str], declared: Collection[str], path: Path
) -> None:
    """Refuse a vocabulary without the special tokens that texts are framed with."""
    may_lack = {*declared, *(roles[role] for role in form.appended if role in roles)}
    missing = [token for token in dict.fromkeys(roles.values()) if token not in may_lack and backend.token_to_id(token) is None]
    if missing:
        raise TokenizerError(
            f"{path} lacks the special tokens {', '.join(missing)}, so texts could not be framed for the model. "
            "Add them to the file, or name those it has in tokenizer_config.json."
        )


def set_template(backend: Backend, form: TokenizerDefaults, *, roles: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Frame texts as the family does. RoBERTa's form for bytes also leaves the space before a word out of its offsets."""
    cls, sep = ((roles[role], backend.token_to_id(roles[role])) for role in ("cls_token", "sep_token"))
    if form.algorithm == "byte-level-bpe" and form.template == "roberta":
        backend.post_processor = processors.RobertaProcessing(
            sep=sep,
            cls=cls,
            trim_offsets=bool(settings.get("trim_offsets", True)),
            add_prefix_space=bool(settings.get("add_prefix_space", False)),
        )
        return
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls[0]}:0 $A:0 {sep[0]}:0",
        pair=PAIRS[form.template].format(cls=cls[0], sep=sep[0]),
        special_tokens=[cls, sep],
    )

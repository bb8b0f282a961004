"""BERT's tokenizer from a vocabulary: normalise, split at spaces and punctuation, longest pieces first.

Devlin et al., 2019, arXiv:1810.04805; Wu et al., 2016, arXiv:1609.08144, section 4.1.
"""

from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from headway.errors import TokenizerError


def build_wordpiece(
    vocabulary: Mapping[str, int],
    *,
    special_tokens: Mapping[str, str],
    lowercase: bool,
    strip_accents: bool | None = None,
    split_chinese: bool = True,
) -> Backend:
    """The tokenizer that transformers' ``BertTokenizerFast`` builds from the same vocabulary and settings.

    ``strip_accents`` of None means: where letters are lowercased.
    """
    unknown = special_tokens["unk_token"]
    backend = empty_wordpiece(
        vocabulary, unknown=unknown, lowercase=lowercase, strip_accents=strip_accents, split_chinese=split_chinese
    )
    cls, sep = special_tokens["cls_token"], special_tokens["sep_token"]
    backend.add_special_tokens(list(special_tokens.values()))
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, vocabulary[cls]), (sep, vocabulary[sep])],
    )
    return backend


def empty_wordpiece(
    vocabulary: Mapping[str, int], *, unknown: str, lowercase: bool, strip_accents: bool | None = None, split_chinese: bool = True
) -> Backend:
    """BERT's normalisation and splitting around these pieces, without special tokens: what a vocabulary is trained in."""
    backend = Backend(models.WordPiece(dict(vocabulary), unk_token=unknown))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=split_chinese, strip_accents=strip_accents, lowercase=lowercase
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def read_vocabulary(path: Path) -> dict[str, int]:
    """Pieces by id from a file with one piece a line."""
    vocabulary: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for index, line in enumerate(lines):
                piece = line.rstrip("\n")
                if piece in vocabulary and piece:
                    raise TokenizerError(
                        f"Line {index + 1} of {path} repeats line {vocabulary[piece] + 1} ({piece!r}), so it is not clear which "
                        "id the piece has. Download or save it again."
                    )
                vocabulary[piece] = index
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path} is not UTF-8 text ({error}), so it is no vocabulary. Download or save it again.") from error
    return vocabulary

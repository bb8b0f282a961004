"""How a family turns the files of a vocabulary into a tokenizer, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Algorithm: TypeAlias = Literal["wordpiece", "byte-level-bpe", "sentencepiece"]
Template: TypeAlias = Literal["bert", "roberta", "mpnet"]
Step: TypeAlias = Literal[
    "quotes", "accents", "lowercase", "character-map", "strip", "strip-right", "join-spaces", "join-spaces-to-mark"
]

TYPED_INPUTS = ("input_ids", "token_type_ids", "attention_mask")
UNTYPED_INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True, kw_only=True)
class SentencePieceForm:
    """What a family makes of a SentencePiece file: the pieces that it numbers, and the text that it looks for them in.

    The file's own character map, dummy prefix and treatment of spaces are used in any case.
    """

    normalization: tuple[Step, ...]
    """What happens to a text, in order. ``accents`` and ``lowercase`` are done where the settings ask for it; steps that touch
    spaces are left out where the file keeps extra ones."""

    leading: Mapping[str, float] = field(default_factory=dict)
    """Pieces with their scores that come before the file's own, as in fairseq."""

    dropped: int = 0
    """How many of the file's first pieces the leading ones replace."""

    trailing: tuple[str, ...] = ()
    """Pieces that come after the file's own."""

    avoids_digits_with_comma: bool = False
    """Whether a piece such as ``1,`` is used only where nothing else fits."""

    split_by_punct: bool | None = None
    """Whether punctuation stands alone where the settings say nothing; None where a family has no such setting."""


@dataclass(frozen=True, kw_only=True)
class TokenizerDefaults:
    """What to build when a folder has a vocabulary but no ``tokenizer.json``, where its settings say nothing else.

    A WordPiece family needs the first three fields and its class name. RoBERTa's kin add ``template="roberta"``,
    ``lstrip=("mask_token",)`` and ``model_input_names=UNTYPED_INPUTS``; whoever reads a SentencePiece file adds ``pieces``.
    """

    algorithm: Algorithm | None
    """None for a family whose checkpoints always have ``tokenizer.json``, because a vocabulary alone does not determine it."""

    special_tokens: Mapping[str, str]
    """Special tokens by role, such as ``cls_token``."""

    lowercase: bool
    """Whether letters are lowercased; what happens to accents follows."""

    class_name: str = "PreTrainedTokenizerFast"
    """The tokenizer's class in transformers, without ``Fast``: how a folder names the form of its files."""

    files: tuple[str, ...] = ()
    """The vocabulary files that are this family's where neither a class nor the model's type says whose they are."""

    template: Template = "bert"
    """How a text or a pair is framed: ``[CLS] A [SEP] B [SEP]`` with types 0 and 1, ``<s> A </s></s> B </s>`` with type 0, or
    MPNet's, which is the latter with the former's types."""

    model_input_names: tuple[str, ...] = TYPED_INPUTS
    """What a call gives where nothing is asked for."""

    lstrip: tuple[str, ...] = ()
    """The roles whose token takes the spaces before it, as a word does."""

    normalized: tuple[str, ...] = ()
    """The roles whose token is looked for in the normalised text."""

    appended: tuple[str, ...] = ()
    """The roles whose token the files may lack; it then follows the vocabulary."""

    additional_special_tokens: tuple[str, ...] = ()
    """Special tokens without a role."""

    pieces: SentencePieceForm | None = None
    """How a SentencePiece file is read; the others have none."""

"""RoBERTa. Liu et al., 2019, arXiv:1907.11692."""

from headway.architecture import TokenizerDefaults
from headway.architecture.tokenizer import UNTYPED_INPUTS
from headway.families import _roberta, _tokens

FAMILY = _roberta.family(
    "roberta",
    "Roberta",
    vocab_size=50265,
    tokenizer=TokenizerDefaults(
        class_name="RobertaTokenizer",
        algorithm="byte-level-bpe",
        special_tokens=_tokens.ROBERTA_TOKENS,
        lowercase=False,
        template="roberta",
        model_input_names=UNTYPED_INPUTS,
        lstrip=("mask_token",),
        normalized=tuple(role for role in _tokens.ROBERTA_TOKENS if role != "mask_token"),
        files=("vocab.json",),
    ),
)

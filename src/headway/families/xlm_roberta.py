"""XLM-RoBERTa. Conneau et al., 2020, arXiv:1911.02116."""

from headway.architecture import TokenizerDefaults
from headway.architecture.tokenizer import UNTYPED_INPUTS, SentencePieceForm
from headway.families import _roberta, _tokens

FAMILY = _roberta.family(
    "xlm-roberta",
    "XLMRoberta",
    vocab_size=30522,
    tokenizer=TokenizerDefaults(
        class_name="XLMRobertaTokenizer",
        algorithm="sentencepiece",
        special_tokens=_tokens.ROBERTA_TOKENS,
        lowercase=False,
        template="roberta",
        model_input_names=UNTYPED_INPUTS,
        lstrip=("mask_token",),
        files=("sentencepiece.bpe.model",),
        pieces=SentencePieceForm(
            normalization=_tokens.FAIRSEQ_NORMALIZATION,
            leading={"<s>": 0.0, "<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0},
            dropped=3,
            trailing=("<mask>",),
        ),
    ),
)

"""CamemBERT. Martin et al., 2020, arXiv:1911.03894."""

from headway.architecture import TokenizerDefaults
from headway.architecture.tokenizer import UNTYPED_INPUTS, SentencePieceForm
from headway.families import _roberta, _tokens

FAMILY = _roberta.family(
    "camembert",
    "Camembert",
    vocab_size=30522,
    tokenizer=TokenizerDefaults(
        class_name="CamembertTokenizer",
        algorithm="sentencepiece",
        special_tokens=_tokens.ROBERTA_TOKENS,
        lowercase=False,
        template="roberta",
        model_input_names=UNTYPED_INPUTS,
        lstrip=("mask_token",),
        additional_special_tokens=("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"),
        pieces=SentencePieceForm(
            normalization=_tokens.FAIRSEQ_NORMALIZATION,
            leading={"<s>NOTUSED": 0.0, "<pad>": 0.0, "</s>NOTUSED": 0.0, "<unk>": 0.0, "<unk>NOTUSED": -100.0},
            dropped=1,
            trailing=("<mask>",),
        ),
    ),
)

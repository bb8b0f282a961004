"""What the tokenizers of several families share."""

from collections.abc import Mapping

from headway.architecture.tokenizer import Step

BERT_TOKENS: Mapping[str, str] = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}

ROBERTA_TOKENS: Mapping[str, str] = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}

DEBERTA_TOKENS: Mapping[str, str] = {"bos_token": "[CLS]", "eos_token": "[SEP]", **BERT_TOKENS}

FAIRSEQ_NORMALIZATION: tuple[Step, ...] = ("character-map", "strip-right", "join-spaces-to-mark")

"""Tiny models of token classification with the tokenizers of four families, made without torch.

``KINDS`` names them; ``save_model`` writes one as a folder that transformers reads as well. Weights are random, none of them
zero, and sizes are those of the table of families.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

import vocabularies
from conftest import make_random_weights, write_tokenizer
from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.families import family
from reference.family_cases import BERT_SIZES, DEBERTA_V3, DISTILBERT_SIZES, ROBERTA_SIZES

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
LINES = [
    "John Smith, of New York, lives in Zürich; he isn't from U.N. headquarters!",
    "The Müller-Meier family flew from São Paulo to Tōkyō (東京) on 1996-08-30.",
    "Johnson and Johnson paid $5.00 to the York library of new Zealand's lakes.",
    "Łódź and Kraków are cities; 北京 is one too, and Ελλάδα is a country.",
]
SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
BERT_SPECIAL = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}


def wordpiece() -> tuple[Backend, dict]:
    """As BERT's for cased texts."""
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    backend.model = vocabularies.wordpiece(backend, LINES, size=151, special=list(BERT_SPECIAL.values()))
    backend.add_special_tokens(list(BERT_SPECIAL.values()))
    ids = {token: backend.token_to_id(token) for token in ("[CLS]", "[SEP]")}
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=list(ids.items()))
    return backend, {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": False, "strip_accents": False, **BERT_SPECIAL}


def byte_level() -> tuple[Backend, dict]:
    """As RoBERTa's, with the space before the first word that split words need."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
    special = [AddedToken(token, lstrip=token == "<mask>", special=True) for token in SPECIAL.values()]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=331, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(LINES * 3, trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    settings = {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True, "trim_offsets": True}
    return backend, {**settings, **SPECIAL, "cls_token": "<s>", "sep_token": "</s>"}


def unigram() -> tuple[Backend, dict]:
    """As DeBERTa v3's: offsets hold the space before a word."""
    text = " ".join(LINES[:3])
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    words = sorted({f"▁{word}" for word in text.split() if word.isalpha()} - {"▁Smith", "▁Johnson"})
    pieces = [*((piece, 0.0) for piece in special), *((word, -6.0) for word in words), ("▁", -4.0), ("son", -5.0)]
    pieces += [(letter, -7.0) for letter in sorted({*text} - {" ", "東"})]
    backend = Backend(models.Unigram(pieces, unk_id=3))
    backend.add_special_tokens(special)
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return backend, {"tokenizer_class": "DebertaV2Tokenizer", "split_by_punct": False, "do_lower_case": False, **BERT_SPECIAL}


KINDS = {
    "bert": (BERT_SIZES, None, 5),
    "distilbert": (DISTILBERT_SIZES, wordpiece, 0),
    "roberta": (ROBERTA_SIZES, byte_level, 5),
    "deberta-v2": (DEBERTA_V3, unigram, 7),
}
"""Each family's sizes, its tokenizer, and a seed with which labels change often. BERT has the tokenizer that all tests share."""


def save_model(folder: Path, kind: str, *, labels: Sequence[str] = LABELS, **settings: object) -> Path:
    """A folder with a tiny model of that family."""
    sizes, make_tokenizer, seed = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    if make_tokenizer is None:
        write_tokenizer(folder)
    else:
        backend, roles = make_tokenizer()
        sizes = sizes | {"vocab_size": backend.get_vocab_size()}
        backend.save(str(folder / "tokenizer.json"))
        roles = {"model_max_length": 41, **roles}
        (folder / "tokenizer_config.json").write_text(json.dumps(roles), encoding="utf-8")
    found = family(kind)
    config = found.config(**sizes | {"id2label": dict(enumerate(labels))} | settings)
    weights = make_random_weights(weight_shapes(found.architecture(config, "token-classification")), seed)
    save_checkpoint(folder, config=config, head="token-classification", weights=weights)
    return folder

"""Tiny classifiers of four families with tokenizers of three kinds, and the real MiniLM with a made-up head, for tasks on pairs.

Torch and transformers are imported where they are needed only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from conftest import ROOT, make_random_weights
from reference.family_cases import BERT_SIZES, DEBERTA_V3, DISTILBERT_SIZES, ROBERTA_SIZES

LINES = (ROOT / "examples" / "corpus.txt").read_text(encoding="utf-8").splitlines()[:60]
LINES += ["Zürich, the “old” Café (est. 1873): £4.50 – naïve? 東京タワー は 333 m; Привет, мир! e\u0301te\u0301 ﬁne 😀."] * 3
BERT_ROLES = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
ROBERTA_ROLES = {
    **{"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"},
    **{"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"},
}
SPECIAL = {"bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]}
FAMILIES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "bert": ("Bert", BERT_SIZES),
    "roberta": ("Roberta", ROBERTA_SIZES),
    "deberta-v2": ("DebertaV2", DEBERTA_V3),
    "distilbert": ("DistilBert", DISTILBERT_SIZES),
}
LIMIT = 41
"""Tokens that the tiny models read."""


def make_folder(folder: Path, family: str, *, head: str = "SequenceClassification", seed: int = 3, **settings: Any) -> Path:
    """Where transformers saved a model, usually a classifier, and its tokenizer; ``settings`` are the configuration's labels."""
    import torch
    import transformers

    name, sizes = FAMILIES[family]
    settings = _with_label2id(settings)
    tokenizer = make_tokenizer(family)
    config = getattr(transformers, f"{name}Config")(**sizes | {"vocab_size": len(tokenizer)} | settings)
    model = getattr(transformers, f"{name}For{head}")(config)
    shapes = {weight: tuple(values.shape) for weight, values in model.named_parameters()}
    with torch.no_grad():
        for weight, values in make_random_weights(shapes, seed).items():
            model.get_parameter(weight).copy_(torch.from_numpy(values))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_minilm(folder: Path, minilm: Path, *, head: str = "SequenceClassification", seed: int = 5, **settings: Any) -> Path:
    """The real all-MiniLM-L6-v2 with a random head, large enough that scores differ; a masked LM's has its token table."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm, model_max_length=512)
    settings = _with_label2id(settings)
    transformers.logging.set_verbosity_error()  # that the head is new is what is wanted
    model = getattr(transformers, f"AutoModelFor{head}").from_pretrained(minilm, **settings)
    transformers.logging.set_verbosity_warning()
    torch.manual_seed(seed)
    with torch.no_grad():
        last = model.classifier if hasattr(model, "classifier") else model.cls.predictions.transform.dense
        last.weight.normal_(0, 0.7)
        last.bias.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer(family: str) -> Any:
    """A tokenizer as the family has it: WordPiece, byte-level BPE or Unigram, with its frame of pairs."""
    import transformers

    if family == "roberta":
        backend, roles = _byte_level(), ROBERTA_ROLES
    else:
        backend, roles = (_unigram() if family == "deberta-v2" else _wordpiece()), BERT_ROLES
    names = ["input_ids", "attention_mask"] + ([] if family in ("roberta", "distilbert") else ["token_type_ids"])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=LIMIT, model_input_names=names, clean_up_tokenization_spaces=False, **roles
    )


def _with_label2id(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables of labels where there is one: transformers' pipeline reads ``label2id`` only."""
    names = settings.get("id2label")
    return {**settings, **({} if names is None else {"label2id": {label: place for place, label in names.items()}})}


def _wordpiece() -> Backend:
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=331, special_tokens=SPECIAL["bert"], show_progress=False)
    return _trained(backend, trainer, processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)))


def _byte_level() -> Backend:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = [AddedToken(token, lstrip=token == "<mask>", special=True) for token in SPECIAL["roberta"]]
    trainer = trainers.BpeTrainer(
        vocab_size=401, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    return _trained(backend, trainer, processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False))


def _unigram() -> Backend:
    backend = Backend(models.Unigram())
    backend.normalizer, backend.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=331, special_tokens=SPECIAL["bert"], unk_token="[UNK]", show_progress=False)
    frame = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return _trained(backend, trainer, frame)


def _trained(backend: Backend, trainer: Any, frame: Any) -> Backend:
    backend.train_from_iterator(LINES, trainer)
    backend.post_processor = frame
    return backend

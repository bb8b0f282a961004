from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

import vocabularies
from headway.text import Tokenizer, state, train_wordpiece

LINES = """\
The quick brown fox jumps over the lazy dog, and the dog doesn't jump.
A lazier dog than this fox was never seen: unaffable, unjumping, unquick!
Brown foxes are quicker than brown dogs; dogs are lazier than foxes.
Café au lait, naïve façades and 漢字 stand here too. Привет, мир!
"""


@pytest.fixture(scope="session")
def text_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "lines.txt"
    path.write_text(LINES * 3, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer(text_file) -> Tokenizer:
    return train_wordpiece([text_file], vocab_size=163, progress=False)


@pytest.fixture
def saved(tokenizer, tmp_path) -> Path:
    tokenizer.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


BERT_ROLES = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
ROBERTA_ROLES = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}


def byte_level() -> Backend:
    """As RoBERTa's: two separators, trimmed offsets, a mask that takes the space before it."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = [AddedToken(token, lstrip=token == "<mask>", special=True) for token in ROBERTA_ROLES.values()]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=331, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(LINES.splitlines() * 3, trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return backend


def unigram() -> Backend:
    """As XLM-R's: pieces with scores, spaces as part of words, type ids of 0 only."""
    backend = Backend(models.Unigram())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    backend.decoder = decoders.Metaspace()
    special = list(ROBERTA_ROLES.values())
    backend.model = vocabularies.unigram(backend, LINES.splitlines(), size=131, special=special, unknown="<unk>")
    backend.add_special_tokens(special)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return backend


def words() -> Backend:
    """Whole words, and no frame at all."""
    backend = Backend(models.WordLevel({"<unk>": 0, "<pad>": 1, "fox": 2, "dog": 3, "the": 4}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return backend


@pytest.fixture(scope="session", params=["wordpiece", "byte-level", "unigram", "words"])
def kind(request, tokenizer) -> tuple[Callable[[], Backend], dict[str, Any]]:
    """A tokenizer of each kind: how to make it anew, and the roles of its special tokens."""
    makers = {
        "wordpiece": (lambda: tokenizer.backend, BERT_ROLES),
        "byte-level": (byte_level, ROBERTA_ROLES),
        "unigram": (unigram, ROBERTA_ROLES),
        "words": (words, {"unk_token": "<unk>", "pad_token": "<pad>"}),
    }
    make, roles = makers[request.param]
    made = make().to_str()
    return lambda: Backend.from_str(made), roles


@pytest.fixture
def characters_read(monkeypatch) -> list[int]:
    """How many characters of each text the tokenizers of this test were given to read."""
    read: list[int] = []

    def encoded(encode: Callable[..., Any], inputs: list[Any], **options: bool) -> Any:
        read.extend(len(entry) if isinstance(entry, str) else sum(map(len, entry)) for entry in inputs)
        return encode_all(encode, inputs, **options)

    encode_all = state._encoded
    monkeypatch.setattr(state, "_encoded", encoded)
    return read

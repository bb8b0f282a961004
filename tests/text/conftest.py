from pathlib import Path

import pytest

from headway.text import Tokenizer, train_wordpiece

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

"""A tokenizer, a text and labelled rows small enough to train on within seconds."""

import json
import random

import pytest

from headway.text import train_wordpiece

GOOD = "good great fine lovely bright warm funny clever".split()
BAD = "bad awful dull dreary cold slow broken silly".split()
THINGS = "film book song meal room trip story play".split()


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    """67 documents of 2 to 9 sentences about things that are good or bad."""
    chance = random.Random(7)
    path = tmp_path_factory.mktemp("text") / "text.txt"
    documents = []
    for _ in range(67):
        words = [
            f"the {chance.choice(THINGS)} was {chance.choice(GOOD + BAD)} and {chance.choice(GOOD + BAD)} ."
            for _ in range(chance.randint(2, 9))
        ]
        documents.append("\n".join(words) + "\n")
    path.write_text("\n".join(documents), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory, text_file):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_wordpiece([text_file], vocab_size=97, min_frequency=1, progress=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def labelled_file(tmp_path_factory):
    """83 rows of unequal length with a text and a label."""
    chance = random.Random(11)
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for _ in range(83):
            label = chance.choice(("neg", "pos"))
            words = chance.choices(GOOD if label == "pos" else BAD, k=chance.randint(1, 6))
            file.write(json.dumps({"text": f"the {chance.choice(THINGS)} was " + " and ".join(words), "label": label}) + "\n")
    return path

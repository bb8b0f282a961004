"""What ships inside the package: how large it is, what each folder holds, and that each model does what it is for."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import headway
from headway.checkpoints import load_config, shipped_models, shipped_parts
from headway.cli._flags import parse
from headway.core import registry
from headway.inference.defaults import SHIPPED
from headway.text import Tokenizer

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "src" / "headway" / "models"
MODELS_AND_PARTS = {**shipped_models(), **shipped_parts()}
MOST_BYTES = 24 * 2**20


def sentiment():
    answers = headway.pipeline("sentiment-analysis")(["A wonderful film.", "A boring waste of time."])
    return [answer["label"] for answer in answers] == ["POSITIVE", "NEGATIVE"]


def names():
    found = headway.pipeline("ner", aggregation_strategy="simple")("John Smith went to Paris.")
    return {(one["entity_group"], one["word"]) for one in found} >= {("PER", "John Smith"), ("LOC", "Paris")}


def answers():
    asked = {"question": "Where does Anna live?", "context": "Anna lives in Paris with her two cats. She is a teacher."}
    return "Paris" in headway.pipeline("question-answering")(**asked)["answer"]


def likeness():
    source = {
        "source_sentence": "A man is playing a guitar.",
        "sentences": ["Someone plays the guitar.", "The stock market fell."],
    }
    near, far = headway.pipeline("sentence-similarity")(source)
    return near > far


def masks():
    found = headway.pipeline("fill-mask")("He opened the door and went [MASK] the house.")
    return bool({filling["token_str"] for filling in found} & {"into", "in", "to", "inside", "through"})


EXAMPLES = {"sentiment": sentiment, "ner": names, "questions": answers, "embeddings": likeness, "fill-mask": masks}


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) <= MOST_BYTES


def test_a_model_that_ships_is_one_of_those_that_are_known():
    assert shipped_models().keys() <= EXAMPLES.keys() == {*SHIPPED.values()}
    assert tomllib.loads((MODELS / "cards.toml").read_text(encoding="utf-8"))["models"].keys() == {*EXAMPLES, "english"}


@pytest.mark.parametrize("name", shipped_models())
def test_a_model_that_ships_answers_what_is_obvious(name):
    assert EXAMPLES[name]()


@pytest.mark.parametrize("name", MODELS_AND_PARTS)
def test_a_folder_holds_all_that_belongs_to_it(name):
    folder = MODELS_AND_PARTS[name]
    assert len(Tokenizer.from_pretrained(folder)) == load_config(folder).vocab_size
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == ["How good it is", "Data", "How it was made"]
    logs = [*folder.glob("*.jsonl"), *(folder / link for link in re.findall(r"\]\(([^)]*\.jsonl)\)", card))]
    assert logs
    assert all(log.read_text(encoding="utf-8").startswith('{"step"') for log in logs)


def test_the_cards_are_those_that_their_parts_make():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "cards", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


SCRIPT = (MODELS / "reproduce.sh").read_text(encoding="utf-8").replace("\\\n", " ")
COMMANDS = re.findall(r"\bheadway (\w+) (.*)$", SCRIPT, re.MULTILINE)


@pytest.mark.parametrize(("name", "words"), COMMANDS)
def test_the_commands_that_made_them_can_be_given(name, words):
    command = registry.load("headway.cli.commands", name, "COMMAND")
    assert isinstance(parse(command, shlex.split(words), program=f"headway {name}"), command.settings)


def test_every_model_and_every_training_file_has_its_command():
    assert len(COMMANDS) >= 13
    assert {*re.findall(r"^ *shipped ([\w-]+)", SCRIPT, re.MULTILINE)} == {*EXAMPLES}
    prepared = {*re.findall(r"^ *prepared \S+ (\w+)", SCRIPT, re.MULTILINE)}
    made = (MODELS / "prepare.py").read_text(encoding="utf-8").partition("MAKERS")[2]
    assert prepared == {*re.findall(r"\w+", re.findall(r"for made in \(([^)]*)\)", made)[0])}

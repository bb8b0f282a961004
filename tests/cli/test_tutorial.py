"""docs/tutorial.md, run as it is written, with fewer steps and a narrower model."""

import re
import shlex
from pathlib import Path

import pytest

from headway.cli.main import main

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("$ headway ") for line in TUTORIAL.splitlines() if line.startswith("$ headway ")]
SMALLER = {
    "--vocab-size": "300",
    "--hidden-size": "16",
    "--max-steps": "3",
    "--num-train-epochs": "1",
    "--tokens-per-batch": "1024",
}


def reduced(command):
    """The command's words, with the numbers of a run that takes seconds."""
    words = shlex.split(command)
    return [SMALLER.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def short(path, lines):
    return "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:lines])


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the first lines of the example files, as the current folder."""
    (tmp_path / "examples").mkdir()
    for path in (ROOT / "examples").iterdir():
        (tmp_path / "examples" / path.name).write_text(short(path, lines=101), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.train
@pytest.mark.filterwarnings("ignore:.* weights are made anew")  # the classifier's, on the encoder: what fine-tuning is for
def test_the_tutorial_does_what_it_says(clone, capsys):
    said = []
    for command in COMMANDS:
        assert main(reduced(command)) == 0, f"headway {command}\n{capsys.readouterr().err}"
        said.append(capsys.readouterr().out.strip().splitlines()[-1])
    results = clone / "results" / "tutorial"
    for name in ("tokenizer", "encoder", "sentiment", "sentiment-int8"):
        assert any(f"results/tutorial/{name}" in line for line in said), f"no command said that it wrote {name}: {said}"
    assert (results / "tokenizer" / "tokenizer.json").is_file()
    assert len((results / "answers.jsonl").read_text(encoding="utf-8").splitlines()) == 101
    (python,) = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    exec(compile(python, "tutorial.md", "exec"), {})
    assert re.search(r"\[\{'label': '(positive|negative)', 'score': 0\.\d+\}\]", capsys.readouterr().out)


def test_the_tutorial_uses_every_command():
    assert {command.split()[0] for command in COMMANDS} == {"tokenizer", "pretrain", "train", "export", "predict", "info"}

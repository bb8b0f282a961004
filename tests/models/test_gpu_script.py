"""gpu.sh with programs that only note what they were asked: the order of its work, how it goes on, and what ends it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from headway.cli._flags import parse
from headway.core import registry

SCRIPT = Path(__file__).parents[2] / "src" / "headway" / "models" / "gpu.sh"
NEEDED = ("torch", "headway", "numpy", "tokenizers", "safetensors", "onnx", "onnxruntime", "huggingface_hub", "tqdm", "pyarrow")
TORCH = """import os, types
__version__ = "2"
cuda = types.SimpleNamespace(is_available=lambda: "NO_GPU" not in os.environ, get_device_name=lambda: "a GPU")
"""
HEADWAY = """#!/usr/bin/env bash
printf '%q ' "$@" >>"$NOTES/headway"; echo >>"$NOTES/headway"
[ "$1" != "${BROKEN:-}" ] || exit 1
[ "$1" != evaluate ] || { printf 'accuracy\\n0.5\\n'; exit; }
all=$*
while [ $# -gt 0 ]; do case $1 in --output-dir | --output) out=$2 ;; esac; shift; done
mkdir -p "$out"
case $all in
export*) touch "$out/model_int8.onnx" "$out/tokenizer.json" ;;
*constant_with_warmup*) mkdir -p "$out"/checkpoint-{9,10} && echo '{"step": 2400}' >"$out/log.jsonl" && exit 75 ;;
*) echo '{"classifier_pooling": "cls"}' >"$out/config.json" && touch "$out/model.safetensors" ;;
esac
"""
"""Notes its flags and leaves what a reader of its results looks for; a training at an even rate ends as its time is up."""
PYTHON = """#!/usr/bin/env bash
printf '%q ' "$@" >>"$NOTES/python"; echo >>"$NOTES/python"
case $* in
-) PYTHONPATH=$MODULES exec "$REAL" - ;;
*"import torch"*) exit 1 ;;
-c*) exec "$REAL" "$@" ;;
*"parts.py speed"*) touch "${@: -1}/speed.json" ;;
*silver) touch "$3/silver.txt" ;;
*"parts.py pack"*) mkdir -p "$4" && touch "$4/$3.json" ;;
esac
"""


@pytest.fixture
def gpu(tmp_path):
    """Calls gpu.sh with these programs, in a folder whose pre-training at an even rate has spent its time."""
    for name, text in (("headway", HEADWAY), ("python", PYTHON)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    for name in (
        "notes",
        "modules",
        *(f"work/{name}-even/checkpoint-{step}" for name in ("encoder", "small") for step in (9, 10)),
    ):
        (tmp_path / name).mkdir(parents=True)
    for name in NEEDED:
        (tmp_path / "modules" / f"{name}.py").write_text(TORCH if name == "torch" else "")
    for name in ("encoder", "small"):
        (tmp_path / "work" / f"{name}-even.seconds").write_text("600\n")
        (tmp_path / "work" / f"{name}-even" / "log.jsonl").write_text('{"step": 3}\n{"step": 2400}\n')

    def call(*words, **variables):
        places = {"NOTES": str(tmp_path / "notes"), "MODULES": str(tmp_path / "modules"), "REAL": sys.executable}
        search = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        return subprocess.run(
            [SCRIPT, *words], env={**os.environ, **search, **places, **variables}, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    return call


def asked(folder, program):
    """What a program was asked to do, call by call."""
    notes = folder / "notes" / program
    return [shlex.split(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def value(words, flag):
    return words[words.index(flag) + 1]


def test_everything_is_made_once_by_commands_that_headway_knows(gpu, tmp_path):
    done = gpu("learn", "work")
    assert done.returncode == 0, done.stderr
    calls = asked(tmp_path, "headway")
    for name, *words in calls:
        command = registry.load("headway.cli.commands", name, "COMMAND")
        assert isinstance(parse(command, words, program=f"headway {name}"), command.settings)
    assert {*(path.name for path in (tmp_path / "work" / "models").iterdir())} == {
        "english", "fill-mask", "sentiment", "ner", "questions", "embeddings",
    }  # fmt: skip
    assert len((tmp_path / "work" / "scores.txt").read_text().splitlines()) == 8
    assert (tmp_path / "work" / "encoder" / "config.json").read_text() == '{"classifier_pooling": "mean"}\n'
    assert gpu("learn", "work").returncode == 0
    assert asked(tmp_path, "headway") == calls


def test_the_falling_rate_begins_at_the_newest_checkpoint_for_an_eighth_of_its_steps(gpu, tmp_path):
    assert gpu("learn", "work", "encoder").returncode == 0
    (words,) = asked(tmp_path, "headway")
    assert value(words, "--model") == "work/encoder-even/checkpoint-10"
    assert [words[at + 1] for at, word in enumerate(words) if word == "--max-steps"][-1] == "300"


def test_pre_training_goes_on_in_the_next_call_until_its_minutes_are_spent(gpu, tmp_path):
    (tmp_path / "work" / "encoder-even.seconds").write_text("0\n")
    assert gpu("learn", "work", "encoder", MINUTES="3", ENCODER_MINUTES="5").returncode == 75
    (words,) = asked(tmp_path, "headway")
    assert value(words, "--output-dir") == "work/encoder-even"
    assert 2.5 < float(value(words, "--max-minutes")) <= 3
    assert not (tmp_path / "work" / "encoder").exists()


def test_a_call_whose_time_is_up_begins_nothing(gpu, tmp_path):
    done = gpu("learn", "work", MINUTES="0.3")
    assert done.returncode == 75
    assert "The time of this call is up. Give it again." in done.stderr
    assert asked(tmp_path, "headway") == []


@pytest.mark.parametrize("broken", ["train", "export", "evaluate"])
def test_what_fails_ends_the_call_and_is_done_by_the_next_one(gpu, tmp_path, broken):
    assert gpu("learn", "work", BROKEN=broken).returncode == 1
    assert asked(tmp_path, "headway")[-1][0] == broken
    assert gpu("learn", "work").returncode == 0
    assert len((tmp_path / "work" / "scores.txt").read_text().splitlines()) == 8


def test_a_machine_without_a_gpu_and_a_part_that_is_none_are_refused(gpu, tmp_path):
    without = gpu("learn", "work", NO_GPU="1")
    assert (without.returncode, asked(tmp_path, "headway")) == (1, [])
    assert "sees no GPU, without which these minutes come to nothing. TINY=1 tries all of it in small" in without.stderr
    assert gpu("check", NO_GPU="1", TINY="1").returncode == 0
    wrong = gpu("learn", "work", "sentimental")
    assert wrong.returncode == 2
    assert "There is no part sentimental. Parts are encoder, small," in wrong.stderr


def test_models_are_sent_once_and_again_where_one_was_added(gpu, tmp_path):
    def packed():
        return [words[2] for words in asked(tmp_path, "python") if words[1:2] == ["pack"]]

    gpu("learn", "work", "encoder", "small", "sentiment", "report")
    (tmp_path / "work" / "incoming").mkdir()
    (tmp_path / "work" / "incoming" / "encoder.done").touch()  # was made elsewhere
    gpu("send", "work", "out")
    gpu("send", "work", "out")
    assert packed() == ["small", "sentiment", "models"]
    os.utime(tmp_path / "work" / "out" / "models.json", (1, 1))
    gpu("learn", "work", "ner", "report")
    gpu("send", "work", "out")
    assert packed() == ["small", "sentiment", "models", "ner", "models"]


def test_the_text_that_models_are_measured_on_is_not_learnt(gpu, tmp_path):
    names = ("books-0", "wikipedia-0", "wikipedia-1", "wikipedia-10", "simplewiki-1")
    files = [f"corpus/{name}.txt.xz" for name in names]
    files += ["glue/sst2/train.jsonl", "glue/sst2/validation.jsonl", "glue/stsb/train.jsonl", "glue/stsb/validation.jsonl"]
    for file in (*files, "conll2003/validation.txt", "squad/dev-v1.1.json"):
        (tmp_path / "data" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / file).touch()
    done = gpu("prepare", "data", "work")
    assert done.returncode == 0, done.stderr
    ((_, *words),) = asked(tmp_path, "headway")
    assert words[:4] == [f"data/corpus/{name}.txt.xz" for name in ("books-0", "simplewiki-1", "wikipedia-0", "wikipedia-10")]

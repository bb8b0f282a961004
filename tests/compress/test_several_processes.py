"""A student of several processes is the student of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from headway.compress import DistillSettings, distill

SCRIPT = Path(__file__).parent / "several_students.py"
USUAL = {"max_steps": 2, "logging_steps": 1, "max_length": 29, "measure_speed": False, "bf16": False, "learning_rate": 1e-3}
KEY_BIASES = ("key.bias", "k_lin.bias")
NOISE = 2 * USUAL["max_steps"] * USUAL["learning_rate"]
"""How far two may be apart where the exact gradient is zero, as a key's bias cancels in the softmax: rounding decides the way."""


@pytest.fixture(scope="module")
def each(teacher, rows, labelled, text, narrow):
    """Settings by name: a recipe of each kind, with maps to the teacher's width and with two stages too."""
    classifier = teacher("sequence-classification", num_labels=3)
    words = {"files": [text], "tokens_per_batch": 67, "held_out": 0.2}
    in_rows = {"train": rows, "valid": labelled, "per_device_train_batch_size": 3, "eval_strategy": "steps", "eval_steps": 2}
    return {
        "answers": {"recipe": "logits", "teacher": classifier, **in_rows},
        "two-stages": {"recipe": "tinybert", "teacher": classifier, "student": narrow, **in_rows},
        "relations": {"recipe": "minilm", "teacher": classifier, **in_rows},
        "words": {"recipe": "distilbert", "teacher": teacher("masked-lm"), **words},
        "vectors": {"recipe": "embeddings", "teacher": teacher("base"), "files": [text], "student": narrow},
    }


@pytest.fixture(scope="module")
def two(each, tmp_path_factory):
    """Where two processes made each, and what they said."""
    folder = tmp_path_factory.mktemp("two")
    given = [{**USUAL, **one, "output_dir": str(folder / name)} for name, one in each.items()]
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "2", json.dumps(given)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800, check=False)
    assert found.returncode == 0, found.stderr
    return folder, found.stdout


def log(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "tokens_per_second"} for line in lines]


@pytest.mark.parametrize("name", ["answers", "two-stages", "relations", "words", "vectors"])
def test_two_processes_teach_what_one_does(name, each, two, tmp_path):
    made = {**USUAL, **each[name], "output_dir": str(tmp_path / name), "gradient_accumulation_steps": 2}
    made["files"] = tuple(made.get("files", ()))
    expected = distill(DistillSettings(**made), progress=False)
    folder, said = two[0] / name, two[1].splitlines()
    ours, theirs = (load_file(where / "model.safetensors") for where in (folder, tmp_path / name))
    assert ours.keys() == theirs.keys()
    for key, array in theirs.items():
        np.testing.assert_allclose(ours[key], array, atol=NOISE if key.endswith(KEY_BIASES) else 2e-5, rtol=1e-4, err_msg=key)
    for line, other in zip(log(folder), log(tmp_path / name), strict=True):
        assert line == pytest.approx(other, rel=1e-3)
    table = json.loads((folder / "distillation.json").read_text())
    score = expected.comparison.student.score
    assert table["student"]["score"] == (score if score is None else pytest.approx(score, rel=1e-3))
    scores = [line.split()[2] for line in said if line.split()[1] == made["recipe"]]
    assert scores == [str(table["student"]["score"])] * 2
    assert (folder / "README.md").is_file()

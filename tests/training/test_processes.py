"""Several processes learn what one learns."""

import json
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from headway.training.checkpoints import newest_state
from headway.training.order import alike
from headway.training.processes import share
from training.several import Several

SCRIPT = Path(__file__).parent / "several.py"


def torchrun(count, *arguments):
    """The script in so many processes; what it said and its status."""
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    return started(*start, "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", SCRIPT, *arguments)  # any free port


def forked(*launches):
    """Several launches of the script, one after the other, which import torch once; what they said and whether all ended well."""
    return started(SCRIPT, "fork", json.dumps(launches))


def started(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800, check=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory, tokenizer_folder):
    import torch

    from headway.families import family
    from headway.neural import AutoModelForSequenceClassification
    from headway.text import Tokenizer

    torch.manual_seed(3)
    sizes = {"hidden_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37}
    config = family("bert").config(
        **sizes, vocab_size=len(Tokenizer.from_pretrained(tokenizer_folder)), max_position_embeddings=41
    )
    folder = tmp_path_factory.mktemp("model")
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What all of them write to."""
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def where(folder, model, labelled_file, text_file, tokenizer_folder):
    return [*map(str, (folder, model, labelled_file, text_file, tokenizer_folder))]


def weights(folder):
    return load_file(folder / "model.safetensors")


def assert_close(found, expected, tolerance=2e-5):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=tolerance, rtol=1e-4, err_msg=name)


def log(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "tokens_per_second"} for line in lines]


PARTS = [
    "weights",
    "sparse",
    "fine-tune",
    "own optimiser",
    "pretrain",
    "stop",
    "fine-tune sharded",
    "pretrain sharded",
    "sigterm",
    "sigkill",
]


@pytest.fixture(scope="module")
def two(folder, where):
    """What torchrun said of two processes, of which one is killed in the end."""
    found = torchrun(2, *where, "two", 2, *PARTS)
    assert found.returncode != 0
    assert found.stdout.split("\n") == [*PARTS[:-1], ""], found.stderr
    return found


@pytest.mark.filterwarnings("ignore:.*new:UserWarning", "ignore:.*made anew:UserWarning")
def test_two_processes_learn_and_measure_what_one_does(folder, where, two):
    Several(*where, "one", 1).run("fine-tune", "pretrain")
    for part, sharded in product(("fine", "pre"), ("", "sharded-")):
        found, expected = folder / f"{sharded}{part}-two", folder / f"{part}-one"
        assert_close(weights(found), weights(expected))
        for ours, theirs in zip(log(found), log(expected), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-3)
    found, sharded, expected = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("fine-two", "sharded-fine-two", "fine-one")
    )
    np.testing.assert_allclose(found["logits"], expected["logits"], atol=1e-4)
    np.testing.assert_allclose(sharded["logits"], expected["logits"], atol=1e-4)
    assert found["step"] == sharded["step"] == expected["step"] == 14  # 83 rows in steps of twelve, twice


@pytest.mark.filterwarnings("ignore:.*made anew:UserWarning", "ignore:.*new:UserWarning")
def test_an_optimiser_of_the_user_s_own_does_in_two_processes_what_it_does_in_one(folder, where, two):
    Several(*where, "one", 1).run("own optimiser")
    found, expected = folder / "own-two", folder / "own-one"
    assert_close(weights(found), weights(expected))
    assert [line.get("learning_rate") for line in log(found)] == [line.get("learning_rate") for line in log(expected)]
    (ours, theirs) = (load_file(one / "checkpoint-12" / "optimizer.safetensors") for one in (found, expected))
    assert ours.keys() == theirs.keys()


def test_what_a_callback_wants_in_one_process_ends_all_of_them(folder, two):
    assert json.loads((folder / "stop-two.json").read_text())["step"] == 5


def test_stopped_and_killed_runs_go_on_in_any_number_of_processes(folder, where, two):
    assert two.stderr.count("Stopped by SIGTERM after step 2 of 7. The same run started again goes on from") == 1
    assert newest_state(folder / "stopped-two").name == "checkpoint-3"
    shutil.move(folder / "stopped-two", folder / "pre-again")
    went_on = forked((2, [*where, "again", "2", "pretrain"]), (3, [*where, "three", "2", "resume sharded"]))
    assert went_on.returncode == 0, went_on.stderr
    expected = weights(folder / "pre-two")
    found = weights(folder / "pre-again")
    assert all((found[name] == expected[name]).all() for name in expected)
    assert log(folder / "pre-again") == log(folder / "pre-two")
    assert_close(weights(folder / "pre-three"), expected)
    Several(*where, "alone", 2).run("pretrain")
    assert_close(weights(folder / "pre-alone"), expected)


def test_shards_of_two_processes_go_on_in_one(folder, where, two):
    shards = (folder / "sharded-pre-two" / "checkpoint-3" / "optimizer").iterdir()
    assert {file.name[:11] for file in shards} == {"shard-00001", "shard-00002"}
    shutil.copytree(folder / "sharded-pre-two" / "checkpoint-3", folder / "sharded-pre-later" / "checkpoint-3")
    Several(*where, "later", 2).run("resume shards")
    assert_close(weights(folder / "sharded-pre-later"), weights(folder / "pre-two"))


def test_batches_are_shared_out_once_each_and_alike_in_tokens():
    tokens = [40, 13, 7, 7, 29, 3, 3]
    for count in (1, 2, 3, 9):
        shares = share(range(7), tokens, count=count)
        assert len(shares) == count
        assert sorted(index for mine in shares for index in mine) == list(range(7))
    loads = [sum(tokens[index] for index in mine) for mine in share(range(7), tokens, count=2)]
    assert max(loads) - min(loads) <= 3


def test_the_batches_of_a_step_have_about_as_many_tokens_and_none_is_lost():
    lengths = np.random.default_rng(0).lognormal(4, 0.8, 997).astype(int) + 1
    batches = [np.arange(start, min(start + 7, 997)) for start in range(0, 997, 7)]

    def tokens(batch):
        return int(lengths[batch].sum())

    for together in (1, 2, 5):
        found = alike(batches, tokens, together=together, seed=1)
        assert sorted(np.concatenate(found).tolist()) == list(range(997))
        steps = [
            [tokens(batch) for batch in found[start : start + together]]
            for start in range(0, 143 // together * together, together)
        ]
        assert np.mean([max(step) / np.mean(step) for step in steps]) < 1.1
        assert [batch.tolist() for batch in alike(batches, tokens, together=together, seed=1)] == [
            batch.tolist() for batch in found
        ]

"""``compare`` from end to end on tiny models and made-up sets, and the settings that it fine-tunes each family with."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from headway.cli.commands.compare import COMMAND
from headway.compress import cells, comparing
from headway.compress.cells import Cell, training_of
from headway.compress.comparing import compare, margin
from headway.errors import ConfigError, DataError
from headway.families import family
from headway.settings.comparison import PRESETS, CompareSettings
from headway.settings.training import TrainSettings

WORDS = ("good", "bad", "great", "awful")
PAIRS = (("dog", 5.0), ("cat", 2.5), ("film", 0.2))


@pytest.fixture(scope="module")
def glue(tmp_path_factory):
    """Two sets of GLUE, one with labels and one with numbers."""
    folder = tmp_path_factory.mktemp("data")
    rows = {
        "sst2": [{"sentence": f"it was {word}", "label": int(word in "good great")} for word in WORDS * 5],
        "stsb": [{"sentence1": "a dog", "sentence2": f"a {word}", "label": score} for word, score in PAIRS * 6],
    }  # fmt: skip
    for name, found in rows.items():
        (folder / "glue" / name).mkdir(parents=True)
        for split, part in (("train", found), ("validation", found[:7])):
            (folder / "glue" / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return folder


@pytest.fixture
def settings(glue, model_folder, tmp_path):
    models = (str(model_folder("base", seed=1)), str(model_folder("base", seed=2, num_hidden_layers=1)))
    usual = {
        "models": models, "data": glue, "tasks": ("sst2", "stsb"), "seeds": (0, 1), "output_dir": str(tmp_path / "out"),
        "train_settings": ("max_steps=2", "bf16=false"), "speed_items": 5, "speed_rounds": 1,
    }  # fmt: skip
    return lambda **changes: CompareSettings(**usual | changes)


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_models_are_fine_tuned_measured_and_timed_side_by_side(settings, capsys):
    made = settings()
    COMMAND.run(made)
    out = capsys.readouterr().out
    assert "| model | parameters | mean score | sst2 | stsb | speed, fp32 | speed, int8 |" in out
    kept = json.loads((Path(made.output_dir) / "comparison.json").read_text())
    first, second = kept["rows"]
    cells_of = [json.loads(path.read_text()) for path in sorted(Path(made.output_dir, "cells").iterdir())]
    assert len(cells_of) == 8
    own = [cell for cell in cells_of if cell["model"] == made.models[0]]
    assert first["score"] == pytest.approx(sum(cell["score"] for cell in own) / 4)
    assert first["speed"] == {"fp32": 1.0, "int8": 1.0}
    assert second["parameters"] < first["parameters"]
    correlations = next(cell for cell in own if cell["task"] == "stsb")
    assert correlations["score"] == pytest.approx((correlations["scores"]["pearson"] + correlations["scores"]["spearman"]) / 2)
    page = (Path(made.output_dir) / "comparison.md").read_text()
    assert "over 2 seeds, ± 95 % by Student's t; all training rows" in page
    assert "Devlin et al., 2019" in page
    assert "over these: max_steps=2 bf16=false" in page


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_a_comparison_that_was_stopped_goes_on_with_what_is_missing(settings, monkeypatch):
    made = settings(tasks=("sst2",), speed_items=0)
    done, real = [], cells.fill

    def stopped(arguments, cell, **named):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(cell)
        return real(arguments, cell, **named)

    monkeypatch.setattr(comparing, "fill", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare(made, progress=False)
    again = []
    monkeypatch.setattr(
        comparing, "fill", lambda arguments, cell, **named: (again.append(cell), real(arguments, cell, **named))[1]
    )
    rows = compare(made, progress=False)
    assert (len(done), len(again)) == (2, 2)
    assert not {*done} & {*again}
    assert rows[0].margin is not None
    compare(made, progress=False)
    assert len(again) == 2


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_a_result_of_other_settings_is_no_result_of_these(settings):
    made = settings(tasks=("sst2",), seeds=(0,), speed_items=0)
    compare(made, progress=False)
    cell = Cell(model=made.models[0], task="sst2", seed=0)
    assert cells.result_of(made, cell) is not None
    assert cells.result_of(settings(tasks=("sst2",), seeds=(0,), train_settings=("max_steps=1",)), cell) is None
    assert cells.result_of(settings(tasks=("sst2",), seeds=(0,), train_limit=3), cell) is None


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_fewer_training_rows_are_the_same_for_all_models(settings):
    made = settings(train_limit=5)
    path = cells.training_file(made, "sst2")
    first = path.read_text()
    assert len(first.splitlines()) == 5
    shutil.rmtree(path.parent)
    assert cells.training_file(made, "sst2").read_text() == first


@pytest.mark.parametrize("name", list(PRESETS))
def test_published_settings_are_settings_of_training_with_a_source(name):
    family(name)
    preset = PRESETS[name]
    known = {field.name for field in fields(TrainSettings)}
    for chosen in (preset.usual, *preset.by_task.values()):
        assert set(chosen) <= known
    TrainSettings.from_dict({"model": "m", "train": "t", "output_dir": "o", **preset.usual})
    assert any(mark in preset.source for mark in ("arXiv", "README"))


def test_roberta_s_settings_are_those_of_its_authors(tmp_path):
    folder = tmp_path / "roberta"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    made = CompareSettings(models=(str(folder),), output_dir="o", train_settings=("adam_beta2=0.9",))
    found = [training_of(made, Cell(model=str(folder), task=task, seed=3)) for task in ("rte", "sst2")]
    assert [one["learning_rate"] for one in found] == [2e-5, 1e-5]
    assert [one["per_device_train_batch_size"] for one in found] == [16, 32]
    assert (found[0]["adam_beta2"], found[0]["seed"], found[0]["num_train_epochs"]) == (0.9, 3, 10.0)


def test_the_margin_is_student_s_interval():
    from scipy import stats

    values = [0.71, 0.74, 0.69, 0.75]
    low, high = stats.t.interval(0.95, 3, loc=0, scale=stats.sem(values))
    assert margin(values, confidence=0.95) == pytest.approx((high - low) / 2, rel=1e-3)
    assert margin([0.7], confidence=0.95) is None


@pytest.mark.parametrize(("given", "said"), [
    ({"models": ("a", "a")}, "models is .* but it names at least one, and each once"),
    ({"seeds": ()}, "seeds is"),
    ({"reference": "b"}, "reference is 'b', which is not among the models"),
    ({"confidence": 0.5}, "intervals are known for 0.9, 0.95 and 0.99"),
])  # fmt: skip
def test_comparisons_that_mean_nothing_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        CompareSettings(**{"models": ("a",), "output_dir": "o", **given})


def test_a_set_without_training_rows_is_named(settings, tmp_path):
    with pytest.raises(DataError, match="holds no train rows of GLUE's rte"):
        cells.training_file(settings(data=tmp_path), "rte")

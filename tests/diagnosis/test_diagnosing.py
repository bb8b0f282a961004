"""A diagnosis from end to end: a tiny model trained on rows of which some have wrong labels and some are too long."""

import json
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from headway.cli.main import main
from headway.diagnosis import diagnose
from headway.diagnosis.runs import Kept, Laboratory
from headway.errors import CheckpointError, ConfigError, DataError
from headway.families import family
from headway.neural import AutoModelForMaskedLM
from headway.settings.diagnosis import DiagnoseSettings
from headway.settings.training import TrainSettings
from headway.text import Tokenizer, train_wordpiece
from headway.training.finetuning import fine_tune

GOOD = "good great fine lovely bright warm funny clever".split()
BAD = "bad awful dull dreary cold slow broken silly".split()
PLANTED, ROWS = 19, 331
STEPS, SHORT = 110, 70


def write(path, count, chance, wrong=0):
    """Rows of which the first ``wrong`` have the other label."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            label = chance.choice(("neg", "pos"))
            words = chance.choices(GOOD if label == "pos" else BAD, k=chance.randint(2, 6))
            said = {"neg": "pos", "pos": "neg"}[label] if number < wrong else label
            file.write(
                json.dumps({"text": f"the story {chance.randint(0, 9999)} was " + " and ".join(words), "label": said}) + "\n"
            )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, chance = tmp_path_factory.mktemp("diagnosed"), random.Random(5)
    write(folder / "train.jsonl", ROWS, chance, wrong=PLANTED)
    write(folder / "valid.jsonl", 59, chance)
    train_wordpiece([folder / "train.jsonl"], vocab_size=120, min_frequency=1, progress=False).save_pretrained(folder / "base")
    torch.manual_seed(5)
    config = family("bert").config().replace(
        vocab_size=len(Tokenizer.from_pretrained(folder / "base")), hidden_size=28, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=37, max_position_embeddings=41,
    )  # fmt: skip
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder / "base")
    settings = TrainSettings(
        model=str(folder / "base"), train=str(folder / "train.jsonl"), valid=str(folder / "valid.jsonl"), max_steps=STEPS,
        output_dir=str(folder / "run"), logging_steps=9, eval_strategy="steps", eval_steps=30, learning_rate=5e-3,
        per_device_train_batch_size=16, dropout=0.0, save_strategy="no", max_length=17, bf16=False,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="made anew"):
        fine_tune(settings, progress=False)
    return folder / "run"


@pytest.fixture(scope="module")
def found(run):
    return diagnose(run, steps=SHORT, folds=3)


def of(found, check, said=""):
    (one,) = (finding for finding in found.findings if finding.check == check and said in str(finding))
    return one


def test_planted_wrong_labels_are_found_by_models_that_had_not_seen_them(found):
    labels = of(found, "labels", "train.jsonl")
    rows = {row["row"] for row in labels.rows}
    assert labels.level == "problem"
    assert len(rows & set(range(1, PLANTED + 1))) / len(rows) >= 0.8
    assert len(rows & set(range(1, PLANTED + 1))) >= 0.9 * PLANTED


def test_what_is_right_is_not_found_wrong(found):
    assert of(found, "labels", "valid.jsonl").level == "fine"
    assert of(found, "class balance").level == "fine"
    assert of(found, "leaks").level == "fine"


def test_rows_that_are_cut_are_counted(found):
    assert "rows are cut" in of(found, "truncation").said
    assert "longer than 17 tokens" in of(found, "truncation").evidence[0]


def test_short_runs_are_kept_and_not_made_again(run, found):
    path = run / "diagnosis" / "figures.json"
    before = path.read_bytes()
    kept = json.loads(before)
    assert [name for name in kept["found"] if name.startswith("fold")] == ["fold 0", "fold 1", "fold 2"]
    kept["found"]["rates"]["seconds"] = 77.0
    path.write_text(json.dumps(kept), encoding="utf-8")
    again = diagnose(run, steps=SHORT, folds=3)
    assert again.figures["seconds_per_step"] == 77.0
    assert again.findings == found.findings
    path.write_bytes(before)


def test_an_interrupted_diagnosis_goes_on_where_it_was(tmp_path):
    path = tmp_path / "figures.json"
    first = Kept(path, "key")
    assert first.once("one", lambda: 7) == 7
    with pytest.raises(KeyboardInterrupt):
        first.once("two", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert Kept(path, "key").once("one", lambda: 9) == 7
    assert Kept(path, "another key").once("one", lambda: 9) == 9


def test_a_word_s_label_goes_with_its_row_though_other_words_were_cut_off(monkeypatch):
    answers = SimpleNamespace(predictions=np.zeros((3, 2, 5)), label_ids=np.array([[4, -100], [0, 2], [-100, -100]]))
    taught = SimpleNamespace(trainer=SimpleNamespace(predict=lambda rows: answers))
    monkeypatch.setattr(Laboratory, "train", lambda self, rows, steps: taught)
    laboratory = Laboratory(settings=None, folder=None, rows=range(6))
    found = laboratory.fold(1, np.array([5, 3, 0, 2, 1, 4]), folds=2, steps=7)  # of rows 3, 2 and 4
    assert (found["rows"], found["labels"]) == ([3, 2, 2], [4, 0, 2])
    assert np.shape(found["chances"]) == (3, 5)


def test_the_command_prints_and_writes_what_was_found(run, found, capsys):
    assert main(["diagnose", str(run), "--minutes", "0"]) == 0
    said = capsys.readouterr().out
    assert "truncation" in said
    assert "learning curve" not in said
    assert (run / "diagnosis" / "report.md").read_text(encoding="utf-8").startswith("# Diagnosis of ")
    assert main(["diagnose", str(run), "--minutes", "0", "--json"]) == 0
    assert {"run", "healthy", "findings", "figures"} == json.loads(capsys.readouterr().out).keys()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no settings\.toml, so it is not what a run of headway train left"):
        diagnose(tmp_path)


def test_data_with_other_labels_than_the_model_s_is_refused(run, tmp_path):
    (tmp_path / "other.csv").write_text("text,label\na,x\nb,y\nc,z\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"other\.csv have the labels x, y, z, but the model in .* has neg, pos\. Give the data that"
    ):
        diagnose(run, str(tmp_path / "other.csv"), minutes=0)


@pytest.mark.parametrize(("name", "value"), [("folds", 1), ("limit", 0), ("steps", 3), ("minutes", -1.0), ("rows", -1)])
def test_settings_that_mean_nothing_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        DiagnoseSettings(run="run", **{name: value})

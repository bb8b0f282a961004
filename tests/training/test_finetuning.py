"""``headway train`` from files: what it refuses before the first step, and the names that its labels get."""

import json
from pathlib import Path

import pytest

from headway.errors import ConfigError, DataError, TaskError
from headway.settings.training import TrainSettings
from headway.training.finetuning import fine_tune


@pytest.fixture
def settings(model_folder, tmp_path, labelled_file):
    """``settings(train=…)``: one step of fine-tuning a tiny model, with these settings changed."""

    def make(**changes):
        usual = {"model": str(model_folder("base")), "train": str(labelled_file), "max_steps": 1, "eval_strategy": "no"}
        return TrainSettings(**{"output_dir": str(tmp_path / "out"), **usual, **changes})

    return make


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_label_names_are_the_model_s_labels(settings, tmp_path):
    numbered = tmp_path / "numbered.csv"
    numbered.write_text("text,label\ngood,1\nbad,0\nfine,1\n", encoding="utf-8")
    made = settings(train=str(numbered), label_names=("schlecht", "gut"))
    fine_tune(made, progress=False)
    assert saved_config(made)["id2label"] == {"0": "schlecht", "1": "gut"}


@pytest.mark.parametrize("names", [("one",), ("one", "two", "three")])
def test_names_for_another_number_of_labels_are_refused(settings, tmp_path, names):
    with pytest.raises(ConfigError, match=rf"label_names has {len(names)} names .*but the data has 2 labels \(neg, pos\)"):
        fine_tune(settings(label_names=names), progress=False)
    assert not (tmp_path / "out" / "config.json").exists()


def test_the_model_that_is_trained_is_never_written_over(settings, model_folder):
    folder = model_folder("base")
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match=r"the folder of the model that is trained, which would be written over\. Name another"):
        fine_tune(settings(model=str(folder), output_dir=f"{folder}/../{folder.name}"), progress=False)
    assert (folder / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("role", ["train", "valid"])
@pytest.mark.parametrize("content", ["", "text,label\n"])
def test_a_file_without_rows_is_refused_by_its_name(settings, tmp_path, role, content):
    empty = tmp_path / "empty.csv"
    empty.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"empty\.csv has no rows, so there is nothing to learn from or to measure"):
        fine_tune(settings(**{role: str(empty)}), progress=False)


def test_dropout_is_the_setting_s(settings):
    made = settings(dropout=0.3)
    with pytest.warns(UserWarning, match="made anew"):
        fine_tune(made, progress=False)
    saved = saved_config(made)
    assert (saved["hidden_dropout_prob"], saved["attention_probs_dropout_prob"]) == (0.3, 0.3)


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_settings_of_the_configuration_can_be_changed(settings):
    made = settings(dropout=0.3, model_settings=("attention_probs_dropout_prob=0.2", "layer_norm_eps=1e-7"))
    fine_tune(made, progress=False)
    saved = saved_config(made)
    assert (saved["hidden_dropout_prob"], saved["attention_probs_dropout_prob"], saved["layer_norm_eps"]) == (0.3, 0.2, 1e-7)


def test_a_task_that_does_not_learn_from_rows_is_refused(settings):
    with pytest.raises(TaskError, match="fill-mask does not learn from labelled rows"):
        fine_tune(settings(task="fill-mask"), progress=False)


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_columns_are_named_by_what_they_hold(settings, labelled_file, tmp_path):
    rows = [json.loads(line) for line in labelled_file.read_text(encoding="utf-8").splitlines()]
    other = tmp_path / "other.jsonl"
    lines = [json.dumps({"verdict": row["label"], "review": row["text"], "text": 7, "label": 7}) for row in rows]
    other.write_text("\n".join(lines), encoding="utf-8")
    named = settings(train=str(other), valid=str(other), column={"text": "review", "label": "verdict"}, eval_strategy="epoch")
    usual = settings(train=str(labelled_file), valid=str(labelled_file), eval_strategy="epoch", output_dir=str(tmp_path / "two"))
    assert named.column == ("text=review", "label=verdict")
    assert fine_tune(named, progress=False)[1] == fine_tune(usual, progress=False)[1]
    assert saved_config(named)["id2label"] == {"0": "neg", "1": "pos"}


@pytest.mark.parametrize(("column", "error", "said"), [
    (("text",), ConfigError, r"'text' does not say which column holds what\. Write ROLE=COLUMN, as in text=review"),
    (("text=nowhere",), DataError, r"There is no column 'nowhere'; the columns are text, label"),
    (("txt=text",), DataError, r"'txt' is nothing that text-classification reads or is measured by\. .* label, text, text_pair"),
])  # fmt: skip
def test_columns_that_are_not_there_are_refused(settings, column, error, said):
    with pytest.raises(error, match=said):
        fine_tune(settings(column=column), progress=False)


def test_a_file_without_the_usual_columns_says_how_to_name_them(settings, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("utterance,verdict\ngood,1\nbad,0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"among the columns utterance, verdict\. Name the one .*: --column label=COLUMN"):
        fine_tune(settings(train=str(path)), progress=False)


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
@pytest.mark.parametrize("role", ["train", "valid"])
def test_a_row_of_a_file_is_called_by_the_file_and_counted_from_one(settings, tmp_path, role):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\ngood,pos\nbad,neg\n,pos\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"Row 3 of .*rows\.csv holds nothing in column 'text', which the model reads"):
        fine_tune(settings(**{role: str(path)}), progress=False)


def test_one_label_for_all_rows_is_refused(settings, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("text,label\ngood,pos\nfine,pos\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"Every row has the label 'pos', so there is nothing to tell apart\. Give rows of two labels\."
    ):
        fine_tune(settings(train=str(path)), progress=False)


def saved_config(settings):
    return json.loads((Path(settings.output_dir) / "config.json").read_text(encoding="utf-8"))

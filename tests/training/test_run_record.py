"""What a run leaves: a folder that repeats it, and a card in which everything was measured."""

import hashlib
import json

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from headway import evaluate, pipeline
from headway.cli._flags import parse
from headway.cli.commands import train as command
from headway.errors import ConfigError
from headway.settings.training import TrainSettings
from headway.tasks.note import noted_options, noted_task, with_task
from headway.training.card import Facts, card, is_hub_name, metadata
from headway.training.curves import Panel, panels, ticks
from headway.training.run_record import draw_curves, processor

pytestmark = pytest.mark.filterwarnings("ignore:.*weights are made anew")
HISTORY = [
    {"step": 3, "loss": 0.9, "learning_rate": 1e-3, "tokens_per_second": 7},
    {"step": 3, "eval_loss": 0.8, "eval_accuracy": 0.6},
    {"step": 5, "loss": float("nan"), "learning_rate": 0.0, "tokens_per_second": 9},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory, tokenizer_folder, labelled_file, text_file):
    """A run from the command line: its settings, and what it said last."""
    from headway.settings.pretraining import PretrainSettings
    from headway.training.pretraining import pretrain

    folder = tmp_path_factory.mktemp("run")
    base = PretrainSettings(
        files=(str(text_file),), tokenizer=str(tokenizer_folder), output_dir=str(folder / "base"), family="bert", hidden_size=28,
        num_hidden_layers=1, max_length=31, max_position_embeddings=41, max_steps=2, tokens_per_batch=512,
    )  # fmt: skip
    pretrain(base, progress=False)
    words = f"--model {folder / 'base'} --train {labelled_file} --valid {labelled_file} --output-dir {folder / 'my run'}"
    return ["train", *words.replace("my run", "my_run").split(), "--max-steps", "5", "--logging-steps", "2", "--max-length", "17"]


@pytest.fixture(scope="module")
def folder(run):
    settings = parse(command.COMMAND, run[1:], program="headway train")
    from headway.training.finetuning import fine_tune

    fine_tune(settings, progress=False)
    from pathlib import Path

    return Path(settings.output_dir)


def test_the_settings_repeat_the_run(run, folder, tmp_path):
    repeated = ["--config", str(folder / "settings.toml"), "--output-dir", str(tmp_path / "again")]
    again = parse(command.COMMAND, repeated, program="headway train")
    assert again == parse(command.COMMAND, [*run[1:], "--output-dir", str(tmp_path / "again")], program="headway train")
    from headway.training.finetuning import fine_tune

    fine_tune(again, progress=False)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_figures_data_and_environment_are_those_of_the_run(folder, labelled_file):
    read = lambda name: json.loads((folder / name).read_text(encoding="utf-8"))  # noqa: E731
    metrics, data, environment = read("metrics.json"), read("data.json"), read("environment.json")
    report = evaluate(folder, labelled_file, resamples=0, precision="fp32", engine="torch")
    assert metrics["scores"]["accuracy"] == pytest.approx(report.scores["accuracy"], abs=0.02)
    assert metrics["training"]["steps"] == 5
    assert data["train"]["sha256"] == hashlib.sha256(labelled_file.read_bytes()).hexdigest()
    assert data["train"]["rows"] == 83
    assert sum(data["train"]["labels"].values()) == 83
    assert data["train"]["labels"].keys() == {"neg", "pos"}
    assert {"headway", "torch", "python", "processor", "cores"} <= environment.keys()
    with Image.open(folder / "curves.png") as picture:
        assert picture.size == (900, 3 * 240)
        assert len(picture.convert("L").getcolors()) > 10


def test_the_card_has_the_hub_s_metadata_and_the_measured_scores(folder):
    found = ModelCard.load(folder / "README.md")
    scores = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["scores"]
    assert found.data.pipeline_tag == "text-classification"
    assert found.data.base_model is None  # a folder here
    assert {result.metric_type: result.metric_value for result in found.data.eval_results} == {
        name: round(value, 6) for name, value in scores.items()
    }
    for said in ("| accuracy |", "![Loss, learning rate", "| neg |", "| max_steps | 5 |", "Measured on 83 rows of train.jsonl"):
        assert said in found.text


def test_the_pipeline_reads_the_task_and_what_it_was_trained_with(folder):
    assert pipeline(model=folder).choose().max_length == 17
    assert pipeline(model=folder, max_length=11).choose().max_length == 11
    assert pipeline("feature-extraction", model=folder).choose().max_length is None


def test_a_card_that_somebody_wrote_stays(folder):
    from headway.settings.training import TrainSettings
    from headway.training.checkpoints import TrainerState
    from headway.training.loop import TrainOutput
    from headway.training.run_record import Record, write_record

    before = (folder / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text("mine", encoding="utf-8")
    from headway.neural import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    settings = TrainSettings(output_dir=str(folder), model="m", train="t")
    record = Record(
        folder=folder, settings=settings, model=model, task="text-classification", state=TrainerState(), scores={}, data={},
        result=TrainOutput(5, 0.1, {"train_runtime": 0.0, "train_steps": 0.0}),
    )  # fmt: skip
    kept = {name: (folder / name).read_text(encoding="utf-8") for name in ("metrics.json", "settings.toml", "data.json")}
    said = write_record(record)
    assert (folder / "README.md").read_text(encoding="utf-8") == "mine"
    assert said == [f"{folder / 'README.md'} is not from Headway, so it was left as it is; remove it for a card of this run"]
    assert json.loads((folder / "metrics.json").read_text())["training"] == json.loads(kept["metrics.json"])["training"]
    (folder / "README.md").write_text(before, encoding="utf-8")
    for name, text in kept.items():
        (folder / name).write_text(text, encoding="utf-8")


def test_the_last_line_says_what_is_where_and_what_comes_next():
    valid = TrainSettings(output_dir="my run", model="m", train="t.csv", valid="v.csv")
    assert command.next_command(valid) == "headway evaluate 'my run' v.csv --worst 10"
    named = TrainSettings(output_dir="my run", model="m", train="t", valid="v.csv", column=("text=my review", "label=stars"))
    assert command.next_command(named) == "headway evaluate 'my run' v.csv --column 'text=my review' label=stars --worst 10"
    assert command.next_command(TrainSettings(output_dir="run", model="m", train="t")) == "headway predict --model run TEXT"


def test_a_card_without_scores_says_so_and_names_a_base_of_the_hub():
    facts = Facts(name="run", task="multiple-choice", family="bert", parameters=7, base="google/electra-small-discriminator")
    assert "None were measured: the run had no validation data." in card(facts)
    assert "base_model: google/electra-small-discriminator" in metadata(facts)
    assert "pipeline_tag" not in metadata(facts)
    assert "- multiple-choice" in metadata(facts)


def test_a_base_is_named_where_it_may_be_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "a" / "folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    names = ("bert-base-uncased", "org/name", "a/folder", "sentiment", "/a/b", None)
    assert [is_hub_name(name) for name in names] == [True, True, False, False, False, False]


def test_curves_are_those_of_what_was_measured_and_finite():
    assert panels(HISTORY) == [
        Panel("loss", {"training": [(3.0, 0.9)], "held-out": [(3.0, 0.8)]}),
        Panel("learning rate", {"rate": [(3.0, 1e-3), (5.0, 0.0)]}),
        Panel("metrics on held-out data", {"accuracy": [(3.0, 0.6)]}),
    ]
    assert panels([{"step": 1, "eval_loss": float("inf")}]) == []


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.31, 0.68, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (0, 3e-4, [0, 1e-4, 2e-4, 3e-4]),
        (2, 2, [2, 2.5, 3, 3.5, 4]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low, high, found):
    assert ticks(low, high) == pytest.approx(found)


def test_what_a_config_notes_of_its_task_is_for_that_task_alone(tiny_config):
    noted = with_task(tiny_config, "text-classification", {"max_length": 7})
    assert (noted_task(noted), noted_options(noted, "text-classification")) == ("text-classification", {"max_length": 7})
    assert noted_options(noted, "reranking") == {}
    assert noted_task(tiny_config) is None
    with pytest.raises(ConfigError, match=r"headway_task is 'x' in config.json, where an object notes the model's task"):
        noted_task(tiny_config.replace(headway_task="x"))


def test_the_processor_is_named_as_the_system_does(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Chip 7\nmodel name\t: B\n")
    assert processor(tmp_path / "cpuinfo") == "A Chip 7"
    assert processor(tmp_path / "none")


def test_what_cannot_be_drawn_is_told_apart_from_nothing_to_draw(tmp_path, monkeypatch):
    assert draw_curves([], tmp_path / "curves.png") is False
    assert not (tmp_path / "curves.png").exists()
    assert draw_curves(HISTORY, tmp_path / "curves.png") is True
    monkeypatch.setattr("headway.training.run_record.importlib.util.find_spec", lambda name: None)
    assert draw_curves(HISTORY, tmp_path / "none.png") is None

"""The models that tasks mean where none is named: shipped, in the Hub's cache, or nowhere to be had."""

import logging
import shutil

import pytest

from headway import pipeline
from headway.checkpoints import shipped_models
from headway.errors import CheckpointError, TaskError
from headway.inference import defaults
from headway.inference.defaults import HUB_MODELS, SHIPPED, HubModel, announce, default_model
from headway.tasks import task, task_names


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """``hub_cache(folder, model)``: the Hub's cache holding the folder's files as that model."""

    def keep(folder, model):
        repository = tmp_path / "hub" / f"models--{model.name.replace('/', '--')}"
        shutil.copytree(folder, repository / "snapshots" / ("5" * 40))
        (repository / "refs").mkdir()
        (repository / "refs" / model.revision).write_text("5" * 40)
        return tmp_path / "hub"

    return keep


@pytest.fixture(autouse=True)
def _nothing_said():
    announce.cache_clear()


@pytest.fixture
def nothing_ships(monkeypatch):
    monkeypatch.setattr(defaults, "shipped_models", dict)


def test_every_default_is_for_a_task_and_pinned():
    assert {*SHIPPED, *HUB_MODELS} <= {*task_names()}
    assert all(model.revision for model in HUB_MODELS.values())
    assert default_model("text-classification") == "sentiment"


def test_a_model_ships_for_a_task_once_its_folder_is_there(monkeypatch, tmp_path):
    assert defaults.shipped_defaults().items() <= SHIPPED.items()
    monkeypatch.setattr(defaults, "shipped_models", lambda: {"ner": tmp_path})
    assert default_model("token-classification") == "ner"
    assert default_model("fill-mask") == HUB_MODELS["fill-mask"]


def test_every_model_that_ships_is_some_tasks_usual_one():
    assert {*shipped_models()} == {*defaults.shipped_defaults().values()}


@pytest.mark.usefixtures("nothing_ships")
def test_a_usual_model_is_taken_from_the_hubs_cache_and_named_once(hub_cache, model_folder, cache, caplog):
    model = HUB_MODELS["fill-mask"]
    folder = hub_cache(model_folder("masked-lm"), model)
    with caplog.at_level(logging.WARNING, "headway"):
        ready = pipeline("fill-mask", cache_dir=folder)
        pipeline("fill-mask", cache_dir=folder)
    assert ready("[MASK] film", top_k=1)[0]["token_str"]
    assert caplog.messages == [
        "No model is named for fill-mask, so distilbert/distilroberta-base at revision fb53ab8 is taken. "
        "Name it (model=…, revision=…) where it has to stay the same."
    ]


def test_a_shipped_model_that_is_often_wrong_says_so_once_where_nobody_asked_for_it(monkeypatch, model_folder, caplog, tmp_path):
    folder = model_folder("question-answering", num_labels=2)
    monkeypatch.setattr(defaults, "shipped_models", lambda: {"questions": folder})
    monkeypatch.setattr("headway.checkpoints.location.shipped_models", lambda: {"questions": folder})
    with caplog.at_level(logging.WARNING, "headway"):
        pipeline("question-answering", model="questions")
        assert not caplog.messages
        assert pipeline("question-answering")(question="Which film?", context="A good film.")["answer"]
        pipeline("question-answering")
    (said,) = caplog.messages
    assert f"It is often wrong: {folder / 'README.md'} says how often." in said
    assert "model='distilbert/distilbert-base-cased-distilled-squad', revision='564e9b5' is better" in said


@pytest.mark.usefixtures("nothing_ships")
def test_a_revision_that_is_named_wins(hub_cache, model_folder, cache, tmp_path):
    folder = hub_cache(model_folder("masked-lm"), HubModel(HUB_MODELS["fill-mask"].name, "v7"))
    assert pipeline("fill-mask", revision="v7", cache_dir=folder).task == "fill-mask"


def test_the_shipped_model_needs_no_network_under_both_names(cache, caplog):
    for name in ("sentiment-analysis", "text-classification"):
        assert pipeline(name)("I love this product!")[0]["label"] == "POSITIVE"
    assert not caplog.messages


@pytest.mark.usefixtures("nothing_ships")
def test_a_usual_model_that_is_nowhere_says_its_name_and_every_way_out(cache, tmp_path):
    with pytest.raises(
        CheckpointError,
        match=r"Without a model fill-mask means distilbert/distilroberta-base at revision fb53ab8\. .*"
        r"hf download distilbert/distilroberta-base --revision fb53ab8\. "
        r"Or name a model of your own: pipeline\('fill-mask', model='folder'\)",
    ):
        pipeline("fill-mask", cache_dir=tmp_path)


def test_a_task_without_a_usual_model_lists_those_that_have_one(monkeypatch):
    monkeypatch.setattr(defaults, "HUB_MODELS", {"fill-mask": HUB_MODELS["fill-mask"]})
    monkeypatch.setattr(defaults, "shipped_models", lambda: {"sentiment": None})
    with pytest.raises(
        TaskError,
        match=r"There is no usual model for feature-extraction, so one has to be named: pipeline\('feature-extraction', "
        r"model='folder or Hub repository'\)\. Tasks that need none: fill-mask, text-classification\.",
    ):
        default_model(task("feature-extraction").name)

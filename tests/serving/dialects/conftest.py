"""Tiny models of every head behind one service, and what ``pipeline()`` answers with each."""

import pytest

from serving.dialects.in_process import Model, PipelineService

HEADS = {
    "mood": ("sequence-classification", ("text-classification",), {"num_labels": 3}),
    "judge": (
        "sequence-classification",
        ("zero-shot-classification", "text-classification"),
        {"num_labels": 3, "id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}},
    ),
    "ranker": ("sequence-classification", ("text-ranking", "text-classification"), {"num_labels": 1}),
    "tagger": ("token-classification", ("token-classification",), {"num_labels": 5}),
    "reader": ("question-answering", ("question-answering",), {"num_labels": 2}),
    "filler": ("masked-lm", ("fill-mask",), {}),
    "org/encoder": ("base", ("sentence-embeddings", "feature-extraction", "sentence-similarity"), {}),
    "chooser": ("multiple-choice", ("multiple-choice",), {}),
    "follower": ("next-sentence", ("next-sentence-prediction",), {}),
}


@pytest.fixture(scope="session")
def models(model_folder):
    """The models by name, each with all tasks that may be asked of it."""
    return {name: Model(name, model_folder(head, **settings), tasks) for name, (head, tasks, settings) in HEADS.items()}


@pytest.fixture
def service(models):
    """All of them behind one service."""
    return PipelineService(list(models.values()))


@pytest.fixture
def serving(models):
    """``serving("mood", "tagger")``: a service of these alone."""
    return lambda *names, **settings: PipelineService([models[name] for name in names], **settings)


@pytest.fixture
def pipe(models):
    """``pipe("mood", "text-classification")``: the pipeline that answers are held to."""
    return lambda name, task=None: models[name].pipe(task or models[name].tasks[0])

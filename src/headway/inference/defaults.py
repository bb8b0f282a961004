"""The model that a task means where none is named."""

import logging
from dataclasses import dataclass
from functools import cache

from headway.checkpoints import shipped_models
from headway.errors import TaskError
from headway.tasks import task_names

SHIPPED = {
    "feature-extraction": "embeddings",
    "fill-mask": "fill-mask",
    "question-answering": "questions",
    "sentence-embeddings": "embeddings",
    "sentence-similarity": "embeddings",
    "text-classification": "sentiment",
    "token-classification": "ner",
}
"""Models inside the package, by task; one that an installation goes without is passed over."""

OFTEN_WRONG = frozenset({"questions"})
"""Those so far behind a larger model that whoever did not ask for them is told so."""


@dataclass(frozen=True)
class HubModel:
    """A model on the Hub, as it was at one commit, so that it stays the same."""

    name: str
    revision: str


HUB_MODELS = {
    "feature-extraction": HubModel("distilbert/distilbert-base-cased", "6ea8117"),
    "fill-mask": HubModel("distilbert/distilroberta-base", "fb53ab8"),
    "question-answering": HubModel("distilbert/distilbert-base-cased-distilled-squad", "564e9b5"),
    "sentence-embeddings": HubModel("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
    "sentence-similarity": HubModel("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
    "text-ranking": HubModel("cross-encoder/ms-marco-MiniLM-L6-v2", "c5ee24cb16019beea0893ab7796b1df96625c6b8"),
    "token-classification": HubModel("dbmdz/bert-large-cased-finetuned-conll03-english", "4c53496"),
    "zero-shot-classification": HubModel("FacebookAI/roberta-large-mnli", "2a8f12d"),
}
"""Those that transformers 4.57 takes, where it has the task; for zero-shot the one that it takes with TensorFlow, since its
other one, facebook/bart-large-mnli, is no encoder."""


def default_model(task: str) -> str | HubModel:
    """The shipped model's name, or the Hub's model; a task without either is a ``TaskError``."""
    shipped = shipped_defaults()
    found = shipped.get(task) or HUB_MODELS.get(task)
    if found is None:
        raise TaskError(
            f"There is no usual model for {task}, so one has to be named: pipeline({task!r}, model='folder or Hub repository'). "
            f"Tasks that need none: {', '.join(name for name in task_names() if name in {**shipped, **HUB_MODELS})}."
        )
    return found


def shipped_defaults() -> dict[str, str]:
    """The shipped model of each task that has one here."""
    here = shipped_models()
    return {task: name for task, name in SHIPPED.items() if name in here}


@cache
def announce(task: str, model: str | HubModel) -> None:
    """Say, once a process, which model is taken where none was named, if it is one of the Hub or one that is often wrong."""
    log = logging.getLogger("headway")
    if isinstance(model, HubModel):
        log.warning(
            "No model is named for %s, so %s at revision %s is taken. Name it (model=…, revision=…) where it has to stay the "
            "same.",
            task,
            model.name,
            model.revision,
        )
    elif model in OFTEN_WRONG:
        larger = HUB_MODELS[task]
        log.warning(
            "No model is named for %s, so the small one that ships is taken. It is often wrong: %s says how often. Where there "
            "is a network, model=%r, revision=%r is better; model=%r takes the small one without a word.",
            task,
            shipped_models()[model] / "README.md",
            larger.name,
            larger.revision,
            model,
        )

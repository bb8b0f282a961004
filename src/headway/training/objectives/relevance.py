"""How a cross-encoder learns to rank: each pair's relevance, as the chance that a single logit tells.

Nogueira and Cho, 2019, arXiv:1901.04085, section 3; the loss is that of sentence-transformers' ``CrossEncoder``.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from headway.errors import ConfigError, DataError
from headway.neural.model import EncoderModel
from headway.tasks import Example
from headway.tasks.ranking_rows import SEVERAL
from headway.training.batch import Batch
from headway.training.objectives.heads import TEXT, Objective, batch_of_texts


def relevance_objective(model: EncoderModel) -> Objective:
    """Binary cross-entropy of the only logit. A model with several is a ``ConfigError``."""
    if model.config.num_labels != 1:
        raise ConfigError(
            f"A cross-encoder learns one score, but the model has {model.config.num_labels} labels "
            f"({', '.join(model.config.id2label.values())}). Load it with num_labels=1."
        )
    model.config = model.config.replace(problem_type=SEVERAL)
    return replace(TEXT, fit=_fitted, class_logits=None)


def _fitted(examples: Sequence[Example]) -> tuple[Objective, list[str]]:
    """The objective for relevances up to the largest of these, which counts as certain."""
    values = [float(example.target[0]) for example in examples]
    least, most = min(values), max(values)
    if least < 0 or least == most:
        raise DataError(
            f"The relevances of train_dataset are {least:g} to {most:g}, but a document that does not answer its query has 0, "
            "and others more. Give rows of both kinds."
        )
    top = max(1.0, most)

    def batch(chosen: Sequence[Example], device: torch.device) -> Batch:
        return batch_of_texts([replace(one, target=(one.target[0] / top,)) for one in chosen], device)

    said = [f"Relevance: 0 to {top:g} is learnt as a chance from 0 to 1."] if top > 1 else []
    return replace(TEXT, batch=batch, fit=_fitted, class_logits=None), said

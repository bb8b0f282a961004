"""Cross-entropy as the arguments want it: with weights for the classes, or with targets that are spread a little."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headway.errors import ConfigError
from headway.neural.losses import IGNORED, class_term
from headway.neural.model import EncoderModel
from headway.settings.training import BALANCED, TrainingArguments
from headway.training.batch import Batch, Count, LossSum, number_of_targets, weighed_targets
from headway.training.objectives.heads import Objective


def loss_for(
    objective: Objective, model: EncoderModel, arguments: TrainingArguments, targets: Sequence[Any]
) -> tuple[LossSum, Count]:
    """The loss of an objective as the arguments want it, and how targets count; ``targets`` are all that will be learnt."""
    if arguments.class_weights is None and not arguments.label_smoothing_factor:
        return objective.loss_sum, number_of_targets
    name = "class_weights" if arguments.class_weights is not None else "label_smoothing_factor"
    classes = [one for target in targets for one in (target if isinstance(target, list) else [target]) if one != IGNORED]
    is_class = model.config.problem_type not in ("regression", "multi_label_classification")
    if objective.class_logits is None or not is_class or not all(isinstance(one, int) for one in classes):
        raise ConfigError(f"{name} is for targets that are one class each, and these are not. Leave it out.")
    weights = class_weights(arguments, classes, labels=list(model.config.id2label.values()))
    return class_loss(objective.class_logits, arguments, None if weights is None else weights.to(model.device))


def class_loss(
    logits: Callable[[EncoderModel, Batch], Tensor], arguments: TrainingArguments, weights_C: Tensor | None
) -> tuple[LossSum, Count]:
    """The loss, and how its targets count: each as its class weighs, so that a step's loss is their weighted mean."""

    def loss_sum(model: EncoderModel, batch: Batch) -> Tensor:
        smoothing = arguments.label_smoothing_factor
        return class_term(logits(model, batch), batch.targets, weights_C=weights_C, smoothing=smoothing).total

    return loss_sum, number_of_targets if weights_C is None else lambda batch: weighed_targets(batch, weights_C)


def class_weights(arguments: TrainingArguments, targets: Sequence[int], *, labels: Sequence[str]) -> Tensor | None:
    """The weight of each class, (labels,): as given, or ``balanced``, by which all classes together weigh the same.

    A class that does not occur weighs 1.
    """
    given = arguments.class_weights
    if given is None:
        return None
    if given == BALANCED:
        counts_C = np.bincount(np.asarray(targets), minlength=len(labels))
        balanced_C = len(targets) / (np.count_nonzero(counts_C) * np.maximum(counts_C, 1))
        return torch.from_numpy(np.where(counts_C == 0, 1.0, balanced_C)).float()
    if len(given) != len(labels) or any(isinstance(weight, str) or weight < 0 for weight in given):
        raise ConfigError(
            f"class_weights is {given}, but there are {len(labels)} labels ({', '.join(labels)}), and each needs a weight of 0 "
            f"or more. Give {len(labels)} numbers, or {BALANCED!r}."
        )
    return torch.tensor(given, dtype=torch.float32)

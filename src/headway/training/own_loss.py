"""A loss of the user's own: ``compute_loss`` of a subclass of ``Trainer``, or ``compute_loss_func``, on padded inputs.

Shapes: B texts, S sequence, C choices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from headway.errors import ConfigError, DataError
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.tasks import Example
from headway.text import Tokenizer
from headway.training.batch import Batch
from headway.training.objectives.heads import Objective

ComputeLoss: TypeAlias = Callable[..., Any]


def with_own_loss(objective: Objective, compute: ComputeLoss, model: EncoderModel, tokenizer: Tokenizer | None) -> Objective:
    """The objective with another loss, which is the mean over a batch's targets.

    ``compute`` is called as transformers calls ``compute_loss``: with the model, the padded inputs under their known names, and
    ``num_items_in_batch``, the targets of this batch, so that a mean and a sum divided by them say the same. Means of batches
    then count by their targets, and the weights are the same however a step is divided.
    """
    pad_id = getattr(tokenizer, "pad_token_id", None) or model.config.get("pad_token_id") or 0

    def loss_sum(model: EncoderModel, batch: Batch) -> Tensor:
        assert batch.inputs is not None
        found = compute(model, dict(batch.inputs), num_items_in_batch=torch.tensor(batch.count, device=model.device))
        return checked(found) * batch.count

    def loss(model: EncoderModel, found: PackedOutputs, batch: Batch) -> Tensor:
        return loss_sum(model, batch)

    def batch(examples: Sequence[Example], device: torch.device) -> Batch:
        return replace(objective.batch(examples, device), inputs=padded(examples, model, pad_id=pad_id, device=device))

    return replace(objective, batch=batch, loss_sum=loss_sum, loss=loss, class_logits=None)


def checked(loss: Any) -> Tensor:
    """The loss, if it is one number that depends on the model."""
    if isinstance(loss, Tensor) and loss.numel() == 1:
        return loss.squeeze()
    found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
    raise ConfigError(
        f"compute_loss returned {found}, but the loss is one number. Return the mean over the batch's targets, and "
        f"outputs beside "
        "it only where return_outputs is true."
    )


def padded(examples: Sequence[Example], model: EncoderModel, *, pad_id: int, device: torch.device) -> dict[str, Tensor]:
    """The examples as transformers' models take them: ids, mask, types where the model has them, and targets."""
    counts = {len(example.sequences) for example in examples}
    if len(counts) > 1:
        raise DataError(
            f"The questions of a batch have {', '.join(map(str, sorted(counts)))} choices, which make no padded array, as your "
            "own loss needs it. Give all questions as many choices, or leave the loss to the model."
        )
    sequences = [sequence for example in examples for sequence in example.sequences]
    ids = _filled([sequence.ids for sequence in sequences], pad_id)
    found = {"input_ids": ids, "attention_mask": _filled([[1] * len(sequence) for sequence in sequences], 0)}
    if model.architecture.encoder.embeddings.token_types:
        found["token_type_ids"] = _filled([sequence.type_ids or [0] * len(sequence) for sequence in sequences], 0)
    if model.head_name == "multiple-choice":
        found = {name: values.view(len(examples), -1, values.shape[1]) for name, values in found.items()}
    return {name: values.to(device) for name, values in (found | _targets(examples, model)).items()}


def _targets(examples: Sequence[Example], model: EncoderModel) -> dict[str, Tensor]:
    targets = [example.target for example in examples]
    match model.head_name:
        case "question-answering":
            first_B, last_B = torch.tensor(targets).unbind(1)
            return {"start_positions": first_B, "end_positions": last_B}
        case "token-classification" | "masked-lm":
            return {"labels": _filled(targets, IGNORED)}
        case _:
            return {"labels": torch.tensor(targets)}


def _filled(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def call_loss_func(function: ComputeLoss, model: Any, inputs: Mapping[str, Tensor], number: Tensor | None) -> tuple[Any, Any]:
    """The loss that ``compute_loss_func`` makes of the outputs and the labels, and the outputs."""
    given = dict(inputs)
    labels = given.pop("labels", None)
    outputs = model(**given)
    return function(outputs, labels, num_items_in_batch=number), outputs

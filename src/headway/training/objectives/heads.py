"""How each head learns: which of a batch's outputs have targets, and what they lose against them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from headway.architecture.family import HeadName
from headway.errors import ConfigError
from headway.neural.losses import IGNORED, answer_terms, class_term
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.neural.packing import Packed, pack
from headway.tasks import Example
from headway.training.batch import Batch, LossSum, text_batch, text_logits, text_loss, token_logits, token_loss


def nothing_beside(folder: Path, model: EncoderModel) -> None:
    """Most models need no files but their own."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a head learns."""

    batch: Callable[[Sequence[Example], torch.device], Batch]
    """The examples as one packed batch with targets."""
    loss_sum: LossSum
    """The loss, summed over targets; outputs that have no target need not be computed."""
    loss: Callable[[EncoderModel, PackedOutputs, Batch], Tensor]
    """The same from all outputs."""
    class_logits: Callable[[EncoderModel, Batch], Tensor] | None = None
    """The scores of all classes for each target, where targets are classes that have names."""
    fit: Callable[[Sequence[Example]], "tuple[Objective, list[str]]"] | None = None
    """The objective for all rows that will be learnt, and what they told of it, in words; rows that do not fit are an error."""
    write: Callable[[Path, EncoderModel], None] = nothing_beside
    """Writes what belongs beside the model's own files."""
    has_logits: bool = True
    """Whether what is learnt are logits of each row, which can be predicted and measured without the task."""


def objective_of(head: HeadName) -> Objective:
    """How a head learns; one that does not learn from labelled rows is a ``ConfigError``."""
    if head not in OBJECTIVES:
        raise ConfigError(
            f"The model has the head {head!r}, which does not learn from labelled rows. Load the checkpoint with one of the "
            f"heads {', '.join(OBJECTIVES)}, for example with AutoModelForSequenceClassification; or train its vectors with "
            "task='sentence-embeddings'."
        )
    return OBJECTIVES[head]


def pack_examples(examples: Sequence[Example], device: torch.device) -> Packed:
    """The sequences of all examples as one packed batch."""
    return pack([sequence for example in examples for sequence in example.sequences], device=device)


def batch_of_texts(examples: Sequence[Example], device: torch.device) -> Batch:
    """A target a text: a class, a number, or 0 or 1 for each label."""
    return text_batch([example.sequences[0] for example in examples], [example.target for example in examples], device=device)


def batch_of_tokens(examples: Sequence[Example], device: torch.device) -> Batch:
    """A class for each token that has one."""
    packed = pack_examples(examples, device)
    order = packed.order_B.tolist()
    return with_token_targets(packed, torch.tensor([one for index in order for one in examples[index].target], device=device))


def with_token_targets(packed: Packed, targets_T: Tensor) -> Batch:
    """A batch with a target for each of its tokens that is not ``IGNORED``."""
    places = (targets_T != IGNORED).nonzero().squeeze(-1)
    return Batch(packed, places, targets_T[places])


def batch_of_answers(examples: Sequence[Example], device: torch.device) -> Batch:
    """The first and the last token of each text's answer."""
    packed = pack_examples(examples, device)
    return with_answers(packed, torch.tensor([example.target for example in examples], device=device)[packed.order_B])


def with_answers(packed: Packed, targets_B2: Tensor) -> Batch:
    """A batch of the answers that lie in their text; others are not learnt."""
    lengths_B = torch.tensor(packed.lengths, device=packed.device)
    inside_B = ((targets_B2 >= 0) & (targets_B2 < lengths_B[:, None])).all(1)
    return Batch(packed, packed.first_B[inside_B], targets_B2[inside_B])


def batch_of_choices(examples: Sequence[Example], device: torch.device) -> Batch:
    """The right one of each question's choices, which are a text each."""
    packed, targets = pack_examples(examples, device), torch.tensor([example.target for example in examples], device=device)
    return with_choices(packed, [len(example.sequences) for example in examples], targets)


def with_choices(packed: Packed, counts: Sequence[int], targets_Q: Tensor) -> Batch:
    """A batch of questions that have so many of the texts each, in the caller's order."""
    text_B = packed.unsorted(torch.arange(len(packed.lengths), device=packed.device))
    rows = torch.nn.utils.rnn.pad_sequence(list(text_B.split(list(counts))), batch_first=True, padding_value=-1)
    return Batch(packed, rows, targets_Q)


def answer_loss(model: EncoderModel, found: PackedOutputs, batch: Batch) -> Tensor:
    """Cross-entropy over each text's tokens, summed over both ends of all answers."""
    packed = batch.packed
    text_B = torch.full_like(packed.first_B, IGNORED)
    ends = [text_B.masked_scatter(torch.isin(packed.first_B, batch.places), targets_B) for targets_B in batch.targets.T]
    terms = answer_terms([found.tokens["start_logits"], found.tokens["end_logits"]], ends, packed)
    return terms[0].total + terms[1].total


def choice_loss(model: EncoderModel, found: PackedOutputs, batch: Batch) -> Tensor:
    """Cross-entropy over each question's choices."""
    logits_B = found.texts["logits"].squeeze(-1).float()
    lowest = torch.finfo(logits_B.dtype).min
    logits_QC = logits_B[batch.places.clamp(min=0)].masked_fill(batch.places < 0, lowest)
    return class_term(logits_QC, batch.targets).total


def _of_texts(model: EncoderModel, found: PackedOutputs, batch: Batch) -> Tensor:
    return model.loss_sum(found.texts["logits"], batch.targets)


def _of_tokens(model: EncoderModel, found: PackedOutputs, batch: Batch) -> Tensor:
    return model.loss_sum(found.tokens["logits"][batch.places], batch.targets)


def _from_outputs(loss: Callable[[EncoderModel, PackedOutputs, Batch], Tensor]) -> LossSum:
    def loss_sum(model: EncoderModel, batch: Batch) -> Tensor:
        return loss(model, model.predict(model.encode(batch.packed), batch.packed), batch)

    return loss_sum


TEXT = Objective(batch=batch_of_texts, loss_sum=text_loss, loss=_of_texts, class_logits=text_logits)
TOKEN = Objective(batch=batch_of_tokens, loss_sum=token_loss, loss=_of_tokens, class_logits=token_logits)
ANSWER = Objective(batch=batch_of_answers, loss_sum=_from_outputs(answer_loss), loss=answer_loss)
CHOICE = Objective(batch=batch_of_choices, loss_sum=_from_outputs(choice_loss), loss=choice_loss)

OBJECTIVES: dict[HeadName, Objective] = {
    "sequence-classification": TEXT,
    "next-sentence": TEXT,
    "token-classification": TOKEN,
    "masked-lm": TOKEN,
    "question-answering": ANSWER,
    "multiple-choice": CHOICE,
}

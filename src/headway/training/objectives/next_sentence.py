"""Masked language modelling together with next sentences. Devlin et al., 2019, arXiv:1810.04805, section 3.1 and appendix A.2."""

import numpy as np
from torch import Tensor

from headway.neural.heads import MaskedLanguageModel
from headway.neural.large_vocabulary import masked_lm_loss
from headway.neural.losses import class_term
from headway.neural.model import EncoderModel
from headway.training.batch import Batch
from headway.training.corpus import Corpus
from headway.training.objectives.masked_lm import token_scores
from headway.training.pairs import Drawing, Pairs, next_sentences
from headway.training.pretraining_objective import PretrainingObjective, Sums


def pairs(corpus: Corpus, chosen: np.ndarray, max_length: int, random: np.random.Generator) -> Pairs:
    """Pairs of segments, of which half follow one another."""
    return next_sentences(corpus, chosen, Drawing(max_length=max_length), random)


def loss_sum(model: EncoderModel, batch: Batch) -> Tensor:
    """Cross-entropy summed over masked tokens, and as often the mean over pairs: divided by the tokens, both are means."""
    states_TD = model.encode(batch.packed)
    masked = masked_lm_loss(model, states_TD[batch.places], batch.targets)
    assert batch.pair_labels is not None
    judged = class_term(pair_logits(model, states_TD, batch), batch.pair_labels)
    return masked + judged.total * batch.per_text


def pair_logits(model: EncoderModel, states_TD: Tensor, batch: Batch) -> Tensor:
    """The judgement of each pair, (texts, 2), in packed order."""
    assert isinstance(model.head, MaskedLanguageModel)
    return model.head.judge_pairs(model.pool(states_TD, batch.packed))


def scores(model: EncoderModel, batch: Batch) -> Sums:
    """Loss and accuracy of masked tokens, and those of pairs."""
    states_TD = model.encode(batch.packed)
    assert batch.pair_labels is not None
    logits = pair_logits(model, states_TD, batch)
    right, count = float((logits.argmax(-1) == batch.pair_labels).sum()), float(len(logits))
    of_pairs = {"pair_loss": (float(class_term(logits, batch.pair_labels).total), count), "pair_accuracy": (right, count)}
    return {**token_scores(model, states_TD, batch), **of_pairs}


PRETRAINING = PretrainingObjective(
    head="pretraining", examples=pairs, loss_sum=loss_sum, scores=scores, reads_sentences=True, changes=True
)

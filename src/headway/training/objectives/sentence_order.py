"""Masked language modelling together with the order of two segments. Lan et al., 2020, arXiv:1909.11942, section 3.1."""

import numpy as np

from headway.training.corpus import Corpus
from headway.training.objectives.next_sentence import loss_sum, scores
from headway.training.pairs import Drawing, Pairs, sentence_orders
from headway.training.pretraining_objective import PretrainingObjective


def pairs(corpus: Corpus, chosen: np.ndarray, max_length: int, random: np.random.Generator) -> Pairs:
    """Pairs of segments that follow one another, half of them with their order changed."""
    return sentence_orders(corpus, chosen, Drawing(max_length=max_length), random)


PRETRAINING = PretrainingObjective(
    head="pretraining", examples=pairs, loss_sum=loss_sum, scores=scores, reads_sentences=True, changes=True
)

"""Masked language modelling. Devlin et al., 2019, arXiv:1810.04805, section 3.1."""

import numpy as np
from torch import Tensor

from headway.neural.large_vocabulary import best_tokens, masked_lm_loss
from headway.neural.model import EncoderModel
from headway.training.batch import Batch
from headway.training.corpus import Corpus
from headway.training.pieces import Pieces
from headway.training.pretraining_objective import PretrainingObjective, Sums


def pieces(corpus: Corpus, chosen: np.ndarray, max_length: int, random: np.random.Generator) -> Pieces:
    """Consecutive pieces of documents."""
    return corpus.pieces(max_length=max_length).of_documents(chosen)


def loss_sum(model: EncoderModel, batch: Batch) -> Tensor:
    """Cross-entropy summed over the masked tokens; scores of no other token are computed."""
    return masked_lm_loss(model, model.encode(batch.packed).index_select(0, batch.places), batch.targets)


def scores(model: EncoderModel, batch: Batch) -> Sums:
    """The loss, and how many masked tokens are found."""
    return token_scores(model, model.encode(batch.packed), batch)


def token_scores(model: EncoderModel, states_TD: Tensor, batch: Batch) -> Sums:
    """The same from the encoder's states."""
    states_TD = states_TD[batch.places]
    right = (best_tokens(model, states_TD) == batch.targets).sum()
    loss = masked_lm_loss(model, states_TD, batch.targets)
    return {"loss": (float(loss), batch.count), "accuracy": (float(right), batch.count)}


PRETRAINING = PretrainingObjective(head="masked-lm", examples=pieces, loss_sum=loss_sum, scores=scores)

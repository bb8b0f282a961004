"""What stands on an encoder: the pooler and the task heads, on packed tokens.

Shapes: T tokens of all texts, B texts, D hidden, C labels, V vocabulary.
"""

import torch
from torch import Tensor, nn

from headway.architecture import Head, MaskedLanguageModelHead, Pooler, SequenceClassificationHead
from headway.neural.layers import ACTIVATIONS


class FirstTokenPooler(nn.Module):
    """The first token through a linear map and an activation (Devlin et al., 2019, section 3.1)."""

    def __init__(self, parts: Pooler, hidden_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.activation = ACTIVATIONS[parts.transform.activation]

    def forward(self, first_BD: Tensor) -> Tensor:
        """One vector a text, (texts, hidden)."""
        return self.activation(self.dense(first_BD))


class SequenceClassifier(nn.Module):
    """One score a label from the pooled vector."""

    def __init__(self, parts: SequenceClassificationHead, hidden_size: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(parts.dropout)
        self.classifier = nn.Linear(hidden_size, parts.num_labels)

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Logits, (texts, labels)."""
        return self.classifier(self.dropout(pooled_BD))


class TiedDecoder(nn.Module):
    """Scores against the token embeddings, with a bias of its own."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, states_TD: Tensor, table_VD: Tensor) -> Tensor:
        """Logits, (tokens, vocabulary)."""
        return nn.functional.linear(states_TD, table_VD, self.bias)


class MaskedLanguageModel(nn.Module):
    """One score a vocabulary entry for each token (Devlin et al., 2019, section 3.1)."""

    def __init__(self, parts: MaskedLanguageModelHead, hidden_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        assert parts.transform.norm is not None
        self.norm = nn.LayerNorm(hidden_size, eps=parts.transform.norm.eps)
        self.decoder = TiedDecoder(parts.vocab_size)
        self.activation = ACTIVATIONS[parts.transform.activation]

    def forward(self, states_TD: Tensor, table_VD: Tensor) -> Tensor:
        """Logits, (tokens, vocabulary)."""
        return self.decoder(self.norm(self.activation(self.dense(states_TD))), table_VD)


def make_head(parts: Head, hidden_size: int) -> SequenceClassifier | MaskedLanguageModel:
    """The module for a head's description."""
    match parts:
        case SequenceClassificationHead():
            return SequenceClassifier(parts, hidden_size)
        case MaskedLanguageModelHead():
            return MaskedLanguageModel(parts, hidden_size)
        case _:
            raise NotImplementedError(parts)

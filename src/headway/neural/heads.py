"""What stands on an encoder: the pooler and the task heads, on packed tokens.

Shapes: T tokens of all texts, B texts, D hidden, C labels, V vocabulary, E width of token vectors.
"""

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headway.architecture import (
    Head,
    MaskedLanguageModelHead,
    MultipleChoiceHead,
    NextSentenceHead,
    Pooler,
    PreTrainingHead,
    QuestionAnsweringHead,
    ReplacedTokenHead,
    SequenceClassificationHead,
    TokenClassificationHead,
)
from headway.neural.dropout import FastDropout
from headway.neural.norms import activation_of, make_norm, make_transform
from headway.neural.packing import Packed


class TextPooler(nn.Module):
    """One vector a text: its first token's or the mean of all, through a linear map and an activation."""

    def __init__(self, parts: Pooler, hidden_size: int) -> None:
        super().__init__()
        self.takes_mean = parts.pooling == "mean"
        self.dropout = FastDropout(parts.dropout)
        self.dense, self.norm = make_transform(parts.transform, hidden_size)
        self.activation = activation_of(parts.transform)

    def forward(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """The pooled vectors, (texts, hidden), in packed order."""
        pooled_BD = mean_of_texts(states_TD, packed) if self.takes_mean else states_TD.index_select(0, packed.first_B)
        return self.norm(self.activation(self.dense(self.dropout(pooled_BD))))


class TextClassifier(nn.Module):
    """One score a label from the pooled vector."""

    def __init__(self, parts: SequenceClassificationHead | MultipleChoiceHead, hidden_size: int) -> None:
        super().__init__()
        self.dropout = FastDropout(parts.dropout)
        if isinstance(parts, SequenceClassificationHead):
            self.classifier = nn.Linear(hidden_size, parts.num_labels, bias=parts.bias)
        else:
            self.classifier = nn.Linear(hidden_size, 1)

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Logits, (texts, labels)."""
        return self.classifier(self.dropout(pooled_BD))


class NextSentenceClassifier(nn.Module):
    """Two scores from the pooled vector: the second text follows the first, or it does not."""

    def __init__(self, parts: NextSentenceHead, hidden_size: int) -> None:
        super().__init__()
        self.dropout = FastDropout(parts.dropout)
        self.next_sentence = nn.Linear(hidden_size, 2)

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Logits, (texts, 2)."""
        return self.next_sentence(self.dropout(pooled_BD))


class TokenClassifier(nn.Module):
    """One score a label for each token; the two of question answering are those of the answer's first and last token."""

    def __init__(self, parts: TokenClassificationHead | QuestionAnsweringHead, hidden_size: int) -> None:
        super().__init__()
        self.dense, self.norm = make_transform(parts.transform, hidden_size)
        self.activation = activation_of(parts.transform)
        self.dropout = FastDropout(parts.dropout)
        width = hidden_size if parts.transform is None else parts.transform.size
        labels = parts.num_labels if isinstance(parts, TokenClassificationHead) else 2
        self.classifier = nn.Linear(width, labels, bias=parts.bias)

    def forward(self, states_TD: Tensor) -> Tensor:
        """Logits, (tokens, labels)."""
        return self.classifier(self.dropout(self.norm(self.activation(self.dense(states_TD)))))


class TiedDecoder(nn.Module):
    """The bias of scores against the token embeddings, which are the rest of it."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, states_TE: Tensor, table_VE: Tensor) -> Tensor:
        """Logits, (tokens, vocabulary)."""
        return F.linear(states_TE, table_VE, self.bias)


class MaskedLanguageModel(nn.Module):
    """One score a vocabulary entry for each token and, where it was learnt together, a judgement of each pair of texts."""

    def __init__(
        self, parts: MaskedLanguageModelHead, hidden_size: int, *, next_sentence: NextSentenceHead | None = None
    ) -> None:
        super().__init__()
        self.dense, self.norm = make_transform(parts.transform, hidden_size)
        self.activation = activation_of(parts.transform)
        if parts.bias:
            self.decoder = TiedDecoder(parts.vocab_size)
        self.has_bias = parts.bias
        if next_sentence is not None:
            self.dropout = FastDropout(next_sentence.dropout)
            self.next_sentence = nn.Linear(hidden_size, 2)

    def forward(self, states_TD: Tensor, table_VE: Tensor) -> Tensor:
        """Logits, (tokens, vocabulary)."""
        changed_TE = self.norm(self.activation(self.dense(states_TD)))
        return self.decoder(changed_TE, table_VE) if self.has_bias else F.linear(changed_TE, table_VE)

    def judge_pairs(self, pooled_BD: Tensor) -> Tensor:
        """Logits, (texts, 2): follows, or does not."""
        return self.next_sentence(self.dropout(pooled_BD))


class ReplacedTokenDetector(nn.Module):
    """One score a token: above zero where it was replaced (Clark et al., 2020, arXiv:2003.10555)."""

    def __init__(self, parts: ReplacedTokenHead, hidden_size: int) -> None:
        super().__init__()
        self.sees_first = parts.first_norm is not None
        self.first_norm = make_norm(parts.first_norm, hidden_size)
        self.dense, self.norm = make_transform(parts.transform, hidden_size)
        self.activation = activation_of(parts.transform)
        self.classifier = nn.Linear(parts.transform.size, 1)

    def forward(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """Logits, (tokens,)."""
        if self.sees_first:
            first_TD = states_TD.index_select(0, packed.first_B).index_select(0, packed.text_numbers())
            states_TD = self.first_norm(first_TD + states_TD)
        return self.classifier(self.norm(self.activation(self.dense(states_TD)))).squeeze(-1)


HeadModule: TypeAlias = TextClassifier | NextSentenceClassifier | TokenClassifier | MaskedLanguageModel | ReplacedTokenDetector


def make_head(parts: Head, hidden_size: int) -> HeadModule:
    """The module for a head's description."""
    match parts:
        case SequenceClassificationHead() | MultipleChoiceHead():
            return TextClassifier(parts, hidden_size)
        case NextSentenceHead():
            return NextSentenceClassifier(parts, hidden_size)
        case TokenClassificationHead() | QuestionAnsweringHead():
            return TokenClassifier(parts, hidden_size)
        case MaskedLanguageModelHead():
            return MaskedLanguageModel(parts, hidden_size)
        case PreTrainingHead():
            return MaskedLanguageModel(parts.masked_lm, hidden_size, next_sentence=parts.next_sentence)
        case ReplacedTokenHead():
            return ReplacedTokenDetector(parts, hidden_size)


def mean_of_texts(states_TD: Tensor, packed: Packed) -> Tensor:
    """The average of each text's tokens, (texts, hidden), in packed order."""
    sums_BD = states_TD.new_zeros(len(packed.lengths), states_TD.shape[1]).index_add(0, packed.text_numbers(), states_TD)
    return sums_BD / packed.text_lengths[:, None]

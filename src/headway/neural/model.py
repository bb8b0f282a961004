"""A whole model: packed inside, ``(batch, sequence)`` at the border, under the names that people know from Hugging Face.

Shapes: T tokens of all texts, B texts, S sequence, D hidden, C labels, V vocabulary.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headway.architecture import Architecture, ModelConfig
from headway.architecture.family import HeadName
from headway.core.outputs import ModelOutput
from headway.errors import InputError
from headway.neural.heads import FirstTokenPooler, MaskedLanguageModel, SequenceClassifier, make_head
from headway.neural.layers import EncoderLayer, TokenEmbeddings
from headway.neural.packing import Packed, assemble, longest_first

IGNORED = -100
"""The label of a token that has no target."""


class EncoderModel(nn.Module):
    """An encoder with at most one head. Parameters carry Headway's names; ``save_pretrained`` writes the Hub's."""

    def __init__(self, config: ModelConfig, architecture: Architecture, head_name: HeadName) -> None:
        super().__init__()
        encoder = architecture.encoder
        self.config = config
        self.architecture = architecture
        self.head_name = head_name
        self.embeddings = TokenEmbeddings(encoder.embeddings, encoder.hidden_size)
        self.layers = nn.ModuleList(EncoderLayer(layer, encoder.hidden_size) for layer in encoder.layers)
        self.pooler = None if architecture.pooler is None else FirstTokenPooler(architecture.pooler, encoder.hidden_size)
        self.head = None if architecture.head is None else make_head(architecture.head, encoder.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embeddings.token.weight.device

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """Padded arrays in, padded arrays out; no padding is computed in between.

        All inputs are (batch, sequence). The base model gives ``last_hidden_state`` (batch, sequence, hidden), zeros where
        nothing is attended, and ``pooler_output`` (batch, hidden). A classifier gives ``logits`` (batch, labels), a masked LM
        (batch, sequence, vocabulary). With ``labels``, ``loss`` comes first: a mean over targets.
        """
        packed, place_T = pack_padded(input_ids, attention_mask, token_type_ids, limit=self.embeddings.position.num_embeddings)
        states_TD = self.encode(packed)
        if self.head is None:
            pooled = None if self.pooler is None else packed.unsorted(self.pool(states_TD, packed))
            return ModelOutput(last_hidden_state=_unpack(states_TD, place_T, input_ids.shape), pooler_output=pooled)
        if isinstance(self.head, SequenceClassifier):
            logits = packed.unsorted(self.classify(states_TD, packed))
        else:
            logits = _unpack(self.predict_tokens(states_TD), place_T, input_ids.shape)
        loss = None if labels is None else self._mean_loss(logits, labels)
        return ModelOutput(loss=loss, logits=logits)

    def encode(self, packed: Packed) -> Tensor:
        """The last layer's tokens, (tokens, hidden), in packed order."""
        states_TD = self.embeddings(packed)
        for layer in self.layers:
            states_TD = layer(states_TD, packed)
        return states_TD

    def pool(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """One vector a text from its first token, (texts, hidden), in packed order."""
        assert isinstance(self.pooler, FirstTokenPooler)
        return self.pooler(states_TD[packed.first_B])

    def classify(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """Label scores, (texts, labels), in packed order."""
        assert isinstance(self.head, SequenceClassifier)
        return self.head(self.pool(states_TD, packed))

    def predict_tokens(self, states_TD: Tensor) -> Tensor:
        """Vocabulary scores of the tokens given, (tokens, vocabulary)."""
        assert isinstance(self.head, MaskedLanguageModel)
        return self.head(states_TD, self.embeddings.token.weight)

    def loss_sum(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss summed over targets.

        Cross-entropy, squared error for regression, binary cross-entropy for several labels a text.
        """
        problem = self._problem(targets)
        if problem == "regression":
            return F.mse_loss(logits.float().squeeze(-1), targets.float().view_as(logits.squeeze(-1)), reduction="sum")
        if problem == "multi_label_classification":
            return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="sum")
        return F.cross_entropy(
            logits.float().view(-1, logits.shape[-1]), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` under the Hub's names; transformers loads the folder."""
        from headway.checkpoints import save_checkpoint

        save_checkpoint(folder, config=self.config, head=self.head_name, weights=self.arrays())

    def arrays(self) -> dict[str, np.ndarray]:
        """All weights in float32 under Headway's names."""
        return {name: tensor.detach().float().cpu().numpy() for name, tensor in self.state_dict().items()}

    def _problem(self, targets: Tensor) -> str:
        if not isinstance(self.head, SequenceClassifier):
            return "single_label_classification"
        if self.config.problem_type is not None:
            return self.config.problem_type
        if self.config.num_labels == 1:
            return "regression"
        return "multi_label_classification" if targets.is_floating_point() else "single_label_classification"

    def _mean_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        count = labels.numel() if labels.is_floating_point() else int((labels != IGNORED).sum())
        return self.loss_sum(logits, labels) / max(1, count)


def pack_padded(
    input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None, *, limit: int
) -> tuple[Packed, Tensor]:
    """The attended tokens as a packed batch, and each one's place in the flattened (batch, sequence).

    A token keeps the position of its column, so masks with holes and padding on the left mean what they mean to transformers.
    """
    if input_ids.dim() != 2:
        raise InputError(
            f"input_ids has shape {tuple(input_ids.shape)}; it must be (batch, sequence). Add the missing dimension."
        )
    B, S = input_ids.shape
    if limit < S:
        raise InputError(
            f"The batch is {S} tokens long, but this model has position vectors for {limit}. Tokenize with "
            f"truncation=True, max_length={limit}."
        )
    keep_BS = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
    lengths = keep_BS.sum(1).tolist()
    order = longest_first(lengths)
    slots_BS = torch.arange(B * S, device=input_ids.device).view(B, S)
    place_T = torch.cat([slots_BS[index][keep_BS[index]] for index in order])
    types_T = torch.zeros_like(place_T) if token_type_ids is None else token_type_ids.flatten()[place_T]
    packed = assemble(
        input_ids.flatten()[place_T],
        types_T,
        place_T % S,
        order=order,
        lengths=[lengths[index] for index in order],
        device=input_ids.device,
    )
    return packed, place_T


def _unpack(values_TX: Tensor, place_T: Tensor, shape: torch.Size) -> Tensor:
    flat = values_TX.new_zeros((shape[0] * shape[1], values_TX.shape[-1]))
    return flat.index_copy(0, place_T, values_TX).view(shape[0], shape[1], -1)

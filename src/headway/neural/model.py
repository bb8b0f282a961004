"""A whole model: packed inside, ``(batch, sequence)`` at the border, under the names that people know from Hugging Face.

Shapes: T tokens of all texts, B texts, S sequence, D hidden, C labels, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from headway.architecture import (
    Architecture,
    ModelConfig,
    MultipleChoiceHead,
    PreTrainingHead,
    QuestionAnsweringHead,
    SequenceClassificationHead,
)
from headway.architecture.family import HeadName
from headway.core.outputs import ModelOutput
from headway.neural.arguments import INPUTS, Range, check_tensors, in_long
from headway.neural.attention import Weights
from headway.neural.border import pack_padded, rows_of_choices
from headway.neural.context import Context, make_context
from headway.neural.embeddings import TokenEmbeddings
from headway.neural.heads import (
    MaskedLanguageModel,
    NextSentenceClassifier,
    ReplacedTokenDetector,
    TextClassifier,
    TextPooler,
    TokenClassifier,
    make_head,
)
from headway.neural.layers import EmbeddingConvolution, EncoderLayer
from headway.neural.losses import class_term, mean_loss, text_term
from headway.neural.norms import make_norm
from headway.neural.outputs import Encoded, PackedOutputs, Padding
from headway.neural.packing import Packed
from headway.neural.pretrained import PretrainedModel
from headway.neural.relative import RelativeTable
from headway.neural.targets import checked, loss_terms, ranges


class EncoderModel(PretrainedModel):
    """An encoder with at most one head. Parameters carry Headway's names; ``save_pretrained`` writes the Hub's."""

    def __init__(self, config: ModelConfig, architecture: Architecture, head_name: HeadName) -> None:
        super().__init__()
        encoder, width = architecture.encoder, architecture.encoder.hidden_size
        self.config = config
        self.architecture = architecture
        self.head_name = head_name
        self.embeddings = TokenEmbeddings(encoder.embeddings, width)
        self.relative = None if encoder.table is None else RelativeTable(encoder.table, encoder)
        self.layers = nn.ModuleList(EncoderLayer(layer, width) for layer in encoder.layers)
        self.convolution = None if encoder.convolution is None else EmbeddingConvolution(encoder.convolution, width)
        self.final_norm = make_norm(encoder.final_norm, width)
        self.pooler = None if architecture.pooler is None else TextPooler(architecture.pooler, width)
        self.head = None if architecture.head is None else make_head(architecture.head, width)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        *,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **targets: Any,
    ) -> ModelOutput | tuple[Any, ...]:
        """Padded arrays in, padded arrays out; no padding is computed in between.

        Inputs are (batch, sequence), or (batch, choices, sequence) for multiple choice. Outputs have transformers' names and
        shapes. Where nothing is attended they are zero, attention weights too, but the logits of question answering are the
        lowest number there is, so that no padding is ever an answer.

        Targets are ``labels``; for question answering ``start_positions`` and ``end_positions``; for pre-training ``labels`` and
        ``next_sentence_label``. With them ``loss`` comes first: a mean over targets. Those on a token that is not attended do
        not count. The three switches default to the configuration's.
        """
        wanted = checked(self.architecture.head, targets)
        arrays: tuple[Tensor | None, ...] = (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        check_tensors(dict(zip(INPUTS, arrays, strict=True)) | wanted, self.embeddings.token.weight.device)
        wanted, given = in_long(wanted), input_ids if input_ids is not None else inputs_embeds
        if isinstance(self.architecture.head, MultipleChoiceHead):
            arrays = rows_of_choices(arrays)
        packed, padding = pack_padded(*arrays, embeddings=self.embeddings, targets=self._ranges(wanted, given))
        encoded = self.run(
            packed,
            wants_weights=self._switch("output_attentions", output_attentions),
            wants_hidden=self._switch("output_hidden_states", output_hidden_states),
        )
        found = self.predict(encoded.states_TD, packed)
        output = ModelOutput(
            loss=self._loss(found, wanted, padding) if wanted else None,
            **self._padded(found, padding, given),
            hidden_states=None if encoded.hidden is None else tuple(map(padding.tokens, encoded.hidden)),
            attentions=None if encoded.weights is None else padding.weights(encoded.weights, encoded.groups),
        )
        return output if self._switch("return_dict", return_dict, default=True) else output.to_tuple()

    def encode(self, packed: Packed) -> Tensor:
        """The last layer's tokens, (tokens, hidden), in packed order."""
        return self.run(packed).states_TD

    def run(
        self, packed: Packed, *, wants_weights: bool = False, wants_scores: bool = False, wants_hidden: bool = False
    ) -> Encoded:
        """The encoder over a packed batch, with the states before and after each step and attention weights where wanted.

        With ``wants_scores`` the scores that the weights are made of stand in their place.
        """
        wants_weights |= wants_scores
        encoder = self.architecture.encoder
        context = make_context(encoder, packed, self.relative, wants_weights=wants_weights, wants_scores=wants_scores)
        embedded_TD = states_TD = self.embeddings(packed)
        hidden, weights = [states_TD] if wants_hidden else [], []
        for step, number in enumerate(encoder.steps):
            states_TD, found = self._step(self.layers[number], states_TD, context)
            if step == 0 and self.convolution is not None:
                states_TD = self.convolution(embedded_TD, states_TD, packed)
            hidden += [states_TD] if wants_hidden else []
            weights.append(found)
        return Encoded(
            self.final_norm(states_TD),
            hidden=tuple(hidden) if wants_hidden else None,
            weights=tuple(weights) if wants_weights else None,
            groups=context.groups if wants_weights else (),
        )

    def predict(self, states_TD: Tensor, packed: Packed) -> PackedOutputs:
        """The outputs of the head, or of the base model, in packed order."""
        head, pooled_BD = self.head, None if self.pooler is None else self.pool(states_TD, packed)
        if head is None:
            return PackedOutputs({"last_hidden_state": states_TD}, {} if pooled_BD is None else {"pooler_output": pooled_BD})
        if isinstance(head, TextClassifier | NextSentenceClassifier):
            return PackedOutputs(texts={"logits": head(pooled_BD)})
        if isinstance(head, ReplacedTokenDetector):
            return PackedOutputs({"logits": head(states_TD, packed)})
        logits = self.predict_tokens(states_TD)
        parts = self.architecture.head
        if isinstance(parts, QuestionAnsweringHead):
            return PackedOutputs({"start_logits": logits[:, 0], "end_logits": logits[:, 1]})
        if isinstance(parts, PreTrainingHead) and isinstance(head, MaskedLanguageModel) and pooled_BD is not None:
            return PackedOutputs({"prediction_logits": logits}, {parts.pair_logits: head.judge_pairs(pooled_BD)})
        return PackedOutputs({"logits": logits})

    def pool(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """One vector a text, (texts, hidden), in packed order."""
        assert self.pooler is not None
        return self.pooler(states_TD, packed)

    def classify(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """Label scores, (texts, labels), in packed order."""
        assert isinstance(self.head, TextClassifier | NextSentenceClassifier)
        return self.head(self.pool(states_TD, packed))

    def predict_tokens(self, states_TD: Tensor) -> Tensor:
        """Scores of the tokens given, (tokens, labels), or (tokens, vocabulary) from a masked LM."""
        if isinstance(self.head, MaskedLanguageModel):
            return self.head(states_TD, self.embeddings.token.weight)
        assert isinstance(self.head, TokenClassifier)
        return self.head(states_TD)

    def loss_sum(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss summed over targets.

        Cross-entropy, squared error for regression, binary cross-entropy for several labels a text.
        """
        if isinstance(self.architecture.head, SequenceClassificationHead):
            return text_term(logits, targets, self._problem(targets)).total
        return class_term(logits, targets).total

    def _step(self, layer: nn.Module, states_TD: Tensor, context: Context) -> tuple[Tensor, Weights]:
        if self.gradient_checkpointing and self.training:
            found: tuple[Tensor, Weights] = checkpoint(layer, states_TD, context, use_reentrant=False)
            return found
        return layer(states_TD, context)

    def _padded(self, found: PackedOutputs, padding: Padding, given: Tensor | None) -> dict[str, Tensor]:
        lowest = torch.finfo(next(iter((found.tokens | found.texts).values())).dtype).min
        fill = lowest if isinstance(self.architecture.head, QuestionAnsweringHead) else 0.0
        outputs = {name: padding.tokens(values_T, fill=fill) for name, values_T in found.tokens.items()}
        outputs |= {name: padding.packed.unsorted(values_B) for name, values_B in found.texts.items()}
        if isinstance(self.architecture.head, MultipleChoiceHead) and given is not None:
            return {name: values.view(given.shape[:2]) for name, values in outputs.items()}
        return outputs

    def _ranges(self, targets: dict[str, Tensor], given: Tensor | None) -> list[Range]:
        """Where the targets have to lie; none where the inputs are refused anyway."""
        head = self.architecture.head
        if head is None or not targets or given is None or given.dim() < 2:
            return []
        problem = self._problem(targets["labels"]) if "labels" in targets else ""
        size = len(self.embeddings.token.weight)
        return ranges(head, targets, tuple(given.shape[:2]), vocab_size=size, problem=problem)

    def _loss(self, found: PackedOutputs, targets: dict[str, Tensor], padding: Padding) -> Tensor:
        assert self.architecture.head is not None
        problem = self._problem(targets["labels"]) if "labels" in targets else ""
        return mean_loss(loss_terms(self.architecture.head, found, targets, padding, problem=problem))

    def _problem(self, targets: Tensor) -> str:
        """What a sequence classifier learns: as the configuration says, or else by its labels."""
        if not isinstance(self.architecture.head, SequenceClassificationHead):
            return "single_label_classification"
        if self.config.problem_type is not None:
            return self.config.problem_type
        if self.config.num_labels == 1:
            return "regression"
        return "multi_label_classification" if targets.is_floating_point() else "single_label_classification"

    def _switch(self, name: str, given: bool | None, *, default: bool = False) -> bool:
        return bool(self.config.get(name, default) if given is None else given)

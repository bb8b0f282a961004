"""The whole graph: encoder, pooler and head, with inputs and outputs under the names that everybody uses."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import onnx

from headway.architecture import (
    Architecture,
    MaskedLanguageModelHead,
    MultipleChoiceHead,
    NextSentenceHead,
    PreTrainingHead,
    QuestionAnsweringHead,
    ReplacedTokenHead,
    SequenceClassificationHead,
    TextHead,
    TokenClassificationHead,
    Transform,
)
from headway.graph.inputs import Inputs
from headway.graph.layers import write_encoder
from headway.graph.names import BATCH, CHOICES, IDS, MASK, SEQUENCE, TYPES
from headway.graph.parts import PartWriter
from headway.graph.precision import Precision, Weights
from headway.graph.writer import Dimensions, GraphWriter

Outputs = Mapping[str, Dimensions]


def write_graph(
    architecture: Architecture,
    weights: Weights,
    *,
    precision: Precision,
    metadata: Mapping[str, str] = MappingProxyType({}),
    also: Callable[[], Iterable[str]] = tuple,
    portable: bool = False,
) -> onnx.ModelProto:
    """The graph with its outputs; ``also``, called when all is written, names inner values to put out beside them.

    The weights are ``folded`` ones. A ``portable`` graph has standard operators alone, if its precision has, and reads the
    choices of multiple choice as others do, (batch, choices, sequence).
    """
    writer = GraphWriter()
    parts = PartWriter(writer, weights, precision, portable=portable)
    names = input_names(architecture)
    if portable and isinstance(architecture.head, MultipleChoiceHead):
        shape: Dimensions = (BATCH, CHOICES, SEQUENCE)
        outputs = _write_choices(parts, architecture, names)
    else:
        shape = (BATCH, SEQUENCE)
        outputs = ModelWriter(parts, architecture, Inputs(writer, IDS, MASK, TYPES)).write()
    every = {**outputs, **dict.fromkeys(also())}
    return writer.model(inputs=dict.fromkeys(names, shape), outputs=every, metadata=metadata)


def input_names(architecture: Architecture) -> tuple[str, ...]:
    """What the model's graph reads."""
    return (IDS, MASK, TYPES) if architecture.encoder.embeddings.token_types else (IDS, MASK)


def _write_choices(parts: PartWriter, architecture: Architecture, names: Iterable[str]) -> Outputs:
    """Multiple choice as others call it: each question's choices become rows, and their scores a row again."""
    writer = parts.writer
    shape = writer.node("Shape", IDS)
    questions, length = (writer.node("Slice", shape, *map(writer.integers, bounds)) for bounds in ((0, 2), (2, 3)))
    rows = writer.node("Concat", writer.integers(-1), length, axis=0)
    values = {name: writer.node("Reshape", name, rows) for name in names}
    model = ModelWriter(parts, architecture, Inputs(writer, values[IDS], values[MASK], values.get(TYPES, "")))
    writer.node("Reshape", model.text_scores(model.states()), questions, output="logits")
    return {"logits": (BATCH, CHOICES)}


def text_labels(head: TextHead) -> int:
    """How many scores a text has."""
    match head:
        case SequenceClassificationHead():
            return head.num_labels
        case NextSentenceHead():
            return 2
        case MultipleChoiceHead():
            return 1


class ModelWriter:
    """Writes a whole model and its outputs, each method giving the dimensions of what it has put out."""

    def __init__(self, parts: PartWriter, architecture: Architecture, inputs: Inputs) -> None:
        self.parts = parts
        self.architecture = architecture
        self.inputs = inputs

    def write(self) -> Outputs:
        """Everything."""
        head, states = self.architecture.head, self.states()
        match head:
            case None:
                return self.base(states)
            case SequenceClassificationHead() | NextSentenceHead() | MultipleChoiceHead():
                self.text_scores(states, output="logits")
                return {"logits": (BATCH, text_labels(head))}
            case TokenClassificationHead():
                self.parts.exact(self.changed(head.transform, states), "head.classifier", output="logits")
                return {"logits": (BATCH, SEQUENCE, head.num_labels)}
            case QuestionAnsweringHead():
                return self.answers(head, states)
            case MaskedLanguageModelHead():
                return {"logits": self.vocabulary_scores(head, states, output="logits")}
            case PreTrainingHead():
                self.text_scores(states, output=head.pair_logits)
                scores = self.vocabulary_scores(head.masked_lm, states, output="prediction_logits")
                return {"prediction_logits": scores, head.pair_logits: (BATCH, 2)}
            case ReplacedTokenHead():
                return self.replaced(head, states)

    def states(self) -> str:
        """The encoder's states: the first token's alone where nothing else is read."""
        return write_encoder(self.parts, self.architecture.encoder, self.inputs, first_only=self.reads_first_only)

    @property
    def reads_first_only(self) -> bool:
        """Whether the head reads one vector a text, which the pooler makes from the first token's."""
        pooler = self.architecture.pooler
        return isinstance(self.architecture.head, TextHead) and pooler is not None and pooler.pooling == "first"

    def base(self, states: str) -> Outputs:
        """The states, and the pooler's vectors where there is a pooler."""
        hidden = self.architecture.encoder.hidden_size
        self.parts.writer.node("Identity", states, output="last_hidden_state")
        found: dict[str, Dimensions] = {"last_hidden_state": (BATCH, SEQUENCE, hidden)}
        if self.architecture.pooler is not None:
            self.parts.writer.node("Identity", self.pooled(states), output="pooler_output")
            found["pooler_output"] = (BATCH, hidden)
        return found

    def pooled(self, states: str) -> str:
        """One vector a text, (batch, hidden): the pooler's transform, in fp32, of the first token's or of the mean."""
        pooler, write = self.architecture.pooler, self.parts.writer.node
        assert pooler is not None  # a family gives each head the pooler that it reads
        if pooler.pooling == "mean":
            vectors = self.mean(states)
        else:
            vectors = write(
                "Squeeze", states if self.reads_first_only else self.parts.first(states), self.parts.writer.integers(1)
            )
        changed = self.parts.activation(self.parts.dense(vectors, "pooler.dense"), pooler.transform.activation)
        return self.parts.norm(changed, "pooler.norm", pooler.transform.norm)

    def mean(self, states: str) -> str:
        """The mean of each text's real tokens, (batch, hidden)."""
        write, one = self.parts.writer.node, self.parts.writer.integers(1)
        summed = write("MatMul", write("Unsqueeze", self.inputs.kept, one), states)
        return write("Div", write("Squeeze", summed, one), write("ReduceSum", self.inputs.kept, one))

    def text_scores(self, states: str, *, output: str | None = None) -> str:
        """The scores of each text from its pooled vector."""
        paired = isinstance(self.architecture.head, NextSentenceHead | PreTrainingHead)
        return self.parts.dense(self.pooled(states), "head.next_sentence" if paired else "head.classifier", output=output)

    def changed(self, transform: Transform | None, states: str) -> str:
        """The states through the head's transform, if it has one."""
        return states if transform is None else self.parts.transform(states, "head", transform)

    def answers(self, head: QuestionAnsweringHead, states: str) -> Outputs:
        """For each token a score as the answer's first and one as its last."""
        writer = self.parts.writer
        scores = self.parts.exact(self.changed(head.transform, states), "head.classifier")
        names = ("start_logits", "end_logits")
        for name, half in zip(names, writer.nodes("Split", scores, count=2, axis=-1, num_outputs=2), strict=True):
            writer.node("Squeeze", half, writer.integers(-1), output=name)
        return dict.fromkeys(names, (BATCH, SEQUENCE))

    def replaced(self, head: ReplacedTokenHead, states: str) -> Outputs:
        """One score a token: whether it was replaced."""
        writer = self.parts.writer
        if head.first_norm is not None:
            together = writer.node("Add", states, self.parts.first(states))
            states = self.parts.norm(together, "head.first_norm", head.first_norm)
        scores = self.parts.exact(self.changed(head.transform, states), "head.classifier")
        writer.node("Squeeze", scores, writer.integers(-1), output="logits")
        return {"logits": (BATCH, SEQUENCE)}

    def vocabulary_scores(self, head: MaskedLanguageModelHead, states: str, *, output: str) -> Dimensions:
        """Each token's score for every entry of the vocabulary; the last matrix is the token table."""
        writer, parts = self.parts.writer, self.parts
        rows = writer.node("Reshape", self.changed(head.transform, states), writer.integers(-1, head.transform.size))
        scores = parts.precision.scores(writer, rows, table="embeddings.token", bias="head.decoder.bias")
        shape = writer.node("Concat", writer.node("Shape", self.inputs.ids), writer.integers(head.vocab_size), axis=0)
        writer.node("Reshape", scores, shape, output=output)
        return (BATCH, SEQUENCE, head.vocab_size)

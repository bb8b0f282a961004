"""The heads that most families share: they read the pooled vector, or each token."""

from headway.architecture import (
    Activation,
    Head,
    HeadName,
    MaskedLanguageModelHead,
    ModelConfig,
    MultipleChoiceHead,
    NextSentenceHead,
    Pooler,
    PreTrainingHead,
    QuestionAnsweringHead,
    SequenceClassificationHead,
    TokenClassificationHead,
    Transform,
)
from headway.errors import ConfigError
from headway.families import _standard as standard

USUAL: tuple[HeadName, ...] = (
    "base",
    "sequence-classification",
    "token-classification",
    "question-answering",
    "masked-lm",
    "multiple-choice",
)
"""The heads that almost every family has."""


def classifier_dropout(config: ModelConfig) -> float:
    """The dropout before a classifier: its own, or else the encoder's."""
    found = config.classifier_dropout
    return float(config.hidden_dropout_prob if found is None else found)


def pooler(config: ModelConfig, *, act: Activation = "tanh", dropout: float = 0.0) -> Pooler:
    """The first token through a linear map and an activation."""
    return Pooler(transform=Transform(size=config.hidden_size, activation=act), dropout=dropout)


def masked_lm(config: ModelConfig, *, size: int | None = None, act: Activation | None = None) -> MaskedLanguageModelHead:
    """A masked LM head; its last matrix is the token table, of ``size`` where that is not the encoder's width."""
    check_tied(config)
    transform = Transform(
        size=size or config.hidden_size, activation=act or standard.activation(config), norm=standard.norm(config)
    )
    return MaskedLanguageModelHead(vocab_size=config.vocab_size, transform=transform)


def check_tied(config: ModelConfig) -> None:
    """Refuse an output matrix of its own."""
    if not config.tie_word_embeddings:
        raise ConfigError(
            "tie_word_embeddings is False in config.json, but a masked LM here scores with the token embeddings themselves. "
            "Use a checkpoint that ties the two, or another head."
        )


def check_two_labels(config: ModelConfig) -> None:
    """Refuse a number of labels that an answer's first and last token cannot have."""
    if config.num_labels != 2:
        raise ConfigError(
            f"num_labels is {config.num_labels}, but question answering scores two things for each token: whether the answer "
            "begins there, and whether it ends there. Load with num_labels=2."
        )


def head(config: ModelConfig, name: HeadName, *, masked: MaskedLanguageModelHead | None = None) -> Head | None:
    """The head of this name as BERT has it; families with others make those themselves."""
    dropout = classifier_dropout(config)
    match name:
        case "sequence-classification":
            return SequenceClassificationHead(num_labels=config.num_labels, dropout=dropout)
        case "token-classification":
            return TokenClassificationHead(num_labels=config.num_labels, dropout=dropout)
        case "question-answering":
            check_two_labels(config)
            return QuestionAnsweringHead(dropout=0.0)
        case "masked-lm":
            return masked or masked_lm(config)
        case "next-sentence":
            return NextSentenceHead()
        case "pretraining":
            return PreTrainingHead(masked_lm=masked or masked_lm(config), next_sentence=NextSentenceHead())
        case "multiple-choice":
            return MultipleChoiceHead(dropout=dropout)
        case _:
            return None

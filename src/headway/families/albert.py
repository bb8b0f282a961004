"""ALBERT: layers that share their weights, and embeddings narrower than the encoder. Lan et al., 2020, arXiv:1909.11942."""

from dataclasses import replace

from headway.architecture import (
    Architecture,
    Encoder,
    Family,
    Fuse,
    Head,
    ModelConfig,
    NextSentenceHead,
    Positions,
    PreTrainingHead,
    Projection,
    Rename,
    Rule,
    TokenizerDefaults,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.tokenizer import SentencePieceForm
from headway.errors import ConfigError
from headway.families import _heads as heads
from headway.families import _names, _tokens
from headway.families import _standard as standard

PROJECTION = Projection(bias=True, before_norm=False)
POOLED = ("base", "sequence-classification", "pretraining", "multiple-choice")


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of an ALBERT checkpoint: BERT's, with groups of layers that are gone through several times."""
    positions = Positions(count=config.max_position_embeddings)
    parts = standard.embeddings(config, positions=positions, size=config.embedding_size, projection=PROJECTION)
    each = standard.layer(config)
    encoder = Encoder(
        hidden_size=config.hidden_size,
        max_tokens=positions.longest_text,
        embeddings=replace(parts, projection=PROJECTION),  # there even where both widths are equal
        layers=(replace(each, feed_forward=replace(each.feed_forward, dropout=0.0)),) * (groups(config) * config.inner_group_num),
        order=order(config),
    )
    return Architecture(encoder=encoder, pooler=heads.pooler(config) if head in POOLED else None, head=own_head(config, head))


def groups(config: ModelConfig) -> int:
    """How many groups of layers have weights of their own."""
    if not config.num_hidden_groups or config.num_hidden_groups > config.num_hidden_layers:
        raise ConfigError(
            f"num_hidden_groups ({config.num_hidden_groups}) is not between 1 and num_hidden_layers "
            f"({config.num_hidden_layers}), so not every group of layers is used. Correct it; published models have 1."
        )
    return int(config.num_hidden_groups)


def order(config: ModelConfig) -> tuple[int, ...]:
    """Which layer's weights each step uses: the layers of a group one after the other, each group for its share of the depth."""
    steps = [int(index / (config.num_hidden_layers / groups(config))) for index in range(config.num_hidden_layers)]
    return tuple(group * config.inner_group_num + inner for group in steps for inner in range(config.inner_group_num))


def own_head(config: ModelConfig, head: HeadName) -> Head | None:
    """BERT's heads, with scores of the vocabulary from narrow vectors; of a pair it judges the order."""
    config = config.replace(classifier_dropout=config.classifier_dropout_prob)  # as BERT's heads know it
    if head not in ("masked-lm", "pretraining"):
        return heads.head(config, head)
    masked = heads.masked_lm(config, size=config.embedding_size)
    if head == "masked-lm":
        return masked
    in_order = NextSentenceHead(dropout=heads.classifier_dropout(config))
    return PreTrainingHead(masked_lm=masked, next_sentence=in_order, pair_logits="sop_logits")


PREDICTIONS: tuple[Rule, ...] = (
    Rename("predictions.dense", "head.dense"),
    Rename("predictions.LayerNorm", "head.norm"),
    Rename("predictions.bias", "head.decoder.bias"),
)

HEAD_NAMES: dict[HeadName, tuple[Rule, ...]] = {
    **_names.HEAD_NAMES,
    "masked-lm": PREDICTIONS,
    "pretraining": (*PREDICTIONS, Rename("sop_classifier.classifier", "head.next_sentence")),
}


def layer_names(config: ModelConfig, number: int) -> tuple[Rule, ...]:
    """The Hub's names of one layer's weights, which have the group's number and the number within it."""
    group, inner = divmod(number, config.inner_group_num)
    theirs, ours = f"encoder.albert_layer_groups.{group}.albert_layers.{inner}", f"layers.{number}"
    return (
        Fuse(tuple(f"{theirs}.attention.{name}" for name in ("query", "key", "value")), f"{ours}.attention.qkv"),
        Rename(f"{theirs}.attention.dense", f"{ours}.attention.out"),
        Rename(f"{theirs}.attention.LayerNorm", f"{ours}.attention_norm"),
        Rename(f"{theirs}.ffn", f"{ours}.feed_forward.up"),
        Rename(f"{theirs}.ffn_output", f"{ours}.feed_forward.down"),
        Rename(f"{theirs}.full_layer_layer_norm", f"{ours}.feed_forward_norm"),
    )


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of an ALBERT checkpoint's weights."""
    numbers = range(groups(config) * config.inner_group_num)
    return WeightNames(
        base=(
            *_names.EMBEDDING_NAMES,
            Rename("encoder.embedding_hidden_mapping_in", "embeddings.projection"),
            *(rule for number in numbers for rule in layer_names(config, number)),
            Rename("pooler", "pooler.dense"),
        ),
        heads=HEAD_NAMES.get(head, ()),
        prefix="albert.",
        ignored=(_names.STRAY_POSITIONS,),
        tied=(("predictions.decoder.weight", _names.TOKEN_TABLE), ("predictions.decoder.bias", "predictions.bias")),
    )


FAMILY = Family(
    model_type="albert",
    class_prefix="Albert",
    heads=(*heads.USUAL, "pretraining"),
    pretraining="pretraining",
    defaults={
        **{name: value for name, value in standard.BERT_DEFAULTS.items() if name != "classifier_dropout"},
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_hidden_groups": 1,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "inner_group_num": 1,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout_prob": 0.1,
    },
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="AlbertTokenizer",
        algorithm="sentencepiece",
        special_tokens={**_tokens.DEBERTA_TOKENS, "unk_token": "<unk>", "pad_token": "<pad>"},
        lowercase=True,
        lstrip=("mask_token",),
        files=("spiece.model",),
        pieces=SentencePieceForm(
            normalization=("quotes", "accents", "lowercase", "character-map", "join-spaces"), avoids_digits_with_comma=True
        ),
    ),
    required={**standard.ENCODER_ONLY, "position_embedding_type": "absolute"},
    irrelevant=standard.IRRELEVANT,
)

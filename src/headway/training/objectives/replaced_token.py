"""Detecting tokens that a small masked LM has replaced. Clark et al., 2020, arXiv:2003.10555, section 2."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from headway.architecture.cost import forward_operations
from headway.architecture.dropout import with_dropout
from headway.families import family as find_family
from headway.neural.auto import build_model
from headway.neural.large_vocabulary import best_tokens, masked_lm_loss
from headway.neural.losses import replaced_term
from headway.neural.model import EncoderModel
from headway.neural.packing import Packed
from headway.settings.pretraining import PretrainSettings
from headway.training.batch import Batch, step_operations
from headway.training.generator import GeneratorAndDiscriminator, Sharing, generator_config
from headway.training.objectives.masked_lm import pieces, token_scores
from headway.training.pretraining_objective import PretrainingObjective, Sums

WEIGHT = 50.0
"""How much the discriminator's loss weighs beside the generator's (section 3.1 and appendix A)."""

USUAL: dict[str, tuple[float, float, Sharing]] = {"electra": (0.25, 1.0, "shared"), "deberta-v2": (1.0, 0.5, "disentangled")}
"""The generator's width and depth as shares of the discriminator's, and how embeddings are shared: ELECTRA-small's (table 6), and
DeBERTa v3's (He et al., 2023, arXiv:2111.09543, sections 3.2 and 4.1)."""


def complete(model: EncoderModel, settings: PretrainSettings) -> GeneratorAndDiscriminator:
    """The discriminator with a generator of the settings' size beside it."""
    width, depth, sharing = USUAL[model.config.model_type]
    width, depth = settings.generator_width or width, settings.generator_depth or depth
    config = generator_config(model.config, width=width, depth=depth)
    architecture = find_family(config.model_type).architecture(config, "masked-lm")
    generator = build_model(config, with_dropout(architecture, settings.dropout), "masked-lm", {}).to(model.device)
    return GeneratorAndDiscriminator(model, generator, settings.embedding_sharing or sharing)


def loss_sum(models: GeneratorAndDiscriminator, batch: Batch) -> Tensor:
    """The generator's cross-entropy summed over masked tokens, and as often the discriminator's weighed mean over all tokens."""
    generator = models.generator
    states_TD = generator.encode(batch.packed)[batch.places]
    masked = masked_lm_loss(generator, states_TD, batch.targets)
    packed, replaced_T = corrupted(batch, best_tokens(generator, states_TD, sampled=True))
    judged = replaced_term(models.judge(packed), replaced_T)
    return masked + WEIGHT * judged.total * batch.per_token


def corrupted(batch: Batch, sampled: Tensor) -> tuple[Packed, Tensor]:
    """The texts with these tokens at the masked places, and 1 for each token that is not the original.

    A token that the generator guessed right counts as original (section 2).
    """
    ids_T = batch.packed.ids_T.index_copy(0, batch.places, sampled)
    replaced_T = torch.zeros_like(ids_T).index_copy(0, batch.places, (sampled != batch.targets).long())
    return replace(batch.packed, ids_T=ids_T), replaced_T


def scores(models: GeneratorAndDiscriminator, batch: Batch) -> Sums:
    """Loss and accuracy of the discriminator over all tokens; those of the generator, and how many replaced tokens are found."""
    states_TD = models.generator.encode(batch.packed)
    packed, replaced_T = corrupted(batch, best_tokens(models.generator, states_TD[batch.places], sampled=True))
    logits_T = models.judge(packed)
    said_T, count, wrong = logits_T > 0, float(len(logits_T)), float(replaced_T.sum())
    by_generator = token_scores(models.generator, states_TD, batch)
    return {
        "loss": (float(replaced_term(logits_T, replaced_T).total), count),
        "accuracy": (float((said_T == replaced_T.bool()).sum()), count),
        "recall": (float((said_T & replaced_T.bool()).sum()), wrong),
        **{f"generator_{name}": value for name, value in by_generator.items()},
    }


def encoders(models: GeneratorAndDiscriminator) -> Sequence[EncoderModel]:
    """The discriminator, which is the result, and the generator."""
    return models.discriminator, models.generator


def operations(models: GeneratorAndDiscriminator, lengths: Sequence[int], targets: int) -> int:
    """What both compute: the generator for the masked tokens, whose scores are made once more to draw from; the other for all."""
    drawn = forward_operations(models.generator.architecture, (), targets=targets)
    learnt = step_operations(models.generator, lengths, targets) + step_operations(models.discriminator, lengths, sum(lengths))
    return learnt + drawn


PRETRAINING = PretrainingObjective(
    head="replaced-token", examples=pieces, loss_sum=loss_sum, scores=scores, masked=1.0, replaced=0.0, complete=complete,
    encoders=encoders, operations=operations,
)  # fmt: skip

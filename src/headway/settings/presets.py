"""Settings of published pre-training recipes, as data: every number has its place in a paper or in its authors' code.

A batch of a recipe is so many sequences of full length; here it is counted in tokens, ``tokens_per_batch`` times
``gradient_accumulation_steps``, with no padding among them. Warm-ups are shares of the recipe's steps (BERT's 10,000 of a million
are 0.01), so that they fit where ``max_steps`` is another. ``adapted`` says what is different here, and why.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from headway.core.config import nearest
from headway.errors import ConfigError

PresetName: TypeAlias = Literal["bert", "roberta", "electra-small", "cramming", "mosaicbert", "modernbert"]
Kind = TypeVar("Kind", bound=type)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe: its settings, where they are from, and what of it is otherwise here."""

    source: str
    values: Mapping[str, Any]
    adapted: str


BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}

PRESETS: Mapping[str, Preset] = {
    "bert": Preset(
        source="Devlin et al., 2019, arXiv:1810.04805, section 3.1, appendix A.2; epsilon: google-research/bert, optimization.py",
        values={
            **BASE, "family": "bert", "objective": "next-sentence", "intermediate_size": 3072, "max_position_embeddings": 512,
            "max_length": 512, "tokens_per_batch": 32768, "gradient_accumulation_steps": 4, "max_steps": 1_000_000,
            "learning_rate": 1e-4, "lr_scheduler_type": "linear", "warmup_steps": 0.01, "weight_decay": 0.01,
            "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-6, "mlm_probability": 0.15, "dropout": 0.1,
        },
        adapted="All steps have 512 tokens: for the first 90 % with 128, run with --max-length 128 first and go on with --model.",
    ),
    "roberta": Preset(
        source="Liu et al., 2019, arXiv:1907.11692, sections 3.1 and 4, table 9 (base)",
        values={
            **BASE, "family": "roberta", "objective": "masked-lm", "intermediate_size": 3072, "max_position_embeddings": 514,
            "max_length": 512, "tokens_per_batch": 32768, "gradient_accumulation_steps": 128, "max_steps": 500_000,
            "learning_rate": 6e-4, "lr_scheduler_type": "linear", "warmup_steps": 0.048, "weight_decay": 0.01,
            "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-6, "max_grad_norm": 0.0, "mlm_probability": 0.15,
            "dropout": 0.1,
        },
        adapted="No text crosses into the next document (DOC-SENTENCES of section 4.2, where the authors took FULL-SENTENCES).",
    ),
    "electra-small": Preset(
        source="Clark et al., 2020, arXiv:2003.10555, table 6 (small); google-research/electra, configure_pretraining.py",
        values={
            "family": "electra", "objective": "replaced-token", "hidden_size": 256, "num_hidden_layers": 12,
            "num_attention_heads": 4, "intermediate_size": 1024, "model_settings": ("embedding_size=128",),
            "max_position_embeddings": 512, "max_length": 128, "tokens_per_batch": 16384, "max_steps": 1_000_000,
            "learning_rate": 5e-4, "lr_scheduler_type": "linear", "warmup_steps": 0.01, "weight_decay": 0.01,
            "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-6, "mlm_probability": 0.15, "generator_width": 0.25,
            "generator_depth": 1.0, "embedding_sharing": "shared", "dropout": 0.1,
        },
        adapted="Masked tokens all become [MASK], as the paper writes; their code leaves 15 % of them (--mask-share 0.85).",
    ),
    "cramming": Preset(
        source="Geiping and Goldstein, 2022, arXiv:2212.14034, section 4; JonasGeiping/cramming, arch/bert-c5, train/bert-o4",
        values={
            **BASE, "family": "modernbert", "num_hidden_layers": 16, "objective": "masked-lm", "intermediate_size": 1536,
            "model_settings": ("global_attn_every_n_layers=1", "norm_eps=1e-12", "decoder_bias=false"),
            "max_position_embeddings": 128, "max_length": 128, "tokens_per_batch": 16384, "gradient_accumulation_steps": 64,
            "learning_rate": 1e-3, "lr_scheduler_type": "linear", "warmup_steps": 0.5, "weight_decay": 0.01,
            "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-12, "max_grad_norm": 0.5, "mlm_probability": 0.25,
            "dropout": 0.0,
        },
        adapted=(
            "Rotary positions for scaled sinusoidal ones; a head with a transform; steps (--max-steps) for hours. The "
            "rate rises over half of the steps and falls over the other; batches do not grow unless --batch-warmup-steps says so "
            "(the authors': over 60 % of the budget)."
        ),
    ),
    "mosaicbert": Preset(
        source="Portes et al., 2023, arXiv:2312.17482, section 3; mosaicml/examples, mosaic-bert-base-uncased.yaml",
        values={
            **BASE, "family": "modernbert", "objective": "masked-lm", "intermediate_size": 3072,
            "model_settings": ("global_attn_every_n_layers=1",), "max_position_embeddings": 512, "max_length": 128,
            "tokens_per_batch": 16384, "gradient_accumulation_steps": 32, "max_steps": 70_000, "learning_rate": 5e-4,
            "lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": ("lr_end=1e-5",), "warmup_steps": 0.06,
            "weight_decay": 1e-5, "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-6, "mlm_probability": 0.3,
            "dropout": 0.0, "bf16": True,
        },
        adapted="Rotary positions for ALiBi, norms before each part for norms after it, no dropout outside attention either.",
    ),
    "modernbert": Preset(
        source="Warner et al., 2024, arXiv:2412.13663, section 2; AnswerDotAI/ModernBERT, modernbert-base-pretrain.yaml",
        values={
            **BASE, "family": "modernbert", "objective": "masked-lm", "num_hidden_layers": 22, "intermediate_size": 1152,
            "max_position_embeddings": 1024, "max_length": 1024, "tokens_per_batch": 98304, "gradient_accumulation_steps": 48,
            "max_steps": 370_000, "learning_rate": 8e-4, "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 0.00173,
            "weight_decay": 1e-5, "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-6, "mlm_probability": 0.3,
            "batch_warmup_steps": 0.0486, "batch_warmup_share": 0.17, "dropout": 0.0, "bf16": True,
        },
        adapted=(
            "AdamW with clipped gradients for StableAdamW; warm-ups of 3 and 50 G tokens, 1.7 T in all, as steps "
            "of 4,608 sequences; no dropout after attention; without the later phases at 8,192 tokens and with a falling rate."
        ),
    ),
}  # fmt: skip


def takes_preset(cls: Kind) -> Kind:
    """The dataclass, whose argument ``preset`` now stands for the values of that recipe; what is given beside it wins."""
    original = cls.__init__  # type: ignore[misc]

    @functools.wraps(original)
    def make(self: Any, *positional: Any, **named: Any) -> None:
        name = named.get("preset")
        original(self, *positional, **{**(preset(name).values if name is not None else {}), **named})

    cls.__init__ = make  # type: ignore[misc]
    return cls


def preset(name: str) -> Preset:
    """The recipe of this name."""
    if name not in PRESETS:
        raise ConfigError(
            f"There is no preset {name!r} among the settings of published recipes.{nearest(name, set(get_args(PresetName)))} "
            "docs/pretraining.md says what each is."
        )
    return PRESETS[name]

"""Settings of published pre-training recipes, as data: every number stands under its place in a paper or in its authors' code.

A batch of a recipe is so many sequences of full length; here it is counted in tokens, ``tokens_per_batch`` times
``gradient_accumulation_steps``, with no padding among them. Warm-ups are shares of the recipe's steps (BERT's 10,000 of a million
are 0.01), so that they fit where ``max_steps`` is another. ``weight_decay`` is multiplied by the learning rate, as torch's AdamW
does it; that of an optimiser which follows the schedule alone is divided by the highest rate. ``adapted`` says what is different
here, and why.
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
    """A recipe: its settings by where they are from, and what of it is otherwise here."""

    parts: Mapping[str, Mapping[str, Any]]
    adapted: str

    @property
    def values(self) -> dict[str, Any]:
        """All of its settings."""
        return {name: value for part in self.parts.values() for name, value in part.items()}

    @property
    def source(self) -> str:
        """Where they are from."""
        return "; ".join(self.parts)


BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}

PRESETS: Mapping[str, Preset] = {
    "bert": Preset(
        parts={
            "Devlin et al., 2019, arXiv:1810.04805, section 3": {"family": "bert", "objective": "next-sentence", **BASE},
            "Devlin et al., section 3.1": {"mlm_probability": 0.15},
            "Devlin et al., appendix A.2": {
                "max_position_embeddings": 512, "max_length": 512, "tokens_per_batch": 32768, "gradient_accumulation_steps": 4,
                "max_steps": 1_000_000, "learning_rate": 1e-4, "lr_scheduler_type": "linear", "warmup_steps": 0.01,
                "weight_decay": 0.01, "adam_beta1": 0.9, "adam_beta2": 0.999, "dropout": 0.1,
            },
            "google-research/bert, optimization.py": {"adam_epsilon": 1e-6, "max_grad_norm": 1.0},
        },
        adapted="All steps have 512 tokens: for the first 90 % with 128, run with --max-length 128 first and go on with --model.",
    ),
    "roberta": Preset(
        parts={
            "Liu et al., 2019, arXiv:1907.11692, section 2": {"family": "roberta", "mlm_probability": 0.15},
            "Liu et al., section 3.1": {"max_position_embeddings": 514, "max_length": 512},
            "Liu et al., section 4": {"objective": "masked-lm"},
            "Liu et al., table 9 (base)": {
                **BASE, "tokens_per_batch": 32768, "gradient_accumulation_steps": 128, "max_steps": 500_000,
                "learning_rate": 6e-4, "lr_scheduler_type": "linear", "warmup_steps": 0.048, "weight_decay": 0.01,
                "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-6, "max_grad_norm": 0.0, "dropout": 0.1,
            },
        },
        adapted="No text crosses into the next document (DOC-SENTENCES of section 4.2, where the authors took FULL-SENTENCES).",
    ),
    "electra-small": Preset(
        parts={
            "Clark et al., 2020, arXiv:2003.10555, section 2": {"family": "electra", "objective": "replaced-token"},
            "Clark et al., section 3.2": {"embedding_sharing": "shared"},
            "Clark et al., table 6 (small)": {
                "num_hidden_layers": 12, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4,
                "model_settings": ("embedding_size=128",), "generator_width": 0.25, "mlm_probability": 0.15,
                "lr_scheduler_type": "linear", "warmup_steps": 0.01, "learning_rate": 5e-4, "adam_epsilon": 1e-6,
                "adam_beta1": 0.9, "adam_beta2": 0.999, "dropout": 0.1, "weight_decay": 0.01, "max_steps": 1_000_000,
            },
            "google-research/electra, configure_pretraining.py": {
                "generator_depth": 1.0, "max_length": 128, "tokens_per_batch": 16384,
            },
            "google-research/electra, model/modeling.py": {"max_position_embeddings": 512},
            "google-research/electra, model/optimization.py": {"max_grad_norm": 1.0},
        },
        adapted="Masked tokens all become [MASK], as the paper writes; their code leaves 15 % of them (--mask-share 0.85).",
    ),
    "cramming": Preset(
        parts={
            "Geiping and Goldstein, 2022, arXiv:2212.14034, section 4": {"family": "modernbert", "objective": "masked-lm"},
            "JonasGeiping/cramming, config/arch/crammed-bert.yaml": {
                "num_hidden_layers": 16, "hidden_size": 768, "num_attention_heads": 12,
                "intermediate_size": 1536,  # of 3072 the gate takes half
                "model_settings": (
                    "global_attn_every_n_layers=1", "global_rope_theta=10000.0", "norm_eps=1e-12", "norm_bias=true",
                    "decoder_bias=false",
                ),
                "max_position_embeddings": 128,
            },
            "JonasGeiping/cramming, config/train/bert-o4.yaml": {
                "max_length": 128, "tokens_per_batch": 16384, "gradient_accumulation_steps": 64, "learning_rate": 1e-3,
                "weight_decay": 0.01, "max_grad_norm": 0.5, "mlm_probability": 0.25, "dropout": 0.0,
            },
            "JonasGeiping/cramming, config/train/optim/adam.yaml": {
                "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-12,
            },
            "JonasGeiping/cramming, backend/optimizers/schedulers.py (budget-triangle2)": {
                "lr_scheduler_type": "linear", "warmup_steps": 0.75,
            },
        },
        adapted=(
            "Rotary positions for scaled sinusoidal ones; a head with a transform; steps (--max-steps) for hours. The rate rises "
            "from 0, where the authors' does from a quarter; batches do not grow unless --batch-warmup-steps says so (the "
            "authors': over 60 % of the time)."
        ),
    ),
    "mosaicbert": Preset(
        parts={
            "Portes et al., 2023, arXiv:2312.17482, section 3": {"family": "modernbert", "objective": "masked-lm"},
            "mosaicml/examples, bert/src/bert_layers.py and the configuration of bert-base-uncased": {
                **BASE, "max_position_embeddings": 512,
                "model_settings": (
                    "global_attn_every_n_layers=1", "global_rope_theta=10000.0", "norm_eps=1e-12", "norm_bias=true",
                    "attention_bias=true", "classifier_bias=true",
                ),
            },
            "mosaicml/examples, bert/yamls/main/mosaic-bert-base-uncased.yaml": {
                "max_length": 128, "mlm_probability": 0.3, "tokens_per_batch": 16384, "gradient_accumulation_steps": 32,
                "max_steps": 70_000, "learning_rate": 5e-4, "lr_scheduler_type": "polynomial",
                "lr_scheduler_kwargs": ("lr_end=1e-5",), "warmup_steps": 0.06, "adam_beta1": 0.9, "adam_beta2": 0.98,
                "adam_epsilon": 1e-6, "max_grad_norm": 0.0, "dropout": 0.0, "bf16": True,
            },
            "mosaicml/composer, optim/decoupled_weight_decay.py (1e-5 by the schedule alone)": {"weight_decay": 0.02},
        },
        adapted="Rotary positions for ALiBi, norms before each part for norms after it, no dropout outside attention either.",
    ),
    "modernbert": Preset(
        parts={
            "Warner et al., 2024, arXiv:2412.13663, section 2": {"family": "modernbert", "objective": "masked-lm"},
            "AnswerDotAI/ModernBERT, yamls/modernbert/modernbert-base-pretrain.yaml": {
                "num_hidden_layers": 22, "hidden_size": 768, "intermediate_size": 1152, "num_attention_heads": 12,
                "model_settings": ("global_rope_theta=10000.0",), "max_position_embeddings": 1024, "max_length": 1024,
                "mlm_probability": 0.3, "tokens_per_batch": 98304, "gradient_accumulation_steps": 48, "max_steps": 371_872,
                "learning_rate": 8e-4, "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 0.00743,
                "batch_warmup_steps": 0.04885, "adam_beta1": 0.9, "adam_beta2": 0.98, "adam_epsilon": 1e-6, "dropout": 0.0,
                "bf16": True,
            },
            "Warner et al., section 2.2 (from 768 to 4,608 sequences)": {"batch_warmup_share": 0.1667},
            "AnswerDotAI/ModernBERT, src/optimizer.py (1e-5 by the schedule alone)": {"weight_decay": 0.0125},
        },
        adapted=(
            "AdamW with clipped gradients for StableAdamW, which --optim stable_adamw is; the rate's warm-up of 3 G tokens, the "
            "batches' of 50 G and 1,719 G in all as steps of sequences of 1,024 tokens; no dropout after attention; without the "
            "later phases at 8,192 tokens and with a falling rate."
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

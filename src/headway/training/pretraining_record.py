"""What a pre-training leaves beside the encoder: its settings, text, figures, environment, curves and card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headway.settings.pretraining import PretrainSettings
from headway.training.card import base_name
from headway.training.checkpoints import TrainerState
from headway.training.corpus import Corpus
from headway.training.job import TrainOutput
from headway.training.pretraining_reading import Reading
from headway.training.run_record import Record

ALWAYS = (
    "objective", "family", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_length", "tokens_per_batch",
    "gradient_accumulation_steps", "max_steps", "learning_rate", "lr_scheduler_type", "mlm_probability", "held_out", "optim",
    "seed",
)  # fmt: skip
"""Settings that the card shows although they are the usual ones."""


def record_of(reading: Reading, model: Any, *, state: TrainerState, result: TrainOutput, scores: Mapping[str, float]) -> Record:
    """What is written of a run."""
    settings, objective, corpus = reading.settings, reading.objective, reading.corpus
    encoder = objective.encoders(model)[0]
    return Record(
        folder=Path(settings.output_dir),
        settings=settings,
        model=encoder,
        task="fill-mask" if objective.head in ("masked-lm", "pretraining") else "replaced-token-detection",
        state=state,
        result=result,
        scores=scores,
        base=settings.model,
        data={"text": text_facts(corpus)},
        command="pretrain",
        summary=summary(settings, encoder.config.model_type, sum(weight.numel() for weight in encoder.parameters()), corpus),
        always=ALWAYS,
    )


def text_facts(corpus: Corpus) -> dict[str, Any]:
    """What was learnt from: of all files together, and of each."""
    names = [str(file["file"]) for file in corpus.files]
    return {
        "file": names[0] if len(names) == 1 else f"{len(names)} files",
        "sha256": corpus.files[0]["sha256"] if len(names) == 1 else corpus.fingerprint,
        "rows": len(corpus.ends),
        "unit": "documents",
        "tokens": int(corpus.ends[-1]),
        "files": list(corpus.files),
    }


def summary(settings: PretrainSettings, family: str, parameters: int, corpus: Corpus) -> str:
    """What the model is, in a sentence."""
    base = base_name(settings.model)
    goes_on = "" if base is None else f", going on from `{base}`"
    return (
        f"A {family} encoder of {parameters:,} parameters, pre-trained with the objective {settings.objective} on "
        f"{int(corpus.ends[-1]):,} tokens of text{goes_on}."
    )

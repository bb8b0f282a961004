"""Pre-training from raw text, as ``headway pretrain`` does it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headway.architecture import Family, ModelConfig
from headway.architecture.dropout import with_dropout
from headway.architecture.family import HeadName
from headway.checkpoints import load_checkpoint, locate
from headway.errors import ConfigError, DataError
from headway.families import family as find_family
from headway.neural.auto import build_model
from headway.neural.model import EncoderModel
from headway.settings.changes import config_changes
from headway.settings.pretraining import PretrainSettings
from headway.text import Tokenizer, check_tokenizer, with_note
from headway.training.batch import Batch
from headway.training.callbacks import Callbacks
from headway.training.checkpoints import TrainerState
from headway.training.checks import check_trainable
from headway.training.corpus import Corpus, Kept, tokenise_corpus
from headway.training.loop import Job, TrainOutput, evaluate, train
from headway.training.machine import device_for
from headway.training.masking import masked_batch
from headway.training.order import order_facts, shuffled_batches, with_warm_up
from headway.training.out_of_memory import run_parts_that_fit
from headway.training.pieces import Examples
from headway.training.pretraining_objective import PretrainingObjective, check_head, find_objective
from headway.training.pretraining_reading import Reading
from headway.training.pretraining_record import record_of
from headway.training.pretraining_start import advice_at_start
from headway.training.processes import current, join
from headway.training.publishing import Publisher
from headway.training.reporting import Reporter
from headway.training.run_record import write_record
from headway.training.schedules import warm_up_steps
from headway.training.step import mixed_precision
from headway.training.trackers import trackers

HELD_OUT_TOKENS = 100_000
"""Most held-out tokens that one evaluation reads."""

DECISIVE = (
    "objective", "model", "tokens_per_batch", "batch_warmup_steps", "batch_warmup_share", "mlm_probability", "mask_share",
    "random_share", "masking", "sentences", "generator_width", "generator_depth", "embedding_sharing", "held_out", "dropout",
)  # fmt: skip
"""Settings that decide the weights, beside those of any training."""


def pretrain(settings: PretrainSettings, *, documents: Iterable[str] | None = None, progress: bool = True) -> TrainOutput:
    """An encoder learnt from text, saved with its tokenizer in ``output_dir``; killed and called again, it goes on.

    ``documents`` are texts from Python, beside the settings' files or in their place; whoever resumes gives the same ones again.
    With ``tokenize_only`` nothing is learnt, and the metrics are how many documents and tokens there are.
    """
    processes = join()
    torch.manual_seed(settings.seed)
    output, objective = Path(settings.output_dir), find_objective(settings.objective)
    tokenizer = Tokenizer.from_pretrained(settings.tokenizer or settings.model or "")
    is_shown = progress if settings.disable_tqdm is None else not settings.disable_tqdm
    if settings.tokenize_only:
        corpus = _tokenised(settings, objective, tokenizer=tokenizer, documents=documents, is_shown=is_shown)
        return TrainOutput(0, 0.0, {"documents": float(len(corpus.ends)), "tokens": float(corpus.ends[-1])})
    model = trained_model(settings, objective, tokenizer)
    corpus = _tokenised(settings, objective, tokenizer=tokenizer, documents=documents, is_shown=is_shown)
    reading = Reading(settings, objective, corpus, tokenizer)
    examples = reading.examples(model.architecture.encoder.max_tokens)
    job = job_of(settings, reading, model, examples=examples)
    reporter = Reporter(output, progress=is_shown, doing="Pre-training", operations=objective.operations)
    if reporter.is_shown:
        reporter.advise(advice_at_start(model, objective, examples(False, 0).lengths, settings))

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    publishers = [Publisher(save)] if settings.push_to_hub and processes.is_first else []
    states: list[TrainerState] = []
    try:
        result = train(job, settings, reporter, Callbacks([*trackers(settings), *publishers]), use=states.append)
        scores = {} if job.evaluate is None else evaluate(job)
    finally:
        reporter.close()
    if processes.is_first:
        save(output)
    reporter.advise(write_record(record_of(reading, model, state=states[-1], result=result, scores=scores)))
    processes.wait()
    return replace(result, metrics=result.metrics | scores)


def _tokenised(
    settings: PretrainSettings,
    objective: PretrainingObjective,
    *,
    tokenizer: Tokenizer,
    documents: Iterable[str] | None,
    is_shown: bool,
) -> Corpus:
    """The text as tokens, with what objective and masking need to know of it; of several processes the first makes them."""
    processes, folder = current(), Path(settings.output_dir) / "tokens"
    keep = Kept(sentences=settings.sentences if objective.reads_sentences else None, words=settings.masking != "token")
    return processes.first_before_others(
        lambda: tokenise_corpus(
            settings.files, tokenizer, folder, column=settings.text_column, keep=keep, stream=documents,
            progress=is_shown and processes.is_first,
        )
    )  # fmt: skip


def trained_model(settings: PretrainSettings, objective: PretrainingObjective, tokenizer: Tokenizer) -> Any:
    """What is trained: the model with what the objective puts beside it, as the settings want it to be trained."""
    model = objective.complete(make_model(settings, tokenizer, head=objective.head), settings)
    encoders = objective.encoders(model)
    if settings.freeze:
        encoders[0].freeze(*settings.freeze)
    check_trainable(model)
    for encoder in encoders if settings.gradient_checkpointing else ():
        encoder.gradient_checkpointing_enable()
    return model


def make_model(settings: PretrainSettings, tokenizer: Tokenizer, *, head: HeadName = "masked-lm") -> EncoderModel:
    """A model of the settings' size with new weights, or the one to go on from.

    Its saved configuration keeps the family's dropout for fine-tuning.
    """
    return new_model(settings, tokenizer, head=head) if settings.model is None else _known_model(settings, tokenizer, head)


def new_model(settings: PretrainSettings, tokenizer: Tokenizer, *, head: HeadName = "masked-lm") -> EncoderModel:
    """A model of the settings' size with new weights; its saved configuration keeps the family's dropout for fine-tuning."""
    family = find_family(settings.family)
    check_head(family, head, settings.objective)
    return _model(settings, with_note(_config(settings, family, tokenizer), tokenizer), head, {})


def _known_model(settings: PretrainSettings, tokenizer: Tokenizer, head: HeadName) -> EncoderModel:
    assert settings.model is not None
    found = load_checkpoint(locate(settings.model), head=None)
    check_head(found.family, head, settings.objective)
    if found.head != head:
        found = load_checkpoint(locate(settings.model), head=head)
    check_tokenizer(tokenizer, found.config, model=settings.model, may_add=True)
    config = found.config.replace(**config_changes(settings.model_settings))
    model = _model(settings, config, head, found.weights)
    model.name_or_path = settings.model
    longest = found.architecture.encoder.max_tokens
    if (settings.max_length or longest) > longest:
        raise ConfigError(
            f"max_length is {settings.max_length}, but {settings.model} reads texts of at most {longest} tokens. Lower it."
        )
    return model


def _model(settings: PretrainSettings, config: ModelConfig, head: HeadName, weights: Mapping[str, np.ndarray]) -> EncoderModel:
    architecture = with_dropout(find_family(config.model_type).architecture(config, head), settings.dropout)
    return build_model(config, architecture, head, weights).to(device_for(use_cpu=settings.use_cpu))


def _config(settings: PretrainSettings, family: Family, tokenizer: Tokenizer) -> ModelConfig:
    ratio = family.defaults["intermediate_size"] / family.defaults["hidden_size"]
    roles = {name: getattr(tokenizer, name) for name in family.defaults if name.endswith("_token_id")}
    sizes = dict(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.num_hidden_layers,
        num_attention_heads=settings.num_attention_heads,
        intermediate_size=settings.intermediate_size or round(ratio * settings.hidden_size),
        max_position_embeddings=settings.max_position_embeddings,
    )
    return family.config(**config_changes(settings.model_settings)).replace(**sizes, **roles)


def job_of(
    settings: PretrainSettings, reading: Reading, model: Any, *, examples: Callable[[bool, int], Examples] | None = None
) -> Job:
    """What the loop trains: the reading's batches, by its objective. ``examples`` are the reading's, where they are there."""
    examples = examples or reading.examples(model.architecture.encoder.max_tokens)
    if not len(examples(False, 0).lengths):
        raise DataError(
            "No document is long enough to learn from: pieces need 8 tokens. Give more text, with paragraphs of whole sentences."
        )
    load = _loader(settings, reading, examples)

    def plain(epoch: int) -> list[np.ndarray]:
        lengths = examples(False, epoch).lengths
        seed = settings.seed if settings.data_seed is None else settings.data_seed
        return shuffled_batches(lengths, seed=seed, epoch=epoch, max_tokens=settings.tokens_per_batch)

    def order(epoch: int) -> list[np.ndarray]:
        steps = warm_up_steps(settings.batch_warmup_steps, settings.max_steps) * settings.gradient_accumulation_steps
        return with_warm_up(plain, epoch, batches=steps, first=settings.batch_warmup_share)

    decisive = {name: getattr(settings, name) for name in DECISIVE}
    return Job(
        model=model,
        loss_sum=reading.objective.loss_sum,
        order=order,
        load=lambda indices, epoch, number: load(False, indices, epoch, number),
        evaluate=_evaluation(settings, reading.objective, model, load, examples(True, 0)),
        identity={"text": reading.corpus.fingerprint, **order_facts(settings), **decisive},
    )


Load = Callable[[bool, np.ndarray, int, int], Batch]


def _loader(settings: PretrainSettings, reading: Reading, examples: Callable[[bool, int], Examples]) -> Load:
    masking, first, last = reading.masking, reading.tokenizer.cls_token_id, reading.tokenizer.sep_token_id

    def load(is_held_out: bool, indices: np.ndarray, epoch: int, number: int) -> Batch:
        found = examples(is_held_out, epoch)
        texts = [found.text(int(index), first=first, last=last) for index in indices]
        return masked_batch(texts, masking, np.random.default_rng([settings.seed, epoch, number]), device=torch.device("cpu"))

    return load


def _evaluation(
    settings: PretrainSettings, objective: PretrainingObjective, model: Any, load: Load, held_out: Examples
) -> Callable[[], dict[str, float]] | None:
    """Loss (nats a target), accuracy and whatever the objective tells, on the same held-out masks each time."""
    if not len(held_out.lengths):
        return None
    order = shuffled_batches(held_out.lengths, seed=settings.seed, epoch=0, max_tokens=settings.tokens_per_batch)
    order = order[: max(1, HELD_OUT_TOKENS // settings.tokens_per_batch)]
    precision = mixed_precision(model.device, bf16=settings.bf16, fp16=settings.fp16)

    def evaluate() -> dict[str, float]:
        sums: dict[str, list[float]] = {}
        with precision(), torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            batches = (load(True, indices, 0, number).to(model.device) for number, indices in enumerate(order))
            for scores in run_parts_that_fit(partial(objective.scores, model), batches, device=model.device):
                for name, (total, count) in scores.items():
                    before = sums.setdefault(name, [0.0, 0.0])
                    sums[name] = [before[0] + total, before[1] + count]
        return {f"eval_{name}": total / max(1.0, count) for name, (total, count) in sums.items()}

    return evaluate

"""Pre-training from text files, as ``headway pretrain`` does it."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from headway.architecture import Family, ModelConfig
from headway.architecture.dropout import with_dropout
from headway.errors import DataError
from headway.families import family as find_family
from headway.neural.auto import build_model
from headway.neural.model import EncoderModel
from headway.settings.changes import config_changes
from headway.settings.pretraining import PretrainSettings
from headway.text import Tokenizer, with_note
from headway.training.batch import Batch, token_loss
from headway.training.corpus import Pieces, tokenise_corpus
from headway.training.loop import Job, TrainOutput, train
from headway.training.objectives.masked_lm import Masking, masked_batch
from headway.training.order import shuffled_batches
from headway.training.reporting import Reporter
from headway.training.step import mixed_precision

HELD_OUT_TOKENS = 100_000
"""Most held-out tokens that one evaluation reads."""


def pretrain(settings: PretrainSettings, *, progress: bool = True) -> TrainOutput:
    """A new encoder learnt from the files, saved with its tokenizer in ``output_dir``; killed and called again, it goes on."""
    torch.manual_seed(settings.seed)
    output = Path(settings.output_dir)
    tokenizer = Tokenizer.from_pretrained(settings.tokenizer)
    corpus = tokenise_corpus(settings.files, tokenizer, output / "tokens", progress=progress)
    pieces = corpus.pieces(max_length=settings.max_length or settings.max_position_embeddings)
    kept_aside = _held_out(len(corpus.ends), settings)
    model = new_model(settings, tokenizer)
    job = _job(settings, tokenizer, model, pieces.of_documents(~kept_aside), pieces.of_documents(kept_aside), corpus.fingerprint)
    reporter = Reporter(output, progress=progress, doing="Pre-training")
    try:
        result = train(job, settings, reporter)
    finally:
        reporter.close()
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return result


def new_model(settings: PretrainSettings, tokenizer: Tokenizer) -> EncoderModel:
    """A masked LM of the settings' size with new weights; its saved configuration keeps the family's dropout for fine-tuning."""
    family = find_family(settings.family)
    config = with_note(_config(settings, family, tokenizer), tokenizer)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return build_model(config, with_dropout(family.architecture(config, "masked-lm"), settings.dropout), "masked-lm", {}).to(
        device
    )


def _config(settings: PretrainSettings, family: Family, tokenizer: Tokenizer) -> ModelConfig:
    ratio = family.defaults["intermediate_size"] / family.defaults["hidden_size"]
    roles = {name: getattr(tokenizer, name) for name in family.defaults if name.endswith("_token_id")}
    return family.config(**config_changes(settings.model_settings)).replace(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.num_hidden_layers,
        num_attention_heads=settings.num_attention_heads,
        intermediate_size=settings.intermediate_size or round(ratio * settings.hidden_size),
        max_position_embeddings=settings.max_position_embeddings,
        **roles,
    )


def _held_out(documents: int, settings: PretrainSettings) -> np.ndarray:
    chosen = np.zeros(documents, dtype=bool)
    count = round(settings.held_out * documents)
    chosen[np.random.default_rng([settings.seed, 1]).permutation(documents)[:count]] = True
    return chosen


def _job(
    settings: PretrainSettings, tokenizer: Tokenizer, model: EncoderModel, training: Pieces, held_out: Pieces, fingerprint: str
) -> Job:
    if not len(training.starts):
        raise DataError(
            "No document is long enough to learn from: pieces need 8 tokens. Give more text, with paragraphs of whole sentences."
        )
    masking = Masking(
        probability=settings.mlm_probability,
        mask_id=tokenizer.mask_token_id,
        vocab_size=len(tokenizer),
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
    )
    reader = _Reader(training, masking, tokenizer, settings.seed, model.device)
    lengths = training.lengths
    shape = {name: getattr(settings, name) for name in ("tokens_per_batch", "mlm_probability", "held_out", "dropout")}
    return Job(
        model=model,
        loss_sum=token_loss,
        order=lambda epoch: shuffled_batches(lengths, seed=settings.seed, epoch=epoch, max_tokens=settings.tokens_per_batch),
        load=reader.load,
        evaluate=_evaluation(settings, dataclasses.replace(reader, pieces=held_out), model) if len(held_out.starts) else None,
        identity={"text": fingerprint, **shape},
    )


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Makes batches of masked pieces. What is masked follows from seed, epoch and batch number alone."""

    pieces: Pieces
    masking: Masking
    tokenizer: Tokenizer
    seed: int
    device: torch.device

    def load(self, indices: np.ndarray, epoch: int, number: int) -> Batch:
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        sequences = [self.pieces.read(int(index), first=first, last=last) for index in indices]
        return masked_batch(sequences, self.masking, np.random.default_rng([self.seed, epoch, number]), device=self.device)


def _evaluation(settings: PretrainSettings, reader: _Reader, model: EncoderModel) -> "_Evaluation":
    order = shuffled_batches(reader.pieces.lengths, seed=settings.seed, epoch=0, max_tokens=settings.tokens_per_batch)
    return _Evaluation(reader, model, order[: max(1, HELD_OUT_TOKENS // settings.tokens_per_batch)], settings.bf16)


@dataclasses.dataclass(frozen=True)
class _Evaluation:
    """Loss (nats a target) and share of hidden tokens that are found, on the same held-out masks each time."""

    reader: _Reader
    model: EncoderModel
    order: list[np.ndarray]
    bf16: bool | None

    def __call__(self) -> dict[str, float]:
        loss, right, count = 0.0, 0, 0
        with mixed_precision(self.model.device, bf16=self.bf16)():
            for number, indices in enumerate(self.order):
                batch = self.reader.load(indices, 0, number)
                logits = self.model.predict_tokens(self.model.encode(batch.packed)[batch.places])
                loss += float(self.model.loss_sum(logits, batch.targets))
                right += int((logits.argmax(-1) == batch.targets).sum())
                count += batch.count
        return {"eval_loss": loss / max(1, count), "eval_accuracy": right / max(1, count)}

"""Plain text for the general stage: pieces of documents as batches, and what the recipe makes of those kept aside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headway.compress.matching import text_only, tokens_of
from headway.core.batching import TokenSequence
from headway.errors import DataError
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.text import Tokenizer
from headway.training.batch import Batch, LossSum
from headway.training.corpus import tokenise_corpus
from headway.training.loop import Job
from headway.training.masking import Masking, masked_batch
from headway.training.order import shuffled_batches
from headway.training.pieces import Pieces
from headway.training.processes import current
from headway.training.step import mixed_precision

HELD_OUT_TOKENS = 50_000
"""Most held-out tokens that one evaluation of the general stage reads."""


@dataclass(frozen=True)
class TextReader:
    """Pieces of documents as batches, with tokens masked where a masking is given. Nothing depends on what was read before."""

    pieces: Pieces
    tokenizer: Tokenizer
    masking: Masking | None
    settings: DistillSettings
    model: EncoderModel

    def load(self, indices: np.ndarray, epoch: int, number: int) -> Batch:
        """One batch."""
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        texts = [self.pieces.text(int(index), first=first, last=last) for index in indices]
        if self.masking is None:
            return text_only([TokenSequence(text.ids.tolist()) for text in texts], self.model.device)
        random = np.random.default_rng([self.settings.seed, epoch, number])
        return masked_batch(texts, self.masking, random, device=self.model.device)

    def strings(self, count: int) -> list[str]:
        """The first pieces as people read them."""
        spans = zip(self.pieces.starts[:count].tolist(), self.pieces.stops[:count].tolist(), strict=True)
        return [self.tokenizer.decode(self.pieces.corpus.read(start, stop).tolist()) for start, stop in spans]

    def order(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch."""
        settings = self.settings
        seed = settings.seed if settings.data_seed is None else settings.data_seed
        return shuffled_batches(self.pieces.lengths, seed=seed, epoch=epoch, max_tokens=settings.tokens_per_batch)


def read_text(
    settings: DistillSettings, tokenizer: Tokenizer, model: EncoderModel, *, progress: bool
) -> tuple[TextReader, TextReader, str]:
    """Readers of the text to learn from and of what is kept aside, and the text's hash."""
    limit = min(settings.max_length or model.architecture.encoder.max_tokens, model.architecture.encoder.max_tokens)
    folder = Path(settings.output_dir) / "tokens"
    corpus = current().first_before_others(lambda: tokenise_corpus(settings.files, tokenizer, folder, progress=progress))
    pieces = corpus.pieces(max_length=limit)
    aside = np.zeros(len(corpus.ends), dtype=bool)
    aside[np.random.default_rng([settings.seed, 1]).permutation(len(aside))[: round(settings.held_out * len(aside))]] = True
    if not len(pieces.of_documents(~aside).starts):
        raise DataError(
            "No document is long enough to learn from: pieces need 8 tokens. Give more text, with paragraphs of whole sentences."
        )
    masking = masking_of(settings, tokenizer) if settings.recipe == "distilbert" else None
    readers = [TextReader(pieces.of_documents(chosen), tokenizer, masking, settings, model) for chosen in (~aside, aside)]
    return readers[0], readers[1], corpus.fingerprint


def masking_of(settings: DistillSettings, tokenizer: Tokenizer) -> Masking:
    """Which tokens are predicted."""
    return Masking(
        probability=settings.mlm_probability,
        mask_id=tokenizer.mask_token_id,
        vocab_size=len(tokenizer),
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
    )


def text_job(reader: TextReader, held_out: TextReader, loss_sum: LossSum, identity: dict[str, Any]) -> Job:
    """The general stage."""
    has_some = len(held_out.pieces.starts) > 0
    return Job(
        model=reader.model,
        loss_sum=loss_sum,
        order=reader.order,
        load=reader.load,
        evaluate=(lambda: held_out_scores(held_out, reader.model, loss_sum)) if has_some else None,
        count=tokens_of,
        identity=identity,
    )


def held_out_scores(reader: TextReader, model: EncoderModel, loss_sum: LossSum) -> dict[str, float]:
    """The recipe's own loss on the text kept aside, and where tokens are masked the share of these that is found."""
    loss, right, tokens, targets = 0.0, 0, 0.0, 0
    precision = mixed_precision(model.device, bf16=reader.settings.bf16, fp16=reader.settings.fp16)
    most = max(1, HELD_OUT_TOKENS // reader.settings.tokens_per_batch)
    for number, indices in enumerate(reader.order(0)[:most]):
        batch = reader.load(indices, 0, number)
        with precision():
            loss, tokens = loss + float(loss_sum(model, batch)), tokens + batch.tokens
            if reader.masking is not None:
                logits = model.predict_tokens(model.encode(batch.packed)[batch.places])
                right, targets = right + int((logits.argmax(-1) == batch.targets).sum()), targets + batch.count
    accuracy = {"eval_accuracy": right / max(1, targets)} if reader.masking is not None else {}
    return {"eval_loss": loss / max(1.0, tokens), **accuracy}

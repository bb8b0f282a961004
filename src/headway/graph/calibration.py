"""How 8-bit integers shall read the numbers of a model: measured by running it in fp32 on a few texts.

Channels of a layer's states differ much in size: one of hundreds may be thirty times as large as the rest, and a common step for
all would leave the others few. So each channel is divided by a number between its own size and one, and the weights that read
it are multiplied by the same (Xiao et al., 2022, arXiv:2211.10438, section 4).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headway.architecture import Architecture
from headway.core.batching import TokenSequence, plan_batches
from headway.core.padding import padded
from headway.errors import DataError
from headway.graph.folding import folded
from headway.graph.heads import write_graph
from headway.graph.precision import Float32
from headway.graph.quantised import Range, Reading
from headway.graph.session import Session

if TYPE_CHECKING:
    from headway.text import Tokenizer

SMOOTHING = 0.7
"""How much of a channel's size moves into the weights; docs/int8.md has the measurements."""

SMOOTHED = ("attention.qkv", "feed_forward.up", "feed_forward.down", "head.dense")
"""The maps whose inputs differ much from channel to channel."""

MAX_TOKENS = 128
"""How much of a calibration text is read."""

RANDOM_SEQUENCES = 64
BATCH_TOKENS = 512


def measure_readings(
    architecture: Architecture, weights: Mapping[str, np.ndarray], *, sequences: Sequence[TokenSequence]
) -> dict[str, Reading]:
    """How each linear map should read its input, by the map's name; layers that several steps share read all of theirs."""
    weights = folded(architecture, weights)
    spans: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, states in _linear_inputs(architecture, weights, sequences):
        low, high = states.min(axis=0), states.max(axis=0)
        if name in spans:
            low, high = np.minimum(low, spans[name][0]), np.maximum(high, spans[name][1])
        spans[name] = low, high
    return {
        name: reading(low, high, weights[f"{name}.weight"], smooth=name.endswith(SMOOTHED)) for name, (low, high) in spans.items()
    }


def reading(low: np.ndarray, high: np.ndarray, matrix: np.ndarray, *, smooth: bool) -> Reading:
    """How to read channels that span these values, (channels,), for a map with this matrix, (out, channels)."""
    divisor = _divisor(np.maximum(-low, high), np.abs(matrix).max(axis=0)) if smooth else np.ones_like(low)
    span = Range(min(float((low / divisor).min()), 0.0), max(float((high / divisor).max()), 0.0))
    return Reading(span, divisor if smooth else None)


def _divisor(sizes: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Each channel's divisor, from its largest number and the largest weight that reads it. Their geometric mean is one."""
    sizes = np.maximum(sizes, max(0.1 * float(np.median(sizes)), 1e-5))  # a channel that was silent here may speak elsewhere
    divisor = sizes**SMOOTHING / np.maximum(reach, 1e-5) ** (1 - SMOOTHING)
    return np.asarray(divisor / np.exp(np.log(divisor).mean()), np.float32)


def _linear_inputs(
    architecture: Architecture, weights: Mapping[str, np.ndarray], sequences: Sequence[TokenSequence]
) -> Iterable[tuple[str, np.ndarray]]:
    """What each linear map reads, (tokens, channels) without padding, batch by batch."""
    reader = Float32(weights)
    model = write_graph(architecture, weights, precision=reader, also=lambda: chain.from_iterable(reader.inputs.values()))
    session = Session(model.SerializeToString(), threads=1)
    for batch in plan_batches([len(sequence) for sequence in sequences], max_tokens=BATCH_TOKENS):
        inputs = padded([sequences[index] for index in batch])
        outputs = session.run(**inputs)
        keep = inputs["attention_mask"].astype(bool)
        for name, places in reader.inputs.items():
            for states in map(outputs.__getitem__, places):
                yield name, states[keep] if states.shape[:2] == keep.shape else states.reshape(-1, states.shape[-1])


def random_sequences(architecture: Architecture) -> list[TokenSequence]:
    """Texts of random tokens, the same each time: whatever language a model reads, its vocabulary is at hand."""
    encoder, generator = architecture.encoder, np.random.default_rng(0)
    lengths = generator.integers(1, min(MAX_TOKENS // 2, encoder.max_tokens) + 1, RANDOM_SEQUENCES)
    return [TokenSequence(generator.integers(0, encoder.embeddings.vocab_size, int(length)).tolist()) for length in lengths]


def calibration_sequences(tokenizer: "Tokenizer", texts: Sequence[str] = ()) -> list[TokenSequence]:
    """The texts as a model is calibrated on them: English sentences of many kinds if none are given."""
    limit = min(MAX_TOKENS, tokenizer.model_max_length)
    return tokenizer.encode_sequences(list(texts) or list(general_texts()), max_length=limit)


@cache
def general_texts() -> tuple[str, ...]:
    """The English sentences that come with Headway."""
    return tuple((Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines())


def read_texts(path: str | Path) -> list[str]:
    """The lines of a file that are not blank."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The calibration texts could not be read from {path} ({error}). Give a UTF-8 file with one text a line."
        ) from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise DataError(
            f"{path} holds no text to calibrate on. Write one text a line; a hundred like those of your task are enough."
        )
    return texts

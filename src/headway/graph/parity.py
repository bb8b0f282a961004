"""Whether a graph computes what its weights mean: measured before a file takes its name."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from headway.architecture import Architecture
from headway.core.batching import TokenSequence, plan_batches
from headway.core.padding import padded
from headway.errors import EngineError
from headway.graph.precision import Weights
from headway.graph.reference import Reference
from headway.graph.session import Session
from headway.graph.splitting import Part, split

FP32_LIMIT = 1e-4
"""The largest difference in fp32, of the largest number that the output holds."""

INT8_LIMIT = 0.3
"""The root mean square of INT8's differences, divided by that of the numbers: rounding is about 0.05, a wrong graph 1."""

EXACT_TEXTS = 4
EXACT_TOKENS = 48

Outputs = Mapping[str, np.ndarray]


def check_fp32(model: bytes, architecture: Architecture, weights: Weights, *, texts: Sequence[TokenSequence]) -> float:
    """The largest difference from NumPy, of the largest number; more than ``FP32_LIMIT`` is an ``EngineError``.

    A few texts of odd lengths, cut short, in one padded batch: NumPy is slow, and a wrong operator shows in the first.
    """
    chosen = [cut(text, EXACT_TOKENS - 11 * index) for index, text in enumerate(texts[:EXACT_TEXTS])]
    reference = Reference(architecture, weights)
    exact = [reference.run(text) for text in chosen]
    difference = _largest(answers_of(model, chosen), exact)
    if not difference <= FP32_LIMIT:
        raise EngineError(
            f"The fp32 graph differs from what its weights mean by {difference:.2g} of the largest number, more than "
            f"{FP32_LIMIT:g}, so nothing was written. The fault is Headway's or ONNX Runtime's: try another version of it."
        )
    return difference


def check_int8(model: bytes, exact_model: bytes, *, texts: Sequence[TokenSequence], limit: float = INT8_LIMIT) -> float:
    """How far INT8 is from fp32 on the texts, root mean squares divided; more than the limit is an ``EngineError``."""
    pairs = list(zip(answers_of(model, texts), answers_of(exact_model, texts), strict=True))
    difference = max(_root_mean_square(pairs, name) for name in pairs[0][0])
    if not difference <= limit:
        raise EngineError(
            f"The INT8 model's answers differ from fp32's by {difference:.1%} of their size, more than {limit:.1%}, so nothing "
            "was written. Calibrate on texts like those it will read, keep to fp32, or accept it with a higher max_difference."
        )
    return difference


def split_checked(model: bytes, part: Part, *, source: Path, texts: Sequence[TokenSequence]) -> bytes:
    """The graph without what it shares, once it has given the whole one's answers to a few texts, bit for bit."""
    divided, chosen = split(model, part, source=source), texts[:EXACT_TEXTS]
    pairs = zip(answers_of(divided, chosen, shared=part.tensors), answers_of(model, chosen), strict=True)
    if not all(np.array_equal(found[name], exact[name]) for found, exact in pairs for name in exact):
        raise EngineError(
            f"Without what it shares in {part.path} the graph of {source} gives other answers, so nothing was written. The fault "
            "is Headway's or ONNX Runtime's: try another version of it, or export without --share."
        )
    return divided


def answers_of(
    model: bytes, texts: Sequence[TokenSequence], *, shared: Mapping[str, np.ndarray] = MappingProxyType({})
) -> list[Outputs]:
    """Each text's outputs without padding, in the order given."""
    session = Session(model, threads=1, shared=shared)
    found: dict[int, Outputs] = {}
    for batch in plan_batches([len(text) for text in texts], max_tokens=512):
        outputs = session.run(**padded([texts[index] for index in batch]))
        for row, index in enumerate(batch):
            length = len(texts[index])
            found[index] = {
                name: value[row, :length] if name in session.token_outputs else value[row] for name, value in outputs.items()
            }
    return [found[index] for index in range(len(texts))]


def cut(text: TokenSequence, length: int) -> TokenSequence:
    """The text's first tokens."""
    return TokenSequence(text.ids[:length], None if text.type_ids is None else text.type_ids[:length])


def _largest(found: Sequence[Outputs], exact: Sequence[Outputs]) -> float:
    """The largest difference of all texts, of the largest number: one text's only score may be near zero."""
    wrong, size = dict.fromkeys(exact[0], 0.0), dict.fromkeys(exact[0], 1e-30)
    for ours, theirs in zip(found, exact, strict=True):
        for name, values in theirs.items():
            wrong[name] = np.maximum(wrong[name], np.abs(ours[name] - values).max())
            size[name] = max(size[name], float(np.abs(values).max()))
    return max(float(wrong[name] / size[name]) for name in wrong)


def _root_mean_square(pairs: Iterable[tuple[Outputs, Outputs]], name: str) -> float:
    wrong, size = 0.0, 0.0
    for found, exact in pairs:
        wrong += float(np.square(found[name] - exact[name], dtype=np.float64).sum())
        size += float(np.square(exact[name], dtype=np.float64).sum())
    return float(np.sqrt(wrong / max(size, 1e-30)))

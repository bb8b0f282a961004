"""Texts of several lengths as one rectangle of numbers."""

from collections.abc import Sequence

import numpy as np

from headway.core.batching import TokenSequence


def padded(sequences: Sequence[TokenSequence]) -> dict[str, np.ndarray]:
    """The texts as int64 inputs, (texts, longest). Padding has the id 0: the mask keeps any id from mattering."""
    shape = len(sequences), max(map(len, sequences))
    inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    for row, sequence in enumerate(sequences):
        inputs["input_ids"][row, : len(sequence)] = sequence.ids
        inputs["attention_mask"][row, : len(sequence)] = 1
        if sequence.type_ids is not None:
            inputs["token_type_ids"][row, : len(sequence)] = sequence.type_ids
    return inputs

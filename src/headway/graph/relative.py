"""Scores from relative positions: a bias for each distance, or products with vectors of distances.

All of it holds for texts of any length: distances beyond the table's reach share its last rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headway.architecture import BucketBias, Disentangled, SelfAttention
from headway.architecture.relative import table_rows
from headway.graph.inputs import Inputs
from headway.graph.parts import PartWriter

END = 2**31 - 1
LONGEST_TEXT = 2**16


def term_count(attention: SelfAttention) -> int:
    """How many products make a score: by the root of this many, times the head's size, they are divided."""
    return 1 + len(attention.positions.terms) if isinstance(attention.positions, Disentangled) else 1


def reach_of(table: BucketBias | Disentangled) -> int:
    """A distance from which on, either way, all have the same row."""
    if isinstance(table, BucketBias):
        return max(table.max_distance, table.buckets)
    reach, ends = max(table.max_distance or 0, table.span), [0, 2 * table.span - 1]
    while table_rows(table, np.array([-reach, reach])).tolist() != ends and reach < LONGEST_TEXT:
        reach *= 2
    return reach


def bucket_bias(parts: PartWriter, inputs: Inputs, table: BucketBias, *, first_only: bool) -> str:
    """The bias of each head for each query and key, (heads, queries, keys)."""
    reach = reach_of(table)
    rows = table_rows(table, np.arange(-reach, reach + 1))
    by_distance = parts.writer.constant("relative.bias", parts.weights["relative.weight"][rows])
    places = _shifted(parts, inputs.distances(first_only=first_only), reach)
    # all heads' numbers at once, then sorted by head: five times as fast as looking up one number after the other
    return parts.writer.node("Transpose", parts.writer.node("Gather", by_distance, places), perm=[2, 0, 1])


def _shifted(parts: PartWriter, distances: str, reach: int) -> str:
    """Distances as places in a list of all from ``-reach`` to ``reach``."""
    within = parts.writer.node("Clip", distances, parts.writer.integer(-reach), parts.writer.integer(reach))
    return parts.writer.node("Add", within, parts.writer.integer(reach))


@dataclass(frozen=True)
class DisentangledWriter:
    """Scores between contents and distances (He et al., 2021, arXiv:2006.03654, section 3.1).

    The vectors of distances depend on weights alone, so they are constants of each layer (see ``folding``). Products with those
    that occur are made at once; then each query's row is moved sideways by its place, so that the columns become keys (Huang et
    al., 2018, arXiv:1809.04281, section 3.4.1). That is copying in order; looking up a number for each query and key is slower.
    """

    parts: PartWriter
    inputs: Inputs
    table: Disentangled
    name: str
    heads: int

    def scores(self, queries: str, keys: str) -> Iterator[str]:
        """Each term's scores, (batch, heads, queries, keys)."""
        write = self.parts.writer.node
        if "content-to-position" in self.table.terms:
            yield self._moved(
                write("MatMul", queries, self._vectors("position_keys", self._distances("length", "-length", step=-1)))
            )
        if "position-to-content" in self.table.terms:
            by_key = self._moved(write("MatMul", keys, self._vectors("position_queries", self._distances("-length", "length"))))
            yield write("Transpose", by_key, perm=[0, 1, 3, 2])

    def first_scores(self, queries: str, keys: str) -> Iterator[str]:
        """The same for the first token's query, (batch, heads, 1, keys)."""
        write, distances = self.parts.writer.node, self.parts.writer.node("Neg", self.inputs.places())
        if "content-to-position" in self.table.terms:
            yield write("MatMul", queries, self._vectors("position_keys", distances))
        if "position-to-content" in self.table.terms:
            vectors = write("Transpose", self._vectors("position_queries", distances), perm=[0, 2, 1])
            products = write("ReduceSum", write("Mul", keys, vectors), self.parts.writer.integers(-1), keepdims=0)
            yield write("Unsqueeze", products, self.parts.writer.integers(2))

    def _distances(self, start: str, stop: str, *, step: int = 1) -> str:
        return self.inputs.range(start, stop, step=step)

    def _vectors(self, name: str, distances: str) -> str:
        """The vectors of these distances, (heads, size, distances)."""
        parts, writer, reach = self.parts, self.parts.writer, reach_of(self.table)
        rows = writer.constant("relative.rows", table_rows(self.table, np.arange(-reach, reach + 1)))
        chosen = writer.node("Gather", rows, _shifted(parts, distances, reach))
        vectors = parts.precision.rows(writer, f"{self.name}.{name}", ids=chosen)
        split = writer.node("Reshape", vectors, writer.integers(0, self.heads, -1))
        return writer.node("Transpose", split, perm=[1, 2, 0])

    def _moved(self, products: str) -> str:
        """From (…, sequence, 2 * sequence) the columns ``sequence - row`` and following of each row: (…, sequence, sequence)."""
        writer, length = self.parts.writer, self.inputs.length
        flat = writer.node("Reshape", products, writer.integers(0, 0, -1))
        late = writer.node("Slice", flat, length, writer.integers(END), writer.integers(2))
        shape = writer.node("Concat", writer.integers(0, 0), length, writer.integers(-1), axis=0)
        return writer.node("Slice", writer.node("Reshape", late, shape), writer.integers(0), length, writer.integers(3))

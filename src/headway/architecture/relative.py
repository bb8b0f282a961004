"""Which row of a table of relative positions belongs to a distance: the one definition for modules and graphs.

The formulas are computed in float32, as those are that the published models were trained with: a few distances lie on the border
between two buckets, and there the rounding decides.
"""

import numpy as np

from headway.architecture.parts import BucketBias, Disentangled


def table_rows(table: BucketBias | Disentangled, distances: np.ndarray) -> np.ndarray:
    """The row for each distance, int64 of the same shape. A distance is the query's place less the key's."""
    if isinstance(table, BucketBias):
        return _bias_rows(table, distances)
    buckets = distances if table.max_distance is None else _log_buckets(table.span, table.max_distance, distances)
    return np.asarray(np.clip(buckets + table.span, 0, 2 * table.span - 1), np.int64)


def _bias_rows(table: BucketBias, distances: np.ndarray) -> np.ndarray:
    """Half of the buckets for each direction; in each the first half counts one by one (Raffel et al., 2020)."""
    half = table.buckets // 2
    exact = half // 2
    size = np.abs(distances)
    growth = _logarithm(size, exact) / np.float32(np.log(table.max_distance / exact)) * np.float32(half - exact)
    far = np.minimum(exact + growth.astype(np.int64), half - 1)
    return np.asarray(np.where(size < exact, size, far) + np.where(distances < 0, half, 0), np.int64)


def _log_buckets(span: int, max_distance: int, distances: np.ndarray) -> np.ndarray:
    """Distances up to half the span as they are; the others logarithmic (DeBERTa v2)."""
    exact = span // 2
    size = np.abs(distances)
    whole = np.log(np.float32((max_distance - 1) / exact))
    far = np.ceil(_logarithm(size, exact) / whole * np.float32(exact - 1)) + exact
    return np.asarray(np.where(size <= exact, distances, far * np.sign(distances)), np.int64)


def _logarithm(sizes: np.ndarray, exact: int) -> np.ndarray:
    """log(size / exact), float32, and zero for the sizes below, which are not looked up by it."""
    return np.asarray(np.log(np.maximum(sizes, exact).astype(np.float32) / np.float32(exact)), np.float32)

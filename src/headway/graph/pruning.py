"""What a finished graph does not need for what is asked of it, left out."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import onnx


def prune(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], outputs: Sequence[onnx.ValueInfoProto]) -> None:
    """Have a graph put these out, by those of the nodes and constants alone on which they depend."""
    _replace(graph.output, outputs)
    needed = _needed(nodes, {output.name for output in outputs})
    _replace(graph.node, needed)
    read = {name for node in needed for name in node.input}
    for place in [place for place, values in enumerate(graph.initializer) if values.name not in read][::-1]:
        del graph.initializer[place]


def _needed(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """The nodes on which the outputs depend."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _replace(field: Any, values: Iterable[Any]) -> None:
    copies = [deepcopy(value) for value in values]  # those in the field do not outlive it
    del field[:]
    field.extend(copies)

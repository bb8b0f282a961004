"""Architecture and weights to an ONNX graph in fp32 or INT8, and the session that runs it.

Names are imported on first use: running a finished graph needs ``onnxruntime`` alone, and asking for ``GRAPH_VERSION`` neither.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headway.graph.attending import AttentionGraph
    from headway.graph.building import build_graph
    from headway.graph.calibration import calibration_sequences
    from headway.graph.exporting import export_model
    from headway.graph.packing import Exported
    from headway.graph.session import Session
    from headway.graph.sharing import Shared, export_shared

GRAPH_VERSION = 4
"""Rises whenever the same weights would become another graph, so that no cache serves an old one."""

__all__ = [
    "GRAPH_VERSION",
    "AttentionGraph",
    "Exported",
    "Session",
    "Shared",
    "build_graph",
    "calibration_sequences",
    "export_model",
    "export_shared",
]

_HOMES = {
    "AttentionGraph": "attending",
    "Exported": "packing",
    "Session": "session",
    "Shared": "sharing",
    "build_graph": "building",
    "calibration_sequences": "calibration",
    "export_model": "exporting",
    "export_shared": "sharing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

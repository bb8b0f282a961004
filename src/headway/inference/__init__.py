"""Answers from models: engines that run batches, the schedule that fills them, and ``pipeline()``."""

from headway.inference.engine import Engine, OnnxEngine
from headway.inference.loading import load_engine
from headway.inference.pipelines import Pipeline, pipeline

__all__ = ["Engine", "OnnxEngine", "Pipeline", "load_engine", "pipeline"]

"""Headway: encoder transformers, from raw text to a served model. Public names are imported on first use."""

__version__ = "0.1.0"

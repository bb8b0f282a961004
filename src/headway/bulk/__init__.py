"""Answers to whole tables: jobs that lose no row and go on where they were."""

from headway.bulk.files import predict_files
from headway.bulk.tally import Summary

__all__ = ["Summary", "predict_files"]

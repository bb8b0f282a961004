"""Answers to whole tables: jobs that lose no row and go on where they were."""

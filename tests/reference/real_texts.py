"""Texts that people wrote, for tests that ask many families the same."""

import json
from pathlib import Path

SOURCES = {
    "glue/sst2/validation.jsonl": ("sentence", 151),
    "ag_news/test.jsonl": ("text", 83),
    "emotion/validation.jsonl": ("text", 73),
}
"""Films, news and moods: the file, its column, how many."""
COUNT = sum(count for _, count in SOURCES.values())


def real_texts(data_folder: Path) -> list[str]:
    """Three hundred and seven texts, from three words to a few lines."""
    found = []
    for name, (column, count) in SOURCES.items():
        lines = (data_folder / name).read_text(encoding="utf-8").splitlines()
        found += [json.loads(line)[column] for line in lines[:: len(lines) // count][:count]]
    return found

"""What tests of bulk work share: a tiny classifier, rows to answer, and ways to read what was written."""

import csv
import json

import pyarrow as pa
import pytest
from pyarrow import parquet


@pytest.fixture(scope="package")
def model(model_folder):
    """The folder of a tiny sentiment model."""
    return str(model_folder("sequence-classification", num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"}))


WORDS = "the movie was great fun boring dog story and we love hate it ! zebra".split()


def make_texts(count):
    """Texts of unequal lengths, none like another."""
    return [
        " ".join(WORDS[(number * 7 + place * place) % 15] for place in range(1 + number % 23)) + f" {number}"
        for number in range(count)
    ]


def write_table(path, rows):
    """Rows as a table in the form that the name says."""
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=97)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return path


def read_table(path):
    """The rows that were written; cells of CSV as texts."""
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

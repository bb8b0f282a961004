"""Every task's answers as tables: what its columns say is what its rows hold, in every form of file."""

import json

import pytest
from pyarrow import parquet

from contracts.task_examples import examples
from headway import pipeline
from headway.bulk import predict_files
from headway.bulk.columns import answer_columns, arrow_type
from headway.tasks import task as find_task
from headway.tasks import task_names

from .conftest import read_table


def plain(value):
    """A value with numbers that may differ in their last digits, and lists for arrays."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


@pytest.mark.parametrize("name", task_names())
def test_the_answers_of_a_task_are_written_as_its_columns_say(tmp_path, model, model_folder, name):
    found = find_task(name)
    tries = examples(found)
    rows = [item if isinstance(item, dict) else {"text": item} for item in tries.items]
    rows = [row for row in rows if set(row) == set(rows[-1])]
    folder = model_folder(found.head, **tries.settings)
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ready = pipeline(name, folder, **tries.options)
    items = [item for item in tries.items if (item if isinstance(item, dict) else {"text": item}) in rows]
    expected = [plain(ready.prepared.row(answer.answer)) for answer in ready.stream(items)]
    for ending in ("jsonl", "parquet", "csv"):
        summary = predict_files(path, tmp_path / f"out.{ending}", task=name, model=folder, keep=[], **tries.options)
        assert summary.total.errors == 0
    for ending in ("jsonl", "parquet"):
        assert [{**row, "error": None} for row in read_table(tmp_path / f"out.{ending}")] == [
            {**row, "error": None} for row in expected
        ]
    schema = parquet.read_schema(tmp_path / "out.parquet")
    assert [(field.name, field.type) for field in schema] == [
        (column.name, arrow_type(column)) for column in answer_columns(ready.prepared, count_dropped=False)
    ]


def test_a_role_that_a_table_may_lack_may_be_empty_in_a_row(tmp_path, model, model_folder):
    path = tmp_path / "in.jsonl"
    rows = [
        {"prompt": "the dog", "choice0": "was great", "choice1": "boring", "choice2": "fun" if number else None}
        for number in (0, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    predict_files(path, tmp_path / "out.jsonl", model=model_folder("multiple-choice"), top_k=None)
    assert [len(row["choices"]) for row in read_table(tmp_path / "out.jsonl")] == [2, 3]


def test_a_pair_of_which_one_text_is_missing_is_an_error(tmp_path, model):
    (tmp_path / "in.jsonl").write_text('{"premise": "good", "hypothesis": "bad"}\n{"premise": "good", "hypothesis": null}\n')
    predict_files(tmp_path / "in.jsonl", tmp_path / "out.jsonl", model=model)
    assert [row["error"] for row in read_table(tmp_path / "out.jsonl")] == [
        None, "The column 'hypothesis' holds nothing, where the text_pair belongs. Fill it in.",
    ]  # fmt: skip

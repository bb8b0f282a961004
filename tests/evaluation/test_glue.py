"""GLUE's sets by name: where their rows are found, and what their numbers mean."""

import json
import sys
import types
from unittest import mock

import pytest

from headway.errors import ConfigError, DataError, MissingExtraError
from headway.evaluation.glue import GLUE, find_rows, glue_set

ALL = {"cola", "mnli", "mnli_mismatched", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli"}


def rows_at(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sentence": "good", "label": 1}) + "\n", encoding="utf-8")
    return path


def test_every_set_with_labels_is_there():
    assert set(GLUE) == ALL
    assert {name: found.official for name, found in GLUE.items() if found.official != ("accuracy",)} == {
        "cola": ("matthews_correlation",),
        "mrpc": ("accuracy", "f1"),
        "qqp": ("accuracy", "f1"),
        "stsb": ("pearson", "spearman"),
    }


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("sst2", "sst2"),
        ("SST-2", "sst2"),
        ("sts-b", "stsb"),
        ("MNLI-mm", "mnli_mismatched"),
        ("mnli-mismatched", "mnli_mismatched"),
    ],
)
def test_a_name_may_be_written_in_several_ways(written, name):
    assert glue_set(written) is GLUE[name]


@pytest.mark.parametrize("name", ["sst3", "ax", ""])
def test_an_unknown_name_suggests_a_known_one(name):
    with pytest.raises(
        ConfigError, match=rf"GLUE has no set '{name}' whose labels are known\. (Did you mean 'sst2'|Known: cola, )"
    ):
        glue_set(name)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("sst2", "glue/sst2/validation.jsonl"),
        ("sst2", "sst2/validation.parquet"),
        ("sst2", "validation.csv"),
        ("sst2", "sst2/validation-00000-of-00001.parquet"),
        ("qqp", "glue/qqp/validation_sample.jsonl"),
        ("mnli", "glue/mnli/validation_matched.jsonl"),
        ("mnli", "glue/mnli/validation.jsonl"),
        ("mnli_mismatched", "glue/mnli/validation_mismatched.jsonl.xz"),
    ],
)
def test_rows_are_found_in_a_folder_however_it_is_laid_out(tmp_path, name, file):
    there = rows_at(tmp_path / file)
    rows_at(there.with_name("train.jsonl"))
    assert find_rows(name, tmp_path) == there
    assert find_rows(name, there) == there


def test_the_two_halves_of_mnli_are_not_taken_for_each_other(tmp_path):
    rows_at(tmp_path / "mnli" / "validation_mismatched.jsonl")
    with pytest.raises(DataError, match=r"holds no validation rows of GLUE's mnli: none of .*validation_matched\.jsonl"):
        find_rows("mnli", tmp_path)
    both = rows_at(tmp_path / "mnli" / "validation_matched.jsonl")
    assert find_rows("mnli", tmp_path) == both


def test_several_files_that_could_be_the_rows_are_refused_by_name(tmp_path):
    rows_at(tmp_path / "sst2" / "validation-1.jsonl")
    rows_at(tmp_path / "sst2" / "validation-2.jsonl")
    with pytest.raises(DataError, match=r"several files that may be the split validation: validation-1\.jsonl, validation-2"):
        find_rows("sst2", tmp_path)


def test_rows_in_memory_stay_what_they_are():
    rows = [{"sentence": "good", "label": 1}]
    assert find_rows("sst2", rows) is rows


def test_without_a_folder_and_without_datasets_one_learns_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"Name a folder that holds glue/mnli/validation_matched\.jsonl .*pip install datasets"
    ):
        find_rows("mnli", None)


def test_without_a_folder_and_without_network_one_learns_what_to_do(monkeypatch):
    library = types.ModuleType("datasets")
    library.load_dataset = mock.Mock(side_effect=ConnectionError("no way there"))
    monkeypatch.setitem(sys.modules, "datasets", library)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    said = r"GLUE's sst2 is neither named .*: no way there\. Name a folder that holds glue/sst2/validation\.jsonl .*network"
    with pytest.raises(DataError, match=said):
        find_rows("sst2", None)


def test_without_a_folder_rows_come_through_datasets(monkeypatch):
    library = types.ModuleType("datasets")
    library.load_dataset = lambda name, part, split: (name, part, split)
    monkeypatch.setitem(sys.modules, "datasets", library)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert find_rows("mnli-mm", None) == ("nyu-mll/glue", "mnli", "validation_mismatched")

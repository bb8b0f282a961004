"""What every task must satisfy, whatever it does. Those that read other than texts have an entry in ``task_examples``."""

import dataclasses
import json
import typing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from contracts.task_examples import Examples, examples
from headway import Pipeline, pipeline
from headway.core import registry
from headway.core.config import field_docs
from headway.errors import InputError, TaskError
from headway.tasks import TASK_OF_HEAD, Task, TaskOptions, task, task_for_head, task_names, task_of

TASKS = [task(name) for name in task_names()]
each_task = pytest.mark.parametrize("found", TASKS, ids=lambda found: found.name)


def test_every_file_with_a_task_is_one():
    assert sorted(found.name for found in registry.load_all("headway.tasks", "TASK")) == task_names()
    assert {"text-classification", "fill-mask", "feature-extraction", "sentence-embeddings"} <= set(task_names())


def test_names_and_aliases_are_found_and_mean_one_task():
    names = task_names(aliases=True)
    assert len(names) == len(set(names))
    assert task("sentiment-analysis") is task("text-classification")


@pytest.mark.parametrize("name", ["text-clasification", "", None, 3, ["fill-mask"]])
def test_an_unknown_task_lists_the_known_ones_and_the_nearest(name):
    meant = r" Did you mean 'text-classification'\?" if name == "text-clasification" else ""
    with pytest.raises(TaskError, match=rf"There is no task .* Known tasks: {', '.join(task_names(aliases=True))}\.{meant}"):
        task(name)


@each_task
def test_a_task_says_what_it_does_and_documents_its_options(found: Task):
    assert found.summary
    assert issubclass(found.options, TaskOptions)
    assert {field.name for field in dataclasses.fields(found.options)} <= set(field_docs(found.options))


@each_task
def test_an_unknown_option_lists_the_known_ones(found: Task):
    with pytest.raises(TaskError, match=f"{found.name} has no option 'colour'. Its options are max_length, overflow"):
        found.choose({"colour": "red"})


@each_task
def test_a_task_without_a_training_side_says_so(found: Task):
    if found.as_learnt.training is not None:
        assert found.trainable() is found.as_learnt.training
    else:
        with pytest.raises(
            TaskError, match=f"{found.name} does not learn from labelled rows. Tasks that do: .*text-classification"
        ):
            found.trainable()


@pytest.mark.parametrize("head", [head for head, name in TASK_OF_HEAD.items() if name in task_names()])
def test_a_head_has_a_task_that_its_models_can_do(head):
    stands_for = {"pretraining": "masked-lm", "replaced-token": "base"}
    assert task(task_for_head(head)).head == stands_for.get(head, head)


def test_a_model_that_does_not_say_its_head_asks_for_the_task(tiny_config):
    with pytest.raises(
        TaskError, match=r"does not say what it was trained for \(architectures: \['BertForX'\]\). Name the task: "
    ):
        task_of(tiny_config.replace(architectures=["BertForX"]))


@each_task
def test_options_are_ready_for_json(found: Task):
    options = found.choose(examples(found).options)
    assert json.loads(json.dumps(options.to_dict())) is not None


@pytest.fixture(scope="module", params=TASKS, ids=lambda found: found.name)
def tried(request, model_folder):
    """A task with its examples and a pipeline of it on a tiny model."""
    found = request.param
    tries = examples(found)
    folder = model_folder(found.head, **tries.settings)
    return Tried(found, tries, folder, pipeline(found.name, folder, **tries.options))


@dataclass(frozen=True)
class Tried:
    task: Task
    tries: Examples
    folder: Path
    pipe: Pipeline


def is_near(ours, theirs):
    """Equal, but for the rounding of numbers."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(is_near(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(is_near, ours, theirs))
    return ours == (pytest.approx(theirs, rel=1e-4, abs=1e-4) if isinstance(ours, float) else theirs)


def plain(pipe, items):
    return [found.answer for found in pipe.stream(items)]


def test_no_inputs_have_no_answers(tried):
    assert tried.pipe([]) == []
    assert list(tried.pipe(iter([]))) == []


def test_one_input_and_many_are_answered_and_json_can_hold_the_answers(tried):
    items = list(tried.tries.items)
    for inputs in (items[0], items[:1], items, items * 3):
        answer = tried.pipe(inputs)
        assert json.loads(json.dumps(answer)) == answer
    assert len(tried.pipe(items * 3)) == 3 * len(items)
    assert len(list(tried.pipe(iter(items)))) == len(items)


def test_an_input_is_answered_alone_as_in_company_and_in_order(tried):
    items = list(tried.tries.items)
    alone = [answer for item in items for answer in plain(tried.pipe, [item])]
    assert is_near(plain(tried.pipe, items[::-1] * 5), alone[::-1] * 5)


def test_threads_that_share_a_pipeline_get_the_answers_of_one(tried):
    items = [*tried.tries.items, tried.tries.long]
    expected = plain(tried.pipe, items)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: plain(tried.pipe, items), range(24)):
            assert is_near(found, expected)


def test_an_input_that_is_too_long_is_answered_beside_others(tried):
    items = [tried.tries.items[0], tried.tries.long, tried.tries.items[-1]]
    found = plain(tried.pipe, items)
    assert is_near(found[::2], plain(tried.pipe, items[::2]))
    assert json.loads(json.dumps(found[1])) == found[1]
    assert is_near(plain(tried.pipe, items[1:2]), found[1:2])


def test_what_is_no_input_is_refused_by_its_number(tried):
    for wrong in (None, 7, b"good", object()):
        with pytest.raises(InputError, match=r"^Input 1: "):
            tried.pipe([tried.tries.items[0], wrong])


def test_answers_are_rows_with_the_columns_that_the_task_announces(tried):
    prepared = tried.task.prepare(tried.pipe.facts, tried.task.choose(tried.tries.options))
    for answer in plain(tried.pipe, [*tried.tries.items, tried.tries.long]):
        check_record(prepared.row(answer), prepared.columns)


def check_record(record, columns):
    assert record.keys() == {column.name for column in columns}
    for column in columns:
        check_value(record[column.name], column, column.depth)


def check_value(value, column, depth):
    if depth:
        assert isinstance(value, list)
        for inner in value:
            check_value(inner, column, depth - 1)
    elif isinstance(column.kind, tuple):
        check_record(value, column.kind)
    elif value is not None:
        assert type(value) is {"text": str, "number": float, "integer": int, "truth": bool}[column.kind], column


@pytest.mark.train
def test_torch_and_onnx_agree(tried):
    items = [*tried.tries.items, tried.tries.long]
    torch = pipeline(tried.task.name, tried.folder, engine="torch", **tried.tries.options)
    assert is_near(plain(torch, items), plain(tried.pipe, items))
    assert is_near(torch(items[0]), tried.pipe(items[0]))


@each_task
def test_numbers_and_switches_of_numpy_are_those_of_python_and_words_are_no_switches(found: Task):
    values = {"max_length": 29, "count_dropped": True}
    if "top_k" in {field.name for field in dataclasses.fields(found.options)}:
        values["top_k"] = 2
    given = {name: np.asarray(value)[()] for name, value in values.items()}
    chosen = found.choose({**examples(found).options, **given})
    assert chosen == found.choose({**examples(found).options, **values})
    assert json.loads(json.dumps(chosen.to_dict()))["max_length"] == 29
    hints = typing.get_type_hints(found.options)
    for name in (name for name, hint in hints.items() if bool in (hint, *typing.get_args(hint)) and name != "return_all_scores"):
        with pytest.raises(TaskError, match=f"{name} is 'no', but it is on or off. Use True or False."):
            found.choose({**examples(found).options, name: "no"})

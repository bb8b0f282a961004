"""What every task must satisfy, whatever it does."""

import json

import pytest

from headway.core import registry
from headway.core.config import field_docs
from headway.errors import TaskError
from headway.tasks import Task, TaskOptions, task, task_for_head, task_names, task_of

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
def test_an_unknown_task_lists_the_known_ones(name):
    with pytest.raises(
        TaskError, match=r"There is no task .* Known tasks: feature-extraction, fill-mask, sentence-embeddings, senti"
    ):
        task(name)


@each_task
def test_a_task_says_what_it_does_and_documents_its_options(found: Task):
    assert found.summary
    assert issubclass(found.options, TaskOptions)
    assert set(found.options().to_dict()) <= set(field_docs(found.options))


@each_task
def test_an_unknown_option_lists_the_known_ones(found: Task):
    with pytest.raises(TaskError, match=f"{found.name} has no option 'colour'. Its options are max_length, overflow"):
        found.choose({"colour": "red"})


@each_task
def test_a_task_without_a_training_side_says_so(found: Task):
    if found.name == "text-classification":
        assert found.trainable() is found.training
    else:
        with pytest.raises(
            TaskError, match=f"{found.name} does not learn from labelled rows. Tasks that do: text-classification"
        ):
            found.trainable()


@pytest.mark.parametrize("head", ["base", "sequence-classification", "masked-lm"])
def test_every_head_has_its_task(head):
    assert task(task_for_head(head)).head == head


def test_a_model_that_does_not_say_its_head_asks_for_the_task(tiny_config):
    with pytest.raises(
        TaskError, match=r"does not say what it was trained for \(architectures: \['BertForX'\]\). Name the task: "
    ):
        task_of(tiny_config.replace(architectures=["BertForX"]))


@each_task
def test_options_are_ready_for_json(found: Task):
    assert json.loads(json.dumps(found.options().to_dict())) is not None

"""What is said before the first step."""

from dataclasses import replace

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.neural import AutoModelForSequenceClassification
from headway.settings.training import TrainingArguments
from headway.tasks import Example
from headway.training.advice import SMALLER, Facts, advice, advice_at_start, facts_of
from headway.training.estimate import Estimate

SMALL = Estimate(1e9, 1e9, 2e9, 1e9)
FINE = Facts(
    device="cpu", gains_from_bf16=True, bf16=True, cores=2, threads=2, lengths=(13,) * 1000, limit=128, model_limit=512,
    batch_rows=32, accumulation=1, checkpointing=False, room=100e9, plain=SMALL, whole_step=SMALL, steps=93, evaluated_rows=100,
    evaluations=3, operations=1e12, model_type="bert", hidden_size=768, layers=12,
)  # fmt: skip


def test_where_all_is_well_nothing_is_said():
    assert advice(FINE) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bf16": False}, "Precision: bf16 is off, but this hardware multiplies bfloat16 faster than float32. Leave bf16 out"),
        ({"gains_from_bf16": False}, "Precision: bf16 is on, but this hardware has no products in bfloat16"),
        ({"fp16": True, "bf16": False}, "Precision: fp16 is on, but this hardware multiplies bfloat16 as fast"),
        ({"fp16": True, "bf16": False, "gains_from_bf16": False}, "this CPU has no products in float16, so float32 is quicker"),
        ({"threads": 1}, "Threads: torch uses 1 of 2 cores. Set OMP_NUM_THREADS=2"),
        ({"lengths": (128,) * 37 + (50,) * 63}, "37 of 100 rows (37%) fill max_length=128, so what they had beyond it is lost."),
        ({"lengths": (128,) * 37 + (50,) * 63}, "The model reads up to 512 tokens: raise max_length."),
        ({"lengths": (512,) * 2, "limit": 512}, "2 of 2 rows (100%) fill max_length=512, which is all that the model reads"),
        ({"batch_rows": 2}, "Batches: one holds 26 tokens on average, too few for this hardware to be quick. From about 10"),
        ({"batch_rows": 8, "accumulation": 4}, "per_device_train_batch_size=32 with gradient_accumulation_steps=1 takes"),
        ({"checkpointing": True}, "gradient_checkpointing computes every layer twice, a third more work"),
        ({"evaluations": 93}, "Evaluation: 93 evaluations of 100 rows cost more than the training itself. Raise eval_steps"),
        ({"operations": 1e16}, "Quicker is distilbert-base-uncased, 1.6 times as fast; it keeps 97 %"),
    ],
)  # fmt: skip
def test_what_could_be_better_is_said_with_the_setting_that_changes_it(changes, expected):
    if "evaluations" in changes:
        changes = changes | {"steps": 2}
    (line,) = advice(replace(FINE, **changes))
    assert expected in line


@pytest.mark.parametrize(
    "changes",
    [
        {"gains_from_bf16": False, "bf16": False},
        {"gains_from_bf16": False, "bf16": False, "fp16": True, "device": "cuda", "batch_rows": 512},
        {"device": "cuda", "threads": 1, "batch_rows": 512},
        {"lengths": (128,) * 3 + (50,) * 997},
        {"checkpointing": True, "plain": Estimate(1e9, 1e9, 2e9, 60e9)},
        {"checkpointing": True, "room": None},
        {"batch_rows": 32, "accumulation": 4, "whole_step": Estimate(1e9, 1e9, 2e9, 60e9)},
        {"operations": 1e16, "model_type": "distilbert"},
        {"operations": 1e16, "device": "cuda", "batch_rows": 512},
    ],
)
def test_what_is_as_good_as_it_gets_is_not_remarked_on(changes):
    assert advice(replace(FINE, **changes)) == []


def test_smaller_models_are_offered_with_what_they_lose_and_who_says_so():
    for one in SMALLER:
        assert any(sign in one.loss for sign in ("arXiv:", "README"))
        assert any(letter.isdigit() for letter in one.loss)


def test_facts_are_those_of_the_settings(tiny_config):
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(tiny_config)
    arguments = TrainingArguments(
        num_train_epochs=3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        eval_strategy="epoch",
        bf16=False,
        max_length=12,
    )
    rows = [(5, 7)] * 10 + [(3,)] * 7  # questions with two choices, and with one
    found = facts_of(model, rows, arguments, evaluated_rows=11)
    assert (found.steps, found.evaluations, found.evaluated_rows) == (9, 3, 11)
    assert (found.lengths.count(12), found.lengths.count(3), found.limit) == (10, 7, 12)
    assert found.plain.activations < found.whole_step.activations
    assert found.operations > 0
    by_steps = TrainingArguments(max_steps=21, eval_strategy="steps", eval_steps=7)
    assert facts_of(model, rows, by_steps, evaluated_rows=11).evaluations == 3
    examples = [Example(tuple(TokenSequence([5] * length) for length in row), 0) for row in rows]
    lines = advice_at_start(model, examples, arguments, held_out=examples * 30)
    assert lines[-1].startswith("Evaluation: 3 evaluations of 510 rows")
    assert lines[0].startswith("Memory: about 0.00 GB (weights 0.00")

"""Intervals of logging, evaluating and saving, in steps or as shares of all steps."""

import pytest
import transformers

from headway.errors import ConfigError
from headway.settings.training import TrainingArguments
from headway.training.moments import Intervals, intervals


@pytest.mark.parametrize("total", [7, 95, 97, 1000])
@pytest.mark.parametrize("shares", [(0.1, 0.25, 0.5), (0.01, 0.3, 1), (50, 0.05, 200)])
def test_shares_are_rounded_up_as_in_transformers(total, shares):
    given = dict(zip(("logging_steps", "eval_steps", "save_steps"), shares, strict=True))
    arguments = TrainingArguments("out", eval_strategy="steps", **given)
    theirs = transformers.TrainerState()
    theirs.compute_steps(transformers.TrainingArguments("out", eval_strategy="steps", **given), total)
    found = intervals(arguments, total)
    assert (found.logging, found.evaluating) == (theirs.logging_steps, theirs.eval_steps)
    assert found.saving == theirs.save_steps or found.saving % found.evaluating == 0


def test_checkpoints_stay_with_evaluations_however_shares_are_rounded():
    arguments = TrainingArguments("out", eval_strategy="steps", eval_steps=0.1, save_steps=0.2, load_best_model_at_end=True)
    assert intervals(arguments, 95) == Intervals(logging=500, evaluating=10, saving=20)  # 0.2 of 95 is 19


def test_without_eval_steps_evaluations_come_with_lines_of_the_log():
    assert intervals(TrainingArguments("out", logging_steps=0.25), 41).evaluating == 11


@pytest.mark.parametrize("every", [(0.1, 20), (0.3, 0.5), (20, 0.1), (0.2, 0.1)])
def test_the_best_model_needs_checkpoints_of_its_evaluations(every):
    with pytest.raises(ConfigError, match="load_best_model_at_end needs a checkpoint of each evaluation"):
        TrainingArguments("out", eval_strategy="steps", eval_steps=every[0], save_steps=every[1], load_best_model_at_end=True)

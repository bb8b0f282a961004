"""Learning rates: by hand, and as transformers has them under the same names."""

import math

import pytest
import torch
import transformers

from headway.errors import ConfigError
from headway.settings.training import TrainingArguments
from headway.training.schedules import SCHEDULES, learning_rates

RATE, TOTAL, WARM = 0.3, 97, 13
CASES = [
    ("linear", {}),
    ("cosine", {}),
    ("cosine", {"num_cycles": 1.5}),
    ("cosine_with_restarts", {}),
    ("cosine_with_restarts", {"num_cycles": 3}),
    ("cosine_with_min_lr", {"min_lr": 0.07}),
    ("cosine_with_min_lr", {"min_lr_rate": 0.2, "num_cycles": 0.7}),
    ("polynomial", {}),
    ("polynomial", {"power": 2.5, "lr_end": 0.01}),
    ("constant", {}),
    ("constant_with_warmup", {}),
    ("inverse_sqrt", {}),
    ("inverse_sqrt", {"timescale": 29}),
    ("warmup_stable_decay", {"num_decay_steps": 31}),
    ("warmup_stable_decay", {"num_decay_steps": 31, "num_stable_steps": 19, "min_lr_ratio": 0.1, "num_cycles": 0.4}),
    ("warmup_stable_decay", {"num_decay_steps": 17, "decay_type": "linear", "warmup_type": "cosine", "min_lr_ratio": 0.1}),
    ("warmup_stable_decay", {"num_decay_steps": 17, "decay_type": "1-sqrt", "warmup_type": "1-sqrt"}),
]


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("linear", 0, 0.0),
        ("linear", 5, 0.5),
        ("linear", 10, 1.0),
        ("linear", 55, 0.5),
        ("linear", 100, 0.0),
        ("cosine", 55, 0.5),
        ("cosine", 32.5, 0.5 + math.cos(math.pi / 4) / 2),
        ("constant_with_warmup", 5, 0.5),
        ("constant_with_warmup", 99, 1.0),
        ("constant", 0, 1.0),
    ],
)
def test_learning_rates_by_hand(schedule, step, expected):
    arguments = TrainingArguments(learning_rate=2.0, optim="sgd", lr_scheduler_type=schedule, warmup_steps=10)
    assert learning_rates(100, arguments)(step) == pytest.approx(2 * expected)


def test_warm_up_below_one_is_a_share_of_all_steps():
    share, steps = (TrainingArguments(learning_rate=1.0, warmup_steps=warmup) for warmup in (0.1, 20))
    assert learning_rates(200, share)(10) == learning_rates(200, steps)(10) == 0.5


@pytest.mark.filterwarnings("ignore:Both num_training_steps and num_stable_steps")
@pytest.mark.parametrize("warm", [0, WARM])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_every_step_has_the_rate_that_transformers_gives_it(name, settings, warm):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    if name == "inverse_sqrt":  # get_scheduler leaves its settings out
        theirs = transformers.get_inverse_sqrt_schedule(optimizer, warm, **settings)
    else:
        theirs = transformers.get_scheduler(name, optimizer, warm, TOTAL, scheduler_specific_kwargs=dict(settings))
    ours = TrainingArguments(learning_rate=RATE, lr_scheduler_type=name, lr_scheduler_kwargs=settings, warmup_steps=warm)
    for step in range(TOTAL):
        assert learning_rates(TOTAL, ours)(step) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9, abs=1e-12)
        optimizer.step()
        theirs.step()


def test_every_schedule_is_compared():
    assert {name for name, _ in CASES} | {"reduce_lr_on_plateau"} == set(SCHEDULES)  # it has tests of its own


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("linear", {"num_cycles": 2}, r"'num_cycles', which is no setting of the schedule 'linear'. Its settings are: none"),
        ("cosine", {"cycles": 2}, r"'cycles', which is no setting of the schedule 'cosine'. Its settings are: num_cycles"),
        ("warmup_stable_decay", {}, r"needs num_decay_steps. Give it: lr_scheduler_kwargs=\{'num_decay_steps': …\}"),
    ],
)
def test_settings_of_another_schedule_are_refused(name, settings, message):
    arguments = TrainingArguments(lr_scheduler_type=name, lr_scheduler_kwargs=settings)
    with pytest.raises(ConfigError, match=message):
        learning_rates(TOTAL, arguments)(0)

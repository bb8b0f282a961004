"""What a training's live view says, as text; where it is drawn, and where it is not."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from headway.settings.training import TrainingArguments
from headway.training.checkpoints import TrainerState
from headway.training.reporting import Reporter
from headway.training.screen import Screen
from headway.training.step import StepResult
from headway.training.view import View, amount, clock, curve, lines, trend

FULL = View(
    step=412, total=1200, epoch=1.03, gone=133, left=250, losses=[2.0] * 4 + [1.0] * 4, rate=1.8e-5, norm=1.3,
    metric="accuracy", value=0.874, best=0.881, best_step=300, tokens_per_second=31204, operations_per_second=82e9, peak=200e9,
    precision="bf16", memory=1.24e9, memory_peak=1.9e9,
)  # fmt: skip


def test_the_view_says_all_that_is_known():
    progress, loss, metric, machine = lines(FULL, width=120)
    assert progress.startswith("Training  412/1,200 steps  34%  epoch 1.03  2:13 gone, 4:10 left  ━")
    assert loss == "loss 1.0000 → ████▁▁▁▁  rate 1.80e-05  gradient 1.30"
    assert metric == "accuracy 0.8740  best 0.8810 at step 300"
    assert machine == "31,204 tokens/s  41% of this machine's 200 GFLOP/s in bf16  memory 1.2 GB, peak 1.9 GB"


def test_what_is_not_known_is_left_out():
    assert lines(View(total=7)) == ["Training  0/7 steps  0%  0:00 gone  " + "─" * 30, "0 tokens/s"]


@pytest.mark.parametrize("width", [5, 23, 61, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, lines(FULL, width=width))) <= width


def test_a_terminal_without_such_signs_gets_plain_ones():
    assert all(line.isascii() for line in lines(FULL, width=70, unicode=False))


@pytest.mark.parametrize(
    ("losses", "sign"),
    [
        ([], ""),
        ([3.0] * 8, "→"),
        ([4, 3, 2, 1, 0.5, 0.2, 0.1, 0.05], "↘"),
        ([1, 1, 1, 1, 1, 1, 3, 3], "↗"),
        ([1.0] * 7 + [float("nan")], "not finite"),
    ],
)
def test_the_trend_compares_the_last_two_quarters(losses, sign):
    assert trend(losses) == sign


def test_the_curve_is_the_means_of_as_many_steps_from_low_to_high():
    assert curve([8, 8, 4.5, 4.5, 1, 1], most=3) == "█▅▁"
    assert curve([1.0]) == ""
    assert curve([2.0, float("nan"), 2.0]) == "▁▁"


def test_times_and_amounts_are_readable():
    assert [clock(seconds) for seconds in (0, 59.6, 3725)] == ["0:00", "1:00", "1:02:05"]
    assert [amount(value, "B") for value in (7, 1500, 2.34e9, 5e15)] == ["7 B", "1.5 kB", "2.3 GB", "5000 TB"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def reporter(folder, file):
    found = Reporter(folder)
    found.screen = Screen(shown=True, console=Console(file=file, force_terminal=isinstance(file, Terminal), width=90))
    return found


def one_step(found):
    state = TrainerState(global_step=0)
    found.begin(state, total=3, resumed=None, arguments=TrainingArguments("out"))
    state.global_step = 1
    found.step(state, StepResult(loss=0.7, gradient_norm=0.2, tokens=11), 1e-3)
    found.log_training(state)
    found.close()


def test_a_terminal_shows_the_view_and_gets_its_cursor_back(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    one_step(reporter(tmp_path, file))
    assert "Training  1/3 steps" in file.getvalue()
    assert file.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in file.getvalue()


def test_no_colour_is_used_where_none_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    file = Terminal()
    one_step(reporter(tmp_path, file))
    assert "\x1b[3" not in file.getvalue()


def test_a_file_gets_plain_lines_alone(tmp_path, capsys):
    file = io.StringIO()
    one_step(reporter(tmp_path, file))
    assert not file.getvalue()
    said = capsys.readouterr().out
    assert said.startswith("step 1: loss 0.7, grad_norm 0.2, learning_rate 0.001, tokens_per_second ")
    assert "\x1b" not in said


def test_advice_stays_above_the_view(tmp_path, capsys):
    Reporter(tmp_path).advise(["bf16 would be faster here.", "Texts have at most 32 tokens."])
    assert capsys.readouterr().out == "bf16 would be faster here.\nTexts have at most 32 tokens.\n"
    Reporter(tmp_path, progress=False).advise(["nothing"])
    assert capsys.readouterr().out == ""


def test_the_view_is_up_to_date_at_each_entry_of_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr("headway.training.reporting.BETWEEN", 60.0)
    file = Terminal()
    found, state = reporter(tmp_path, file), TrainerState(global_step=0)
    found.begin(state, total=13, resumed=None, arguments=TrainingArguments("out"))
    for state.global_step in range(1, 12):  # of which the first alone is drawn by itself
        found.step(state, StepResult(loss=0.7, gradient_norm=0.2, tokens=11), 1e-3)
    assert "11/13" not in file.getvalue()
    found.log_training(state)
    assert "11/13" in file.getvalue()
    found.close()
    found.step(state, StepResult(loss=0.7, gradient_norm=0.2, tokens=11), 1e-3)
    shown = file.getvalue()
    found.log_training(state)
    assert file.getvalue() == shown  # nothing is opened anew


def test_the_metric_watched_is_the_one_models_are_compared_by(tmp_path):
    found, state = Reporter(tmp_path, progress=False), TrainerState()
    state.log_history = [
        {"step": 2, "eval_loss": 0.5, "eval_accuracy": 0.8, "eval_f1": 0.3},
        {"step": 4, "eval_loss": 0.4, "eval_accuracy": 0.7, "eval_f1": 0.6},
    ]

    def watched(**arguments):
        found.begin(state, total=5, resumed=None, arguments=TrainingArguments(str(Path(tmp_path)), **arguments))
        view = found.view(state)
        return view.metric, view.value, view.best, view.best_step

    assert watched() == ("accuracy on held-out data", 0.7, 0.8, 2)
    assert watched(metric_for_best_model="f1") == ("f1 on held-out data", 0.6, 0.6, 4)
    assert watched(metric_for_best_model="eval_loss") == ("loss on held-out data", 0.4, 0.4, 4)

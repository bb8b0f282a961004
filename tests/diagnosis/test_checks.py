"""Each check on figures made to show one fault, and on healthy ones, where it has to be silent."""

import numpy as np
import pytest

from headway.diagnosis.classes import check_classes
from headway.diagnosis.cuts import check_cuts
from headway.diagnosis.doubles import check_conflicts, check_leaks
from headway.diagnosis.findings import Diagnosis, Finding, as_markdown, as_text, gravest_first
from headway.diagnosis.fitting import check_fit
from headway.diagnosis.growth import check_growth
from headway.diagnosis.noise import check_labels, suspects
from headway.diagnosis.rates import check_range, check_rate


def log(losses, held_out=(), norms=None):
    """A log with a line every ten steps, and evaluations spread over it."""
    entries = [
        {"step": 10 * number, "loss": loss, "grad_norm": 1.5 if norms is None else norms[number - 1]}
        for number, loss in enumerate(losses, 1)
    ]
    every = 10 * len(losses) // max(1, len(held_out))
    return entries + [
        {"step": every * number, "eval_loss": loss, "eval_accuracy": 0.8} for number, loss in enumerate(held_out, 1)
    ]


FALLING = [0.7, 0.6, 0.5, 0.42, 0.36, 0.31, 0.28, 0.26, 0.25, 0.245, 0.242, 0.24]
HEALTHY = log(FALLING, [0.5, 0.4, 0.37, 0.36])


def fit(history):
    return check_fit(history, length=3.0, setting="num_train_epochs")


def rate(history, clip=1.0):
    return check_rate(history, rate=2e-5, clip=clip)


def test_a_healthy_log_has_no_finding():
    assert (fit(HEALTHY).level, rate(HEALTHY).level) == ("fine", "fine")


def test_learning_by_heart_shows_in_the_held_out_loss():
    found = fit(log([0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01], [0.5, 0.4, 0.5, 0.7]))
    assert (found.level, found.sure) == ("problem", "high")
    assert found.do.startswith("num_train_epochs=1.5, or load_best_model_at_end=true")
    assert "held-out loss 0.4000 at best (step 40), 0.7000 at the end (step 80)" in found.evidence


def test_a_score_that_never_rises_above_nothing_is_a_problem():
    found = fit([entry | ({"eval_accuracy": 0.0} if "eval_accuracy" in entry else {}) for entry in HEALTHY])
    assert (found.level, found.said) == ("problem", "no evaluation got anything right: accuracy never rose above 0")


def test_a_run_that_ended_too_early_is_told_to_go_on():
    found = fit(log([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], [0.8, 0.6, 0.4, 0.2]))
    assert (found.level, found.do) == ("hint", "num_train_epochs=6")


@pytest.mark.parametrize("history", [[], log([0.5, 0.4]), log(FALLING)])
def test_what_a_log_does_not_hold_is_said(history):
    assert fit(history).level == "unknown"
    assert f"eval_strategy=steps and logging_steps={max(1, len(history) // 2)}" in fit(history).do


@pytest.mark.parametrize(
    ("history", "level", "said"),
    [
        pytest.param(log([0.7, 0.5, float("nan"), 0.4, 0.3]), "problem", "the loss is no number any more", id="nan"),
        pytest.param(
            log([*FALLING[:6], 1.9, *FALLING[6:9], 2.4, *FALLING[9:]]), "problem", "jumps up again and again", id="spikes"
        ),
        pytest.param(log([*FALLING[:6], 1.9, *FALLING[6:]]), "hint", "jumped up once", id="one spike"),
        pytest.param(log([0.693, 0.694, 0.692, 0.693, 0.694, 0.693]), "problem", "the loss did not fall", id="flat"),
        pytest.param(log(FALLING, norms=[90.0] * 12), "hint", "clipping leaves hardly anything", id="clipped"),
        pytest.param(log(FALLING, norms=[0.5] * 4 + [2.0] * 4 + [9.0] * 4), "hint", "gradients grow", id="growing"),
        pytest.param(log([0.5, 0.4]), "unknown", "2 losses, too few", id="short"),
    ],
)
def test_a_rate_that_does_not_suit_shows_in_the_log(history, level, said):
    found = rate(history)
    assert found.level == level
    assert said in found.said
    assert level == "unknown" or "learning_rate=" in found.do


def test_a_loss_that_is_restless_throughout_has_no_spikes():
    assert rate(log([0.9, 0.3, 0.25, 0.6, 0.2, 0.22, 0.55, 0.18, 0.2, 0.5, 0.15, 0.14])).level == "fine"


def test_gradients_that_nothing_clips_are_left_alone():
    assert rate(log(FALLING, norms=[90.0] * 12), clip=0).level == "fine"


def ranged(rate):
    rates = [10.0**power for power in np.linspace(-8, -2, 25)]
    losses = [0.7 if one < 1e-6 else 0.5 if one < 1e-5 else 0.3 if one < 3e-4 else 0.3 + 800 * one for one in rates]
    return check_range(list(zip(rates, losses, strict=True)), rate=rate)


def test_a_range_test_judges_the_run_s_rate():
    assert ranged(2e-5).level == "fine"
    assert ranged(5e-3).level == "problem"
    assert "falls apart" in ranged(5e-3).said
    assert ranged(1e-7).level == "hint"
    flat = check_range([(10.0**-power, 0.7) for power in range(9)], rate=1e-5)
    assert flat.level == "unknown"
    assert check_range([(1e-5, 0.3)], rate=1e-5).level == "unknown"


def noisy(flipped, rows=200, seed=3):
    """Chances of a good model for three classes, and labels of which the first ``flipped`` are wrong."""
    random = np.random.default_rng(seed)
    true = random.integers(0, 3, rows)
    logits = random.normal(0, 0.7, (rows, 3))
    logits[np.arange(rows), true] += 4
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = true.copy()
    labels[:flipped] = (true[:flipped] + 1) % 3
    return chances, labels


def judged(chances, labels):
    texts = [f"text {place}" for place in range(len(labels))]
    return check_labels(chances, labels, names="abc", texts=texts, numbers=range(1, len(labels) + 1), data="train.csv")


def test_planted_wrong_labels_are_found_and_hardly_any_other():
    chances, labels = noisy(17)
    found = [suspect.row for suspect in suspects(chances, labels)]
    planted = set(range(17))
    assert len(planted & set(found)) >= 16
    assert len(planted & set(found)) / len(found) >= 0.9
    assert found[0] in planted


def test_wrong_labels_are_listed_with_the_likelier_one():
    found = judged(*noisy(17))
    assert (found.level, found.sure) == ("problem", "high")
    first = found.rows[0]
    assert first["row"] <= 17
    assert first["label"] != first["likelier"]
    assert first["text"] == f"text {first['row'] - 1}"


def test_right_labels_are_left_alone():
    assert judged(*noisy(0)).level == "fine"


def test_a_model_that_guesses_judges_nothing():
    chances = np.full((60, 3), 1 / 3)
    assert "knows too little to judge them" in judged(chances, np.arange(60) % 3).said
    assert judged(chances[:7], np.zeros(7, dtype=int)).level == "unknown"


def test_a_model_that_is_right_but_sure_of_nothing_judges_nothing():
    chances, labels = noisy(17)
    assert judged(0.9 / 3 + 0.1 * chances, labels).level == "unknown"


def classes(counts, recall):
    labels = np.repeat([0, 1, 2], 40)
    right = np.concatenate([np.arange(40) < share * 40 for share in recall])
    return check_classes(dict(zip("abc", counts, strict=True)), right, labels, names="abc")


def test_a_rare_class_that_is_not_learnt_is_a_problem():
    found = classes((900, 850, 11), (0.9, 0.9, 0.2))
    assert (found.level, found.sure) == ("problem", "high")
    assert "'c' is 82 times as rare" in found.said
    assert "class_weights=balanced" in found.do
    assert found.evidence[0] == "c: 11 training rows, 20.0% recognised of 40 held-out"


def test_a_rare_class_that_is_learnt_is_a_hint_and_equal_ones_are_fine():
    assert classes((900, 850, 11), (0.9, 0.9, 0.95)).level == "hint"
    assert classes((900, 850, 700), (0.9, 0.9, 0.5)).level == "fine"


def test_words_outside_of_entities_are_common_by_nature():
    found = check_classes({"O": 900, "B-PER": 90, "B-LOC": 70}, np.ones(2), np.array([0, 1]), names=["O", "B-PER", "B-LOC"])
    assert found.level == "fine"


def test_a_common_class_that_is_never_recognised_is_a_problem():
    found = classes((900, 850, 700), (0.9, 0.0, 0.9))
    assert (found.level, found.said) == ("problem", "the model never recognises b, though it is not rare")


def test_a_class_without_rows_is_named():
    found = classes((9, 8, 0), (0.9, 0.9, 0.2))
    assert (found.level, found.said) == ("problem", "no training row has the label c")


def test_a_rare_class_that_nobody_held_out_is_said_to_be_unmeasured():
    found = check_classes({"a": 70, "b": 7}, np.zeros(0), np.zeros(0), names="ab")
    assert "no held-out row tells what that does" in found.said


def cuts(share, right_of_cut=0.9, rows=400):
    cut = np.arange(rows) < share * rows
    right = np.where(cut, np.arange(rows) % 10 < 10 * right_of_cut, np.arange(rows) % 10 < 9)
    read, dropped = np.where(cut, 64, 30), np.where(cut, 26, 0)
    return check_cuts(read, dropped, right, limit=64, longest=512, data="valid.csv")


def test_rows_that_are_cut_and_answered_worse_are_a_problem():
    found = cuts(0.3, right_of_cut=0.5)
    assert (found.level, found.do) == ("problem", "max_length=90")
    assert "right: 50.0% of the 120 rows that are cut, 90.0% of the others" in found.evidence


def test_rows_that_are_cut_without_harm_are_a_hint_and_few_of_them_nothing():
    assert [cuts(share).level for share in (0.3, 0.02, 0.0)] == ["hint", "fine", "fine"]


def test_where_the_model_can_read_no_more_windows_are_proposed():
    found = check_cuts([64] * 9, [9] * 9, None, limit=64, longest=64, data="d")
    assert "overflow=window" in found.do
    assert check_cuts([64] * 9, [9] * 9, np.ones(9), limit=64, longest=64, data="d").level == "hint"


def test_held_out_rows_that_were_learnt_are_named():
    found = check_leaks(["A good  film.", "bad"], ["new", "a GOOD film.", "other"])
    assert found.level == "problem"
    assert found.rows == ({"row": 2, "stands in training as row": 1, "text": "a GOOD film."},)
    assert check_leaks(["a"], ["b"]).level == "fine"


def test_one_text_with_two_labels_is_named():
    found = check_conflicts(["same", "other", "Same", "same"], ["x", "x", "y", "x"])
    assert found.level == "problem"
    assert found.rows == ({"row": 1, "and rows": [3], "labels": ["x", "y"], "text": "same"},)
    fine = check_conflicts(["same", "same"], ["x", "x"])
    assert (fine.level, fine.evidence) == ("fine", ("1 of 2 training rows repeat another's text",))


def growth(scores, spread=0.005, **more):
    return check_growth([(100 * 2**place, score) for place, score in enumerate(scores)], metric="accuracy", spread=spread, **more)


def test_a_curve_that_still_rises_asks_for_rows_and_a_flat_one_does_not():
    rising = growth([0.70, 0.75, 0.79, 0.82])
    assert rising.level == "hint"
    assert "twice as many rows may bring about +0.022 accuracy" in rising.said
    assert growth([0.80, 0.819, 0.821, 0.822]).level == "fine"
    assert growth([0.9, 0.95, 0.98, 1.0]).level == "fine"


def test_runs_that_are_too_short_to_come_near_the_run_say_nothing():
    found = growth([0.5, 0.5, 0.51, 0.5], reached=0.9)
    assert found.level == "unknown"
    assert "the short runs reach 0.5000 accuracy and the run itself 0.9000" in found.said
    assert growth([0.5, 0.6]).level == "unknown"


def test_scores_that_do_not_rise_with_the_data_say_nothing():
    found = growth([0.45, 0.4, 0.5, 0.43], spread=0.05)
    assert found.level == "unknown"
    assert "do not rise with the data at all" in found.said


def test_a_diagnosis_is_told_in_text_and_as_a_page_the_gravest_first():
    fine = Finding(check="fit", level="fine", said="well")
    wrong = Finding(
        check="labels", level="problem", said="wrong", evidence=("3 of 7",), sure="low", do="look",
        rows=tuple({"row": number, "text": "x\ny"} for number in range(1, 6)),
    )  # fmt: skip
    found = Diagnosis(run="run", findings=gravest_first([fine, wrong]))
    assert as_text(found, rows=2).splitlines() == [
        "run: 1 problems, 0 hints, 1 checks without a finding.", "", "✗ labels: wrong (sureness: low)", "    3 of 7",
        "    row 1: text x y", "    row 2: text x y", "    … and 3 more", "    → look", "", "✓ fit: well",
    ]  # fmt: skip
    assert "## ✗ labels\n\nwrong (sureness: low)\n\n- 3 of 7\n- row 1: text x y" in as_markdown(found)
    assert not found.is_healthy


def test_a_healthy_run_is_said_to_be_healthy():
    found = Diagnosis(run="run", findings=(fit(HEALTHY), rate(HEALTHY), Finding(check="x", level="unknown", said="?")))
    assert found.is_healthy
    assert as_text(found).startswith("run: nothing was found that keeps this run from being better (2 checks). 1 could not be")

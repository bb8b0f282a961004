"""SQuAD's measures against transformers' own copy of the official script of version 2.0, on real questions."""

import json

import numpy as np
import pytest
from transformers.data.metrics.squad_metrics import squad_evaluate
from transformers.data.processors.squad import SquadExample

from headway.tasks.question_inputs import squad_rows
from headway.tasks.squad_metrics import SquadScorer


@pytest.mark.data
@pytest.mark.parametrize("name", ["dev-v1.1.json", "dev-v2.0.half.json"])
def test_scores_are_those_of_the_official_script(data_folder, name):
    document = json.loads((data_folder / "squad" / name).read_text(encoding="utf-8"))
    rows = squad_rows(document)[::7]
    generator = np.random.default_rng(5)
    answers = [made_up_answer(row, generator) for row in rows]
    scorer = SquadScorer()
    table = scorer.gather([scorer.observe([answer], row) for answer, row in zip(answers, rows, strict=True)])
    found = {name: value * (1 if "threshold" in name else 100) for name, value in scorer.scores(table).items()}

    examples = [SquadExample(row["id"], "q", "c", None, None, "", answers=as_theirs(row["answers"])) for row in rows]
    predicted = {row["id"]: answer["answer"] for row, answer in zip(rows, answers, strict=True)}
    best = {row["id"]: answer["best_answer"] for row, answer in zip(rows, answers, strict=True)}
    none = {row["id"]: answer["no_answer_score"] - answer["best_score"] for row, answer in zip(rows, answers, strict=True)}
    theirs, theirs_best = squad_evaluate(examples, predicted), squad_evaluate(examples, best, none)
    assert [found["exact_match"], found["f1"]] == pytest.approx([theirs["exact"], theirs["f1"]])
    if "v2" in name:
        wanted = [theirs[name] for name in ("HasAns_f1", "HasAns_exact", "NoAns_exact")]
        assert [found[name] for name in ("has_answer_f1", "has_answer_exact_match", "no_answer_accuracy")] == pytest.approx(
            wanted
        )
        names = ("best_f1", "best_exact", "best_f1_thresh", "best_exact_thresh")
        ours = ("best_f1", "best_exact_match", "best_f1_threshold", "best_exact_match_threshold")
        assert [found[name] for name in ours] == pytest.approx([theirs_best[name] for name in names])
    else:
        assert found.keys() == {"f1", "exact_match"}


def as_theirs(answers):
    return [{"text": text} for text in answers["text"]]


def made_up_answer(row, generator):
    """A right answer, one that is longer, another, or none."""
    words = row["context"].split()
    start = int(generator.integers(len(words)))
    anything = " ".join(words[start : start + 3])
    right = row["answers"]["text"][0] if row["answers"]["text"] else anything
    best = [right, f"the {right} {anything}", anything][generator.integers(3)]
    none, score = generator.random(2).tolist()
    return {
        "answer": "" if none > score else best,
        "score": max(none, score),
        "no_answer_score": none,
        "best_answer": best,
        "best_score": score,
    }

"""``headway train`` for each task that learns: from its own files to a folder that answers, and is measured, as training said."""

import csv
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from headway import pipeline
from headway.evaluation import evaluate
from headway.settings.training import TrainSettings
from headway.training import loop
from headway.training.finetuning import fine_tune

FILLING = "the a movie film was is it this we saw not very and or but one two".split()
GOOD, BAD = "good great fun love".split(), "bad awful boring hate".split()
pytestmark = pytest.mark.filterwarnings("ignore:.*made anew:UserWarning")


def filling(chance, least, most):
    return chance.choices(FILLING, k=chance.randint(least, most))


def with_one(words, word, chance):
    place = chance.randint(0, len(words))
    return [*words[:place], word, *words[place:]]


def conll(path, chance):
    """Pets are entities of one or two words; zebra is spelt in letters."""
    lines = ["-DOCSTART- -X- O", ""]
    for _ in range(97):
        pets = chance.choice([["dog"], ["cat"], ["zebra"], ["dog", "cat"], ["cat", "zebra"]])
        words = [*filling(chance, 0, 4), *pets, *filling(chance, 0, 3), *chance.choice([["song"], []])]
        tags = [
            {"song": "B-ART"}.get(word, "O") if word not in pets else "I-PET" if pets.index(word) else "B-PET" for word in words
        ]
        lines += [f"{word} NN {tag}" for word, tag in zip(words, tags, strict=True)] + [""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def squad(path, chance):
    """The answer is the one noun of the context, which may be longer than the model reads at once."""
    paragraphs = []
    for number in range(47):
        noun = chance.choice(["actor", "scene", "story plot"])
        words = with_one(filling(chance, *((45, 57) if number % 5 == 0 else (3, 9))), noun, chance)
        context = " ".join(words)
        answer = {"text": noun, "answer_start": context.index(noun)}
        paragraphs.append({"context": context, "qas": [{"id": str(number), "question": "what was it ?", "answers": [answer]}]})
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}), encoding="utf-8")


def choices(path, chance):
    """The good one of three to five choices."""
    rows = []
    for _ in range(61):
        right, count = chance.choice(GOOD), chance.randint(3, 5)
        wrong = [" ".join(with_one(filling(chance, 0, 3), chance.choice(BAD), chance)) for _ in range(count - 1)]
        label = chance.randrange(count)
        rows.append(
            {"prompt": " ".join(filling(chance, 1, 5)), "choices": [*wrong[:label], right, *wrong[label:]], "label": label}
        )
    write_jsonl(path, rows)


def pairs(path, chance):
    """A good text goes on with a good one."""
    rows = []
    for _ in range(61):
        second = chance.choice([GOOD, BAD])
        pair = [" ".join([*filling(chance, 0, 2), word]) for word in ("we", chance.choice(second))]
        rows.append({"sentence1": pair[0], "sentence2": pair[1], "label": int(second is BAD)})
    write_jsonl(path, rows)


def several_labels(path, chance):
    """A label for each of three words that is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for _ in range(83):
        labels = [word for word in ("dog", "cat", "song") if chance.random() < 0.5]
        words = filling(chance, 1, 4)
        for word in labels:
            words = with_one(words, word, chance)
        rows.append({"text": " ".join(words), "labels": labels})
    pq.write_table(pa.Table.from_pylist(rows), path)


def numbers(path, chance):
    """How good or bad a text is, in steps of a half."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(83):
            word, score = chance.choice([("good", 1.5), ("bad", -1.0), ("boring", 0.5)])
            writer.writerow([" ".join(with_one(filling(chance, 0, 4), word, chance)), score])


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """A task with a file that it can learn, the measure that says so, and what its answers look like."""

    task: str
    write: Callable[[Path, random.Random], None]
    suffix: str
    metric: str
    asked: object
    answer: Callable[[object], object]
    expected: object
    epochs: int = 12


CASES = {
    "token-classification": Case(
        "token-classification", conll, ".txt", "f1", "the cat zebra was",
        lambda found: [one["entity"] for one in found][:2], ["B-PET", "I-PET"], 20,
    ),
    "question-answering": Case(
        "question-answering", squad, ".json", "exact_match",
        {"question": "what was it ?", "context": "but one actor saw it"}, lambda found: found["answer"], "actor", 20,
    ),
    "multiple-choice": Case(
        "multiple-choice", choices, ".jsonl", "accuracy", {"prompt": "it was", "choices": ["a bad one", "great"]},
        lambda found: found["index"], 1,
    ),
    "next-sentence-prediction": Case(
        "next-sentence-prediction", pairs, ".jsonl", "accuracy", {"text": "we saw", "next_sentence": "it was great"},
        lambda found: found["label"], "IsNext", 40,
    ),
    "several labels": Case(
        "text-classification", several_labels, ".parquet", "micro_f1", "the dog saw a song",
        lambda found: found[0]["label"] in ("dog", "song"), True, 30,
    ),
    "a number": Case(
        "text-classification", numbers, ".csv", "pearson", "it was a good film", lambda found: found[0]["score"] > 0.9, True, 20,
    ),
}  # fmt: skip


def settings_for(case, folder, model, **changes):
    train = folder / f"train{case.suffix}"
    case.write(train, random.Random(5))
    valid = folder / f"valid{case.suffix}"
    case.write(valid, random.Random(7))
    usual = {
        "num_train_epochs": case.epochs, "per_device_train_batch_size": 7, "learning_rate": 5e-3, "dropout": 0.0, "bf16": False,
        "save_strategy": "no", "eval_strategy": "no",
    }  # fmt: skip
    return TrainSettings(
        output_dir=str(folder / "out"), model=str(model), train=str(train), valid=str(valid), task=case.task, **usual | changes
    )


@pytest.mark.parametrize("name", CASES)
def test_a_task_is_learnt_from_its_file_and_measured_as_evaluate_does(name, model_folder, tmp_path):
    case = CASES[name]
    settings = settings_for(case, tmp_path, model_folder("base", num_hidden_layers=1))
    _, scores = fine_tune(settings, progress=False)
    assert scores[f"eval_{case.metric}"] > 0.9
    answers = pipeline(model=settings.output_dir)
    assert case.answer(answers(case.asked)) == case.expected
    report = evaluate(answers, settings.valid, resamples=0)
    found = {key.removeprefix("eval_"): value for key, value in scores.items() if key != "eval_loss"}
    assert found == pytest.approx(report.scores, abs=1e-4)


@pytest.mark.parametrize("name", ["question-answering", "multiple-choice"])
def test_an_interrupted_training_goes_on_bit_for_bit(name, model_folder, tmp_path, monkeypatch):
    case, real, steps = CASES[name], loop.train_step, []

    def settings(folder):
        (tmp_path / folder).mkdir(exist_ok=True)
        changes = {"max_steps": 11, "save_strategy": "steps", "save_steps": 3, "eval_strategy": "steps", "eval_steps": 4}
        changes |= {"gradient_accumulation_steps": 2, "dropout": 0.1, "logging_steps": 2}
        return settings_for(case, tmp_path / folder, model_folder("base", num_hidden_layers=2), **changes)

    def interrupted(*arguments, **named):
        steps.append(None)
        if len(steps) == 8:  # after the checkpoint of step 6
            raise KeyboardInterrupt
        return real(*arguments, **named)

    fine_tune(settings("whole"), progress=False)
    monkeypatch.setattr(loop, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(settings("cut"), progress=False)
    monkeypatch.undo()
    result, _ = fine_tune(settings("cut"), progress=False)
    assert result.metrics["train_steps"] == 5
    for file in ("model.safetensors", "checkpoint-11/optimizer.safetensors"):
        found, expected = (load_file(tmp_path / folder / "out" / file) for folder in ("cut", "whole"))
        assert found.keys() == expected.keys()
        assert all((found[weight] == expected[weight]).all() for weight in expected)
    logs = [(tmp_path / folder / "out" / "log.jsonl").read_text().splitlines() for folder in ("cut", "whole")]
    clockless = [[{k: v for k, v in json.loads(line).items() if k != "tokens_per_second"} for line in lines] for lines in logs]
    assert clockless[0] == clockless[1]


def test_tags_in_iob1_are_told_by_the_data(model_folder, tmp_path):
    """As in CoNLL-2003's own files: entities begin with I, and with B only behind one of their kind."""

    def iob1(path, chance):
        lines = []
        for _ in range(67):
            words = chance.choice([["dog"], ["cat", "zebra"], ["the", "dog", "saw", "cat"], ["song"]])
            tags = {"dog": "I-PET", "cat": "I-PET", "zebra": "B-PET", "song": "I-ART"}
            lines += [f"{word} {tags.get(word, 'O')}" for word in words] + [""]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    case = replace(CASES["token-classification"], write=iob1, suffix=".txt")
    settings = settings_for(case, tmp_path, model_folder("base", num_hidden_layers=1))
    _, scores = fine_tune(settings, progress=False)
    assert scores["eval_strict_f1"] == scores["eval_f1"] > 0.9
    report = evaluate(pipeline(model=settings.output_dir), settings.valid, resamples=0)
    assert report.scores["strict_f1"] == pytest.approx(scores["eval_strict_f1"])

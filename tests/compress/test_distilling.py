"""``distill`` from end to end: every recipe and stage, what it writes, what it refuses, and going on after a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from conftest import TINY
from headway import pipeline
from headway.cli.commands.distill import COMMAND
from headway.compress import distill
from headway.compress.answers import answers_from, kept_answers
from headway.compress.prediction import Lesson, Prediction, lesson, soft_of
from headway.compress.rows import examples_of, rows_of
from headway.compress.students import make_pair
from headway.core.settings_files import settings_from
from headway.errors import ConfigError
from headway.evaluation import evaluate
from headway.settings.distillation import DistillSettings
from headway.tasks import ModelFacts
from headway.tasks import task as find_task
from headway.text import Tokenizer
from headway.training.parts import parts_of

USUAL = {"max_steps": 3, "logging_steps": 1, "tokens_per_batch": 67, "max_length": 29, "measure_speed": False, "bf16": False}
KINDS = {"distilbert": "masked-lm", "tinybert": "base", "minilm": "base"}


@pytest.fixture
def settings(tmp_path):
    def made(**given):
        in_rows = "train" in given or given.get("recipe") == "embeddings"
        usual = {name: value for name, value in USUAL.items() if name != "tokens_per_batch" or not in_rows}
        return DistillSettings(**{"output_dir": str(tmp_path / "student"), **usual, **given})

    return made


def table_of(made):
    return json.loads((Path(made.output_dir) / "distillation.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("recipe", list(KINDS))
def test_the_general_stage_learns_from_text(recipe, teacher, text, settings):
    made = settings(teacher=teacher(KINDS[recipe]), recipe=recipe, files=(text,), max_steps=25, held_out=0.2, learning_rate=3e-3,
                    eval_strategy="steps", eval_on_start=True, eval_steps=25)  # fmt: skip
    found = distill(made, progress=False)
    log = [json.loads(line) for line in (Path(made.output_dir) / "log.jsonl").read_text().splitlines()]
    losses = [line["eval_loss"] for line in log if "eval_loss" in line]
    assert losses[-1] < 0.9 * losses[0]
    assert found.comparison.student.parameters < found.comparison.teacher.parameters
    assert pipeline("feature-extraction", made.output_dir)("a good film")


@pytest.mark.parametrize("recipe", ["logits", "distilbert", "tinybert", "minilm"])
def test_the_specific_stage_learns_answers_from_rows_some_of_which_have_no_label(recipe, teacher, rows, labelled, settings):
    made = settings(teacher=teacher("sequence-classification", num_labels=3), recipe=recipe, train=rows, valid=labelled)
    found = distill(made, progress=False)
    assert found.comparison.measure == "accuracy"
    assert 0 <= found.comparison.student.score <= 1
    assert (Path(made.output_dir) / "matching" / "log.jsonl").exists() == (recipe in ("tinybert", "minilm"))
    answers = pipeline("text-classification", made.output_dir, top_k=None)(["a good film"])[0]
    assert {one["label"] for one in answers} == {"LABEL_0", "LABEL_1", "LABEL_2"}
    assert table_of(made)["facts"]["kept_layers"] == [0, 3]
    assert pipeline(model=made.output_dir).task == "text-classification"
    assert settings_from(Path(made.output_dir) / "settings.toml", DistillSettings) == made


def test_a_student_comes_to_answer_as_its_teacher_where_labels_say_otherwise(teacher, labelled, settings):
    made = settings(teacher=teacher("sequence-classification", num_labels=3), recipe="logits", train=labelled, hard_weight=0.0,
                    soft_weight=1.0, max_steps=150, learning_rate=3e-3, dropout=0.0, seed=5)  # fmt: skip
    distill(made, progress=False)
    texts = [row["text"] for row in rows_of(labelled)]
    best = [[one["label"] for one in pipeline("text-classification", name)(texts)] for name in (made.teacher, made.output_dir)]
    assert np.mean([a == b for a, b in zip(*best, strict=True)]) >= 0.9


@pytest.mark.parametrize(("recipe", "head"), [("logits", "sequence-classification"), ("tinybert", "sequence-classification"),
                                              ("distilbert", "masked-lm"), ("embeddings", "base")])  # fmt: skip
def test_frozen_parts_stay_as_they_are_in_every_recipe_and_stage(recipe, head, teacher, text, labelled, settings):
    data = {"train": labelled} if head == "sequence-classification" else {"files": (text,)}
    name = teacher(head, **({"num_labels": 3} if head == "sequence-classification" else {}))
    made = settings(teacher=name, recipe=recipe, freeze=("embeddings.word_embeddings", "layers.1"), learning_rate=1e-2, **data)
    distill(made, progress=False)
    ours, theirs = (load_file(Path(folder) / "model.safetensors") for folder in (made.output_dir, name))
    as_before = {found for found, array in ours.items() if np.array_equal(array, theirs[found.replace("layer.1.", "layer.3.")])}
    frozen = {found for found in ours if "word_embeddings" in found or "layer.1." in found}
    assert len(frozen) == 17
    assert as_before & frozen == frozen
    assert not {found for found in as_before - frozen if "layer.0" in found or "LayerNorm" in found}


def test_a_student_of_which_nothing_learns_is_refused(teacher, labelled, settings):
    name = teacher("sequence-classification", num_labels=3)
    with pytest.raises(ConfigError, match=r"All weights of the model are frozen, so nothing would be learnt\. Name fewer parts"):
        distill(settings(teacher=name, recipe="logits", train=labelled, freeze="*"), progress=False)


@pytest.mark.parametrize("recipe", ["tinybert", "minilm", "distilbert"])
def test_a_narrower_student_learns_through_maps_that_are_no_part_of_it(recipe, teacher, text, narrow, settings):
    made = settings(teacher=teacher(KINDS[recipe]), recipe=recipe, files=(text,), student=narrow)
    distill(made, progress=False)
    weights = load_file(Path(made.output_dir) / "model.safetensors")
    assert not [name for name in weights if "map" in name]
    states = load_file(Path(made.output_dir) / "checkpoint-3" / "optimizer.safetensors")
    assert any("width_maps" in name for name in states) == (recipe != "minilm")


def test_the_command_prints_the_table_and_where_the_student_is(teacher, labelled, settings, capsys):
    made = settings(teacher=teacher("sequence-classification", num_labels=3), recipe="logits", train=labelled, valid=labelled,
                    measure_speed=True)  # fmt: skip
    COMMAND.run(made)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(f"after 3 steps to {made.output_dir}")
    assert "% of its teacher's score" in lines[-1]
    page = (Path(made.output_dir) / "distillation.md").read_text(encoding="utf-8")
    assert "| student / teacher | 0." in page
    found = table_of(made)
    assert found["teacher"]["texts_per_second"] > 0
    assert found["retained"] == pytest.approx(found["student"]["score"] / found["teacher"]["score"])
    assert found["student"]["megabytes"] < found["teacher"]["megabytes"]


HEADS = {
    "text-classification": ("sequence-classification", [{"text": "a good film", "label": 1}, {"text": "bad", "label": 0}]),
    "token-classification": (
        "token-classification", [{"tokens": ["a", "good", "dog"], "ner_tags": [0, 2, 1]}, {"tokens": ["bad"], "ner_tags": [3]}],
    ),
    "question-answering": (
        "question-answering",
        [{"question": "what", "context": "a good dog", "answers": {"text": ["dog"], "answer_start": [7]}},
         {"question": "who is it", "context": "the cat", "answers": {"text": ["cat"], "answer_start": [4]}}],
    ),
    "multiple-choice": (
        "multiple-choice",
        [{"prompt": "a", "choices": ["dog", "cat or dog", "film"], "label": 1},
         {"prompt": "the", "choices": ["cat", "it"], "label": 0}],
    ),
}  # fmt: skip


LABELS = {
    "sequence-classification": {"num_labels": 4},
    "token-classification": {"num_labels": 4},
    "question-answering": {"num_labels": 2},
}  # fmt: skip


def lesson_of(task, head, rows, made):
    pair = make_pair(made, head)
    facts = ModelFacts(tokenizer=Tokenizer.from_pretrained(made.teacher), config=pair.teacher.config)
    examples = examples_of(rows, find_task(task), facts, name="rows", max_length=29)
    sequences = [sequence for example in examples for sequence in example.sequences]
    answers = kept_answers(
        Path(made.output_dir), identity=[task, str(len(rows))], count=len(sequences),
        make=lambda first: answers_from(first, pair.teacher, sequences, torch.no_grad),
    )  # fmt: skip
    firsts = np.cumsum([0, *(len(example.sequences) for example in examples)])
    numbers = list(range(len(examples)))
    return pair, lambda chosen: lesson([examples[n] for n in chosen], chosen, answers, pair.student, firsts=firsts), numbers


@pytest.mark.parametrize("task", list(HEADS))
@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.25)])
def test_the_loss_of_every_head_is_the_same_however_rows_are_divided(task, weights, teacher, settings):
    head, rows = HEADS[task]
    given = {"soft_weight": weights[0], "hard_weight": weights[1], "cosine_weight": 0.5}
    made = settings(teacher=teacher(head, **LABELS.get(head, {})), recipe="logits", train="rows", **given)
    pair, batch, numbers = lesson_of(task, head, rows, made)
    loss = Prediction(made, pair.teacher, soft_of(pair.student))
    student = pair.student.eval()
    whole, parts = batch(numbers), [batch([number]) for number in numbers]
    assert isinstance(whole, Lesson)
    assert whole.count == sum(part.count for part in parts)
    torch.testing.assert_close(loss(student, whole), sum(loss(student, part) for part in parts))


@pytest.mark.parametrize("task", list(HEADS))
def test_a_batch_that_memory_does_not_hold_is_divided_with_the_teacher_s_answers(task, teacher, settings):
    head, rows = HEADS[task]
    made = settings(
        teacher=teacher(head, **LABELS.get(head, {})), recipe="logits", train="rows", soft_weight=0.5, hard_weight=0.25
    )
    pair, batch, numbers = lesson_of(task, head, rows * 3, made)
    loss, student = Prediction(made, pair.teacher, soft_of(pair.student)), pair.student.eval()

    def again(chosen):
        return replace(batch(chosen), again=lambda rows: again([chosen[row] for row in rows]))

    whole = again(numbers)
    parts = parts_of(whole, whole.tokens // 3)
    assert len(parts) > 2
    torch.testing.assert_close(sum(loss(student, part) for part in parts), loss(student, whole))


def test_a_card_settings_metrics_and_data_stand_beside_the_student(teacher, labelled, rows, settings):
    made = settings(teacher=teacher("sequence-classification", num_labels=3), recipe="logits", train=rows, valid=labelled)
    score = distill(made, progress=False).comparison.student.score
    folder = Path(made.output_dir)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "for text-classification, distilled from `" in card
    assert f"({Path(made.teacher).name}" not in card
    assert "by the recipe logits. It keeps " in card
    assert "`headway distill --config settings.toml --output-dir ANOTHER`" in card
    assert json.loads((folder / "metrics.json").read_text())["scores"] == {"accuracy": score}
    data = json.loads((folder / "data.json").read_text())
    assert (data["train"]["rows"], data["valid"]["rows"]) == (23, 18)
    assert len(data["train"]["sha256"]) == 64
    assert (folder / "environment.json").is_file()


def test_a_reranker_s_scores_are_learnt(teacher, settings, tmp_path):
    path = tmp_path / "pairs.jsonl"
    texts = ("a good film", "it was boring", "the dog", "we love it", "bad")
    made_of = [{"query": texts[n % 5], "passage": texts[2 * n % 5], "label": n % 2} for n in range(11)]
    path.write_text("".join(json.dumps(row) + "\n" for row in made_of), encoding="utf-8")
    name = teacher("sequence-classification", num_labels=1, problem_type="multi_label_classification")
    made = settings(teacher=name, recipe="logits", train=str(path), valid=str(path), task="text-ranking")
    assert distill(made, progress=False).comparison.measure == "ndcg@10"
    assert pipeline(model=made.output_dir).task == "text-ranking"


def test_vectors_are_no_answers_of_a_task(teacher, labelled, settings):
    made = settings(teacher=teacher("base"), recipe="logits", train=labelled, task="sentence-embeddings")
    with pytest.raises(ConfigError, match=r"sentence-embeddings has vectors for answers, .*Use the recipe embeddings"):
        distill(made, progress=False)


@pytest.mark.parametrize("task", list(HEADS))
def test_a_teacher_that_teaches_itself_loses_nothing(task, teacher, settings):
    head, rows = HEADS[task]
    labels = {"num_labels": 2 if head == "question-answering" else 4} if head != "multiple-choice" else {}
    made = settings(
        teacher=teacher(head, **labels), recipe="logits", train="rows", soft_weight=1.0, hard_weight=0.0, num_layers=4
    )
    pair, batch, numbers = lesson_of(task, head, rows, made)
    loss = Prediction(made, pair.teacher, soft_of(pair.student))
    assert float(loss(pair.student.eval(), batch(numbers)).detach()) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("problem", ["regression", "multi_label_classification"])
def test_numbers_and_several_labels_are_learnt_too(problem, teacher, settings, tmp_path):
    path = tmp_path / "rows.jsonl"
    labels = {"regression": [0.5, 2.5], "multi_label_classification": [["LABEL_0"], ["LABEL_1", "LABEL_2"]]}[problem]
    path.write_text("".join(json.dumps({"text": "a good film", "label": label}) + "\n" for label in labels * 3))
    count = 1 if problem == "regression" else 3
    made = settings(teacher=teacher("sequence-classification", num_labels=count, problem_type=problem), recipe="logits",
                    train=str(path), valid=str(path))  # fmt: skip
    found = distill(made, progress=False)
    assert np.isfinite(found.output.training_loss)


def test_the_teacher_is_asked_once_and_then_read_from_the_cache(teacher, rows, settings, tmp_path, monkeypatch):
    cache, given = str(tmp_path / "answers"), {"recipe": "logits", "train": rows, "teacher_cache": str(tmp_path / "answers")}
    name = teacher("sequence-classification", num_labels=3)
    distill(settings(teacher=name, **given), progress=False)
    kept = sorted(Path(cache).iterdir())
    from headway.compress import distilling

    monkeypatch.setattr(distilling, "answers_from", lambda *arguments: pytest.fail("the teacher was asked again"))
    distill(settings(teacher=name, output_dir=str(tmp_path / "other"), seed=5, **given), progress=False)
    assert sorted(Path(cache).iterdir()) == kept
    assert (kept[0] / "values.bin").stat().st_size == 4 * 23 * 3


def test_another_teacher_s_answers_are_not_taken_for_this_one_s(teacher, rows, settings, tmp_path):
    given = {"recipe": "logits", "train": rows, "teacher_cache": str(tmp_path / "answers")}
    for seed in (1, 2):
        made = settings(
            teacher=teacher("sequence-classification", num_labels=3, seed=seed), output_dir=str(tmp_path / str(seed)), **given
        )
        distill(made, progress=False)
    assert len(list((tmp_path / "answers").iterdir())) == 2


@pytest.mark.parametrize(("given", "said"), [
    ({"recipe": "logits"}, "from text .* or from rows of a task .*, and neither is"),
    ({"recipe": "minilm", "files": ("a",), "train": "b"}, "and both are given"),
    ({"recipe": "logits", "files": ("a",)}, "learns a task's answers, which plain text does not ask for"),
    ({"recipe": "logits", "train": "b", "temperature": 0.0}, "temperature is 0.0, but it has to be more than 0"),
    ({"recipe": "logits", "train": "b", "soft_weight": 0.0, "hard_weight": 0.0}, "are all 0, so nothing would be learnt"),
    ({"recipe": "distilbert", "files": ("a",), "mlm_probability": 1.5}, "mlm_probability is 1.5"),
    ({"recipe": "logits", "train": "b", "class_weights": "balanced"}, "class_weights is 'balanced', but in a distillation"),
    ({"recipe": "logits", "train": "b", "loss": "cosent"}, "loss is 'cosent', but in a distillation the recipe says"),
    ({"recipe": "minilm", "files": ("a",), "dataloader_drop_last": True}, "dataloader_drop_last is True, .* batches are full"),
    ({"recipe": "logits", "train": "b", "tokens_per_batch": 99}, r"tokens_per_batch is 99, .* counts batches in rows\. Give per"),
    ({"recipe": "logits", "train": "b", "eval_on_start": True}, r"eval_on_start is True, but there are no rows .*\. Give valid"),
])  # fmt: skip
def test_settings_that_mean_nothing_are_refused(given, said, settings):
    with pytest.raises(ConfigError, match=said):
        settings(teacher="t", **given)


def test_tinybert_wants_as_many_heads(teacher, text, settings, tmp_path):
    from headway.families import family

    path = tmp_path / "config.json"
    family("bert").config(**TINY | {"num_hidden_layers": 2, "num_attention_heads": 7}).to_json_file(path)
    with pytest.raises(ConfigError, match=r"the teacher has 4 heads and the student 7.*take the recipe minilm"):
        distill(settings(teacher=teacher("base"), recipe="tinybert", files=(text,), student=str(path)), progress=False)


def test_a_layer_that_the_teacher_has_not_is_refused(teacher, text, settings):
    with pytest.raises(ConfigError, match="teacher_layer is 5, but the teacher has the layers 1 to 4"):
        distill(settings(teacher=teacher("base"), recipe="minilm", files=(text,), teacher_layer=5), progress=False)


@pytest.fixture
def other_reader(model_folder):
    """A student whose vocabulary has the same pieces at other numbers."""
    other = model_folder("base", seed=3)
    words = (other / "vocab.txt").read_text().splitlines()
    (other / "vocab.txt").write_text("\n".join([*words[:-2], words[-1], words[-2]]) + "\n")
    return str(other)


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_a_student_with_another_tokenizer_is_refused(teacher, other_reader, text, settings):
    with pytest.raises(ConfigError, match="has another tokenizer than the teacher, so their tokens cannot be compared"):
        distill(settings(teacher=teacher("base"), recipe="minilm", files=(text,), student=other_reader), progress=False)
    made = settings(teacher=teacher("token-classification", num_labels=3), recipe="logits", train="rows", student=other_reader)
    with pytest.raises(ConfigError, match=r"compares whole texts: embeddings, or logits where each text has one answer\."):
        distill(made, progress=False)


@pytest.mark.filterwarnings("ignore:.*weights are made anew")
def test_answers_to_whole_texts_are_learnt_whatever_the_tokens_are(teacher, other_reader, labelled, settings, monkeypatch):
    from headway.compress import distilling

    asked = {}
    exact = distilling.cached_answers

    def watched(settings, pair, examples, **options):
        asked["ids"] = [sequence.ids for example in examples for sequence in example.sequences]
        asked["answers"] = exact(settings, pair, examples, **options)
        return asked["answers"]

    monkeypatch.setattr(distilling, "cached_answers", watched)
    name = teacher("sequence-classification", num_labels=3)
    made = settings(teacher=name, recipe="logits", train=labelled, valid=labelled, student=other_reader, max_steps=2)
    comparison = distill(made, progress=False).comparison
    own = Tokenizer.from_pretrained(name)
    rows = [json.loads(line) for line in Path(labelled).read_text().splitlines()]
    assert asked["ids"] == [list(own(row["text"])["input_ids"]) for row in rows]
    written = Tokenizer.from_pretrained(made.output_dir)
    assert written.fingerprint == Tokenizer.from_pretrained(other_reader).fingerprint != own.fingerprint
    assert comparison.teacher.score == pytest.approx(evaluate(name, labelled, task="text-classification").scores["accuracy"])


def test_labels_alone_without_labels_are_refused(teacher, settings, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a film"}\n')
    made = settings(teacher=teacher("sequence-classification", num_labels=3), recipe="logits", train=str(path), soft_weight=0.0)
    with pytest.raises(ConfigError, match="has a label, and soft_weight is 0"):
        distill(made, progress=False)


KILLED = """
import json, os, signal, sys
from headway.compress import DistillSettings, distill
from headway.training import loop
steps, real = 0, loop.train_step
def counted(*arguments, **named):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
loop.train_step = counted
distill(DistillSettings.from_dict(json.loads(sys.argv[1])), progress=False)
"""


@pytest.mark.parametrize(("recipe", "step"), [("tinybert", 6), ("tinybert", 10)])
def test_killed_and_called_again_it_ends_with_the_same_student_bit_for_bit(
    recipe, step, teacher, labelled, narrow, settings, tmp_path
):
    made = settings(teacher=teacher("sequence-classification", num_labels=3), recipe=recipe, train=labelled, student=narrow,
                    max_steps=7, save_steps=2)  # fmt: skip
    distill(made, progress=False)
    whole = tmp_path / "whole"
    shutil.move(made.output_dir, whole)
    words = [sys.executable, "-c", KILLED, json.dumps(made.to_dict()), str(step)]
    done = subprocess.run(words, env={**os.environ, "PYTHONWARNINGS": "error"}, check=False)
    assert done.returncode == -signal.SIGKILL
    distill(made, progress=False)
    ours, theirs = (load_file(Path(folder) / "model.safetensors") for folder in (made.output_dir, whole))
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)

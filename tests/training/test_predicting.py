"""Tokenised rows, data collators, and what ``predict`` and ``compute_metrics`` get: as in transformers, for each head."""

import numpy as np
import pytest
import torch
import transformers

from headway.neural.loading import load_model
from headway.settings.training import TrainingArguments
from headway.training import Trainer

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 2}
RANDOM = np.random.default_rng(3)
LENGTHS = (5, 11, 7, 3, 13)


def ids(length):
    return RANDOM.integers(5, 101, length).tolist()


TAGGED = [{"input_ids": ids(n), "labels": [-100, *RANDOM.integers(0, 2, n - 2).tolist(), -100]} for n in LENGTHS]
ASKED = [{"input_ids": ids(n), "start_positions": n % 3, "end_positions": n - 2} for n in LENGTHS]
CHOSEN = [{"input_ids": [ids(n), ids(4), ids(9)], "labels": n % 3} for n in LENGTHS]
CASES = {
    "token-classification": ("BertForTokenClassification", TAGGED),
    "question-answering": ("BertForQuestionAnswering", ASKED),
    "multiple-choice": ("BertForMultipleChoice", CHOSEN),
}
each_head = pytest.mark.parametrize("head", CASES)


def filled(rows, value=0, *, width=None, left=False):
    width = width or max(map(len, rows))
    return [[value] * (width - len(row)) * left + list(row) + [value] * (width - len(row)) * (not left) for row in rows]


def collate(rows, *, left=False):
    """Padded arrays, at the left if asked for, with targets under transformers' names."""
    if isinstance(rows[0]["input_ids"][0], list):
        width = max(len(one) for row in rows for one in row["input_ids"])
        made = {"input_ids": [filled(row["input_ids"], width=width, left=left) for row in rows]}
        made["attention_mask"] = [filled([[1] * len(one) for one in row["input_ids"]], width=width, left=left) for row in rows]
        return {name: torch.tensor(values) for name, values in made.items()} | {
            "labels": torch.tensor([r["labels"] for r in rows])
        }
    sequences = [row["input_ids"] for row in rows]
    made = {"input_ids": filled(sequences, left=left), "attention_mask": filled([[1] * len(one) for one in sequences], left=left)}
    if "labels" in rows[0]:
        made["labels"] = filled([row["labels"] for row in rows], -100, left=left)
    else:
        shift = [(max(map(len, sequences)) - len(one)) * left for one in sequences]
        for name in ("start_positions", "end_positions"):
            made[name] = [row[name] + by for row, by in zip(rows, shift, strict=True)]
    return {name: torch.tensor(values) for name, values in made.items()}


@pytest.fixture
def trainer(transformers_folder, tmp_path):
    """``trainer(head, rows, …)`` on a model that transformers saved, which comes too."""

    def make(head, rows, **given):
        name, _ = CASES[head]
        folder = transformers_folder(name, config=STILL)
        model = load_model(folder, head=head, config=None, keywords={})
        arguments = TrainingArguments(
            str(tmp_path / "out"), max_steps=3, per_device_train_batch_size=3, learning_rate=0.1, optim="sgd", save_strategy="no",
            bf16=False,
        )  # fmt: skip
        theirs = getattr(transformers, name).from_pretrained(folder).eval()
        return Trainer(model, arguments, train_dataset=rows, eval_dataset=rows, progress=False, **given), theirs

    return make


@each_head
def test_logits_are_those_of_transformers_filled_up_as_there(trainer, head):
    rows = CASES[head][1]
    teacher, theirs = trainer(head, rows)
    found = teacher.predict(rows)
    given = collate(rows)
    labels = [given.pop(name) for name in ("labels", "start_positions", "end_positions") if name in given]
    with torch.no_grad():
        expected = [values.numpy() for values in theirs(**given).to_tuple()]
    ours = found.predictions if isinstance(found.predictions, tuple) else (found.predictions,)
    mask = given["attention_mask"].numpy() == 1
    for values, wanted in zip(ours, expected, strict=True):
        if head == "multiple-choice":
            assert values == pytest.approx(wanted, abs=1e-5)
        else:
            assert values[mask] == pytest.approx(wanted[mask], abs=1e-5)
            assert (values[~mask] == -100).all()
    targets = found.label_ids if isinstance(found.label_ids, tuple) else (found.label_ids,)
    for values, wanted in zip(targets, labels, strict=True):
        assert (values == wanted.numpy()).all()


@each_head
@pytest.mark.parametrize("left", [False, True], ids=["padded right", "padded left"])
def test_a_data_collator_trains_as_plain_rows_do(trainer, head, left):
    rows = CASES[head][1]
    plain, collated = trainer(head, rows)[0], trainer(head, rows, data_collator=lambda rows: collate(rows, left=left))[0]
    if left:  # a token keeps the position of its column
        plain = trainer(head, rows, data_collator=collate)[0]
        plain.model.embeddings.position.weight.data[:] = plain.model.embeddings.position.weight.data[0]
        collated.model.embeddings.position.weight.data[:] = collated.model.embeddings.position.weight.data[0]
        plain.model.freeze("embeddings")
        collated.model.freeze("embeddings")
    assert plain.train().training_loss == pytest.approx(collated.train().training_loss, rel=1e-4)
    assert plain.evaluate()["eval_loss"] == pytest.approx(collated.evaluate()["eval_loss"], rel=1e-4)


@each_head
def test_compute_metrics_gets_what_predict_gives(trainer, head):
    rows, seen = CASES[head][1], []

    def measure(prediction):
        seen.append(prediction)
        return {"answer": 42.0}

    teacher, _ = trainer(head, rows, compute_metrics=measure)
    assert teacher.evaluate()["eval_answer"] == 42.0
    found = teacher.predict(rows)
    assert found.metrics == {"test_answer": 42.0}
    for first, second in zip(seen[0], seen[1], strict=True):
        assert np.array_equal(np.array(first), np.array(second))
    assert np.array_equal(np.array(seen[0].predictions), np.array(found.predictions))


@each_head
def test_rows_without_targets_are_predicted_and_not_measured(trainer, head):
    rows = [{"input_ids": row["input_ids"]} for row in CASES[head][1]]
    teacher, _ = trainer(head, rows)
    found = teacher.predict(rows)
    assert (found.label_ids, found.metrics) == (None, {})
    assert len(found.predictions[0] if isinstance(found.predictions, tuple) else found.predictions) == len(rows)


def test_padding_beyond_the_mask_and_tokens_beyond_the_limit_are_dropped_with_their_labels(trainer):
    padded = [
        {"input_ids": [0, 0, *row["input_ids"]], "attention_mask": [0, 0, *[1] * len(row["input_ids"])],
         "labels": [-100, -100, *row["labels"]]}
        for row in TAGGED
    ]  # fmt: skip
    teacher, _ = trainer("token-classification", TAGGED)
    assert teacher.evaluate(padded) == pytest.approx(teacher.evaluate(TAGGED))
    shifted = [
        {"input_ids": [0, *row["input_ids"]], "attention_mask": [0, *[1] * len(row["input_ids"])],
         "start_positions": row["start_positions"] + 1, "end_positions": row["end_positions"] + 1}
        for row in ASKED
    ]  # fmt: skip
    teacher, _ = trainer("question-answering", ASKED)
    assert teacher.evaluate(shifted) == pytest.approx(teacher.evaluate(ASKED))


def test_several_labels_as_tokens_are_measured_and_said_in_the_configuration(tiny_config, tmp_path):
    from headway.neural import AutoModelForSequenceClassification

    torch.manual_seed(0)
    rows = [{"input_ids": [2, 5 + n % 3, 3], "labels": [float(n % 3 == 0), 1.0, float(n % 2)]} for n in range(23)]
    model = AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=3))
    arguments = TrainingArguments(str(tmp_path), max_steps=1, save_strategy="no", bf16=False)
    teacher = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows, progress=False)
    teacher.train()
    assert teacher.model.config.problem_type == "multi_label_classification"
    scores, found = teacher.evaluate(), teacher.predict(rows)
    targets = torch.tensor([row["labels"] for row in rows])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(found.predictions), targets)
    assert scores["eval_loss"] == pytest.approx(float(loss), rel=1e-5)
    right = (found.predictions > 0) == (targets.numpy() == 1)
    assert scores["eval_subset_accuracy"] == pytest.approx(right.all(1).mean())


def test_labels_that_only_a_collator_makes_are_learnt_and_their_loss_is_measured(trainer):
    bare = [{"input_ids": row["input_ids"]} for row in TAGGED]
    labels = {tuple(row["input_ids"]): row["labels"] for row in TAGGED}

    def made(rows):
        return collate([row | {"labels": labels[tuple(row["input_ids"])]} for row in rows])

    teacher, _ = trainer("token-classification", bare, data_collator=made)
    plain, _ = trainer("token-classification", TAGGED)
    assert teacher.evaluate() == {"eval_loss": pytest.approx(plain.evaluate()["eval_loss"], rel=1e-4)}
    assert teacher.train().training_loss == pytest.approx(plain.train().training_loss, rel=1e-4)


@pytest.mark.parametrize("asked", [{"include_for_metrics": ["inputs"]}, {"include_inputs_for_metrics": True}])
@pytest.mark.filterwarnings("ignore:include_inputs_for_metrics is include_for_metrics here")
def test_compute_metrics_gets_the_ids_where_they_are_asked_for(model_folder, tmp_path, asked):
    found = []
    for head, rows in (("token-classification", TAGGED), ("multiple-choice", CHOSEN)):
        model = load_model(model_folder(head, num_labels=2), head=head, config=None, keywords={})
        arguments = TrainingArguments(str(tmp_path), use_cpu=True, **asked)
        Trainer(model, arguments, compute_metrics=lambda each: found.append(each) or {}, progress=False).evaluate(rows)
    for row, ids in zip(TAGGED, found[0].inputs, strict=True):
        assert ids.tolist() == row["input_ids"] + [-100] * (max(LENGTHS) - len(row["input_ids"]))
    assert found[1].inputs.shape == (5, 3, max(LENGTHS))
    assert found[1].inputs[2, 1].tolist() == CHOSEN[2]["input_ids"][1] + [-100] * (max(LENGTHS) - 4)
    logits, labels, inputs = found[0]
    assert (found[0][0] is logits, found[0][1] is labels, found[0][2] is inputs) == (True, True, True)

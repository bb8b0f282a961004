"""Rows that cannot be learnt from are refused before the first step, by their number, with the remedy."""

import pytest
import torch

from headway.errors import ConfigError, DataError, HeadwayError
from headway.neural.classes import model_class
from headway.settings.training import TrainingArguments
from headway.training import Trainer

TEXT = {"text": "a good film", "label": "pos"}
WORDS = {"tokens": ["the", "dog"], "ner_tags": ["O", "B-PET"]}
ASKED = {"question": "what ?", "context": "the dog and the cat", "answers": {"text": ["dog"], "answer_start": [4]}}
CHOICE = {"prompt": "it was", "choices": ["good", "bad"], "label": 1}
PAIR = {"text": "good", "next_sentence": "bad", "label": 0}
LABELS = {
    "sequence-classification": {0: "neg", 1: "pos"},
    "token-classification": {0: "O", 1: "B-PET"},
    "question-answering": {0: "LABEL_0", 1: "LABEL_1"},
    "multiple-choice": {0: "LABEL_0", 1: "LABEL_1"},
    "next-sentence": {0: "LABEL_0", 1: "LABEL_1"},
}
TEXTS, TAGS = "sequence-classification", "token-classification"
BAD = [
    (TEXTS, TEXT, {"label": None}, r"Row 1 of train_dataset has no label in column label.*Correct or remove"),
    (TEXTS, TEXT, {"label": "x"}, r"Row 1 of train_dataset: The label 'x' is not one of neg, pos\. Correct"),
    (TEXTS, TEXT, {"label": -1}, r"Row 1 of train_dataset: The label -1 is not one of neg, pos\. Correct"),
    (TEXTS, TEXT, {"label": 0.5}, r"Row 1 .*The label 0\.5 is a fraction.*Turn scores into classes first"),
    (TEXTS, TEXT, {"text": None}, r"Row 1 of train_dataset holds nothing in column 'text'.*Correct or remove"),
    (TEXTS, TEXT, {"text": 3.5}, r"Row 1 of train_dataset: An input is float 3\.5, where a text .* Convert it"),
    (TAGS, WORDS, {"ner_tags": None}, r"Row 1 of train_dataset has no label in column ner_tags.*Correct or rem"),
    (TAGS, WORDS, {"ner_tags": ["O"]}, r"Row 1 .*There are 1 labels for 2 words.*Correct the row, or name anot"),
    (TAGS, WORDS, {"ner_tags": ["O", "B-X"]}, r"Row 1 .*The label 'B-X' is not one of the model's: O, B-PET\. C"),
    (TAGS, WORDS, {"ner_tags": [0, 2]}, r"Row 1 .*The label 2 is not one of the model's: O, B-PET\. Correct"),
    (TAGS, WORDS, {"ner_tags": "O O"}, r"Row 1 .*The labels are 'O O', but every word has a label of its own\. G"),
    (TAGS, WORDS, {"tokens": "the dog"}, r"Row 1 .*An input is str 'the dog', where a list of words belongs\. S"),
    ("question-answering", ASKED, {"answers": None}, r"Row 1 of train_dataset has no label in column answers.*Correct or remove"),
    (
        "question-answering", ASKED, {"answers": {"text": ["dog"], "answer_start": [5]}},
        r"Row 1 .*The answer 'dog' does not stand at character 5 of its context, where 'og ' is\. Correct its answer_start",
    ),
    (
        "question-answering", ASKED, {"answers": {"text": ["dog"], "answer_start": [-15]}},
        r"Row 1 .*The answer 'dog' does not stand at character -15 of its context",
    ),
    (
        "question-answering", ASKED, {"answers": ["the"]},
        r"Row 1 .*The answer 'the' stands in its context 2 times.*Give its first character as answer_start",
    ),
    ("question-answering", ASKED, {"context": ""}, r"Row 1 .*A context is empty.*Leave it out, or add the text"),
    ("question-answering", ASKED, {"answers": 7}, r"Row 1 .*The answers are 7, but right answers are texts.*Correct the row"),
    ("multiple-choice", CHOICE, {"label": None}, r"Row 1 of train_dataset has no label in column label.*Correct or remove"),
    ("multiple-choice", CHOICE, {"label": 2}, r"Row 1 .*The label 2 is none of the 2 choices.*Correct the row"),
    ("multiple-choice", CHOICE, {"choices": []}, r"Row 1 .*An input has no choices.*Give at least one"),
    ("next-sentence", PAIR, {"label": "maybe"}, r"Row 1 .*The label 'maybe' is none of the model's: IsNext, NotNext"),
]  # fmt: skip


@pytest.fixture
def trainer(tiny_config, tiny_tokenizer, tmp_path):
    """``trainer(head, rows, …)`` on a tiny model."""

    def make(head, rows, *, labels=None, settings=None, **given):
        torch.manual_seed(0)
        model = model_class("bert", head)(tiny_config.replace(id2label=labels or LABELS[head], **settings or {}))
        arguments = TrainingArguments(str(tmp_path), max_steps=1, save_strategy="no", bf16=False)
        return Trainer(model, arguments, train_dataset=rows, processing_class=tiny_tokenizer, progress=False, **given)

    return make


@pytest.mark.parametrize(("head", "good", "change", "message"), BAD)
def test_a_bad_row_is_refused_before_the_first_step(trainer, head, good, change, message, monkeypatch):
    monkeypatch.setattr("headway.training.loop.train_step", None)
    with pytest.raises(HeadwayError, match=message):
        trainer(head, [good, {**good, **change}]).train()


@pytest.mark.parametrize(("head", "good"), [(head, good) for head, good, *_ in {case[0]: case for case in BAD}.values()])
def test_good_rows_are_learnt_from_and_bad_ones_to_be_measured_on_are_refused_too(trainer, head, good):
    made = trainer(head, [good] * 3, eval_dataset=[good] * 2)
    assert made.train().global_step == 1
    assert made.evaluate()["eval_loss"] > 0
    column = {"token-classification": "ner_tags", "question-answering": "answers"}.get(head, "label")
    with pytest.raises(DataError, match=rf"Row 2 of eval_dataset has no label in column {column}"):
        made.evaluate([good, good, {**good, column: None}])


def test_labels_and_numbers_that_no_model_of_the_kind_has_are_refused(trainer):
    several = {"text": "good", "label": ["pos", "x"]}
    with pytest.raises(DataError, match=r"Row 0 of train_dataset: The label 'x' is none of the model's: neg, pos"):
        trainer("sequence-classification", [several], settings={"problem_type": "multi_label_classification"}).train()
    number = {"text": "good", "label": "warm"}
    with pytest.raises(DataError, match=r"Row 0 of train_dataset: The reference is 'warm', but this model gives numbers"):
        trainer("sequence-classification", [number], settings={"problem_type": "regression"}, labels={0: "LABEL_0"}).train()


def test_columns_that_are_not_there_are_listed(trainer):
    with pytest.raises(DataError, match=r"There is no labels column: none of ner_tags, tags, .* among the columns tokens"):
        trainer("token-classification", [{"tokens": ["a"]}]).train()


def test_the_dataset_whose_columns_are_not_there_is_named(trainer):
    good = {"text": "good", "label": "pos"}
    made = trainer("sequence-classification", [good], eval_dataset=[{"text": "good"}])
    with pytest.raises(DataError, match=r"^eval_dataset: There is no label column: none of .* is among the columns text\."):
        made.evaluate()


def test_a_task_for_another_head_is_refused(trainer):
    with pytest.raises(ConfigError, match="task is 'token-classification', which is done with the head 'token-classification'"):
        trainer("sequence-classification", [TEXT], task="token-classification")


def test_a_model_without_a_head_that_learns_is_refused(tiny_config):
    with pytest.raises(ConfigError, match="The model has the head 'base', which does not learn from labelled rows"):
        Trainer(model_class("bert", "base")(tiny_config))


def test_tokenised_rows_whose_labels_do_not_fit_their_tokens_are_refused(trainer):
    row = {"input_ids": [2, 5, 3], "labels": [-100, 1]}
    with pytest.raises(DataError, match=r"Row 0 of the data has 2 labels for 3 tokens.*Align the labels"):
        trainer("token-classification", [row]).train()
    with pytest.raises(DataError, match="Row 1 of train_dataset has no label"):
        trainer(
            "question-answering", [{"input_ids": [2, 5, 3], "start_positions": 1, "end_positions": 1}, {"input_ids": [2]}]
        ).train()

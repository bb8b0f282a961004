"""Trainer under its known names."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from headway.errors import ConfigError, DataError
from headway.neural import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification
from headway.settings.training import TrainingArguments
from headway.text import Tokenizer
from headway.training import Trainer

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(43)]


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))


def trainer(model, folder, rows=ROWS, **settings):
    names = {
        name: settings.pop(name)
        for name in ("eval_dataset", "compute_metrics", "data_collator", "processing_class")
        if name in settings
    }
    arguments = TrainingArguments(
        **{
            "output_dir": str(folder),
            "learning_rate": 2e-3,
            "num_train_epochs": 3,
            "per_device_train_batch_size": 4,
            "bf16": False,
        }
        | settings
    )
    return Trainer(model=model, args=arguments, train_dataset=rows, progress=False, **names)


def test_a_tiny_model_learns_what_can_be_learnt(model, tmp_path):
    learnable = [{"input_ids": [2, 7 if n % 2 else 9, 20 + n % 5, 3], "labels": n % 2} for n in range(61)]
    teacher = trainer(model, tmp_path, learnable, eval_dataset=learnable, learning_rate=1e-2)
    before = teacher.evaluate()
    result = teacher.train()
    after = teacher.evaluate()
    assert result.global_step == 3 * 16
    assert after["eval_accuracy"] == 1.0
    assert after["eval_loss"] < before["eval_loss"] / 3


def test_scores_equal_scikit_learns_and_the_loss_torchs(model, tmp_path):
    teacher = trainer(model, tmp_path, eval_dataset=ROWS)
    scores, predicted = teacher.evaluate(), teacher.predict(ROWS)
    targets = np.array([row["label"] for row in ROWS])
    assert (predicted.label_ids == targets).all()
    assert predicted.predictions.shape == (43, 2)
    answers = predicted.predictions.argmax(-1)
    assert scores["eval_accuracy"] == pytest.approx(accuracy_score(targets, answers))
    assert scores["eval_f1"] == pytest.approx(f1_score(targets, answers))
    assert scores["eval_macro_f1"] == pytest.approx(f1_score(targets, answers, average="macro"))
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(predicted.predictions), torch.from_numpy(targets))
    assert scores["eval_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_compute_metrics_gets_all_logits_and_labels_in_order(model, tmp_path):
    seen = {}

    def measure(prediction):
        logits, labels = prediction
        seen["shapes"] = logits.shape, labels.tolist()
        return {"answer": 42.0}

    assert trainer(model, tmp_path, eval_dataset=ROWS, compute_metrics=measure).evaluate()["eval_answer"] == 42.0
    assert seen["shapes"] == ((43, 2), [row["label"] for row in ROWS])


def test_padded_rows_and_a_data_collator_give_the_loss_of_plain_rows(model, tmp_path):
    def collate(rows):
        width = max(len(row["input_ids"]) for row in rows)
        return {
            "input_ids": [row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows],
            "attention_mask": [[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows],
            "labels": [row["label"] for row in rows],
        }

    still = model.config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    found = []
    padded = [
        {"input_ids": r["input_ids"] + [0, 0], "attention_mask": [1] * len(r["input_ids"]) + [0, 0], "label": r["label"]}
        for r in ROWS
    ]
    for number, (rows, settings) in enumerate([(ROWS, {}), (ROWS, {"data_collator": collate}), (padded, {})]):
        torch.manual_seed(0)
        fresh = AutoModelForSequenceClassification.from_config(still)
        found.append(trainer(fresh, tmp_path / str(number), rows, max_steps=5, **settings).train().training_loss)
    assert found[1] == pytest.approx(found[0], rel=1e-4)
    assert found[2] == pytest.approx(found[0], rel=1e-4)


def test_raw_rows_are_tokenised_with_the_processing_class(model, tmp_path, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    rows = [{"sentence": "the film was good", "label": 1}, {"sentence": "a bad room", "label": 0}]
    teacher = trainer(model, tmp_path, rows, processing_class=tokenizer, max_steps=1)
    teacher.train()
    teacher.save_model(tmp_path / "saved")
    assert Tokenizer.from_pretrained(tmp_path / "saved").fingerprint == tokenizer.fingerprint


def test_a_masked_lm_learns_from_labels_for_each_token(tiny_config, tmp_path):
    torch.manual_seed(0)
    rows = [{"input_ids": [2, 4, 20, 3], "labels": [-100, 9, -100, -100]}] * 7
    assert (
        trainer(AutoModelForMaskedLM.from_config(tiny_config), tmp_path, rows, max_steps=30, learning_rate=1e-2, logging_steps=10)
        .train()
        .training_loss
        < 1
    )


def test_a_masked_lm_s_loss_is_measured_too(tiny_config, tmp_path):
    torch.manual_seed(0)
    rows = [{"input_ids": [2, 4, 20, 3], "labels": [-100, 9, -100, 5]}, {"input_ids": [2, 7, 3], "labels": [-100, 11, -100]}]
    teacher = trainer(AutoModelForMaskedLM.from_config(tiny_config), tmp_path, rows, eval_dataset=rows)
    scores, found = teacher.evaluate(), teacher.predict(rows)
    targets = torch.tensor([[-100, 9, -100, 5], [-100, 11, -100, -100]])
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(found.predictions).flatten(0, 1), targets.flatten())
    assert scores == {"eval_loss": pytest.approx(float(loss), rel=1e-5)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "train_dataset is missing"),
        ([], "train_dataset is empty"),
        (iter(ROWS), r"anything else with len\(\) and \[index\]"),
        ([{"text": "hello", "label": 1}], "Row 0 of the data has no 'input_ids' .it has text, label.*processing_class=tokenizer"),
        ([{"input_ids": [2, 3]}], "Row 0 of train_dataset has no label"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused_before_the_first_step(model, tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        trainer(model, tmp_path, rows).train()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size is 0; it counts something"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0; it cannot be negative"),
        ({"num_train_epochs": 0}, "num_train_epochs is 0, so nothing would be trained"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments("out", **settings)


def test_a_trainer_without_a_model_says_how_to_make_one():
    with pytest.raises(ConfigError, match="AutoModelForSequenceClassification"):
        Trainer()


@pytest.mark.parametrize(("wanted", "further"), [(False, -100), (True, 2), ("same", 1)])
def test_further_tokens_of_words_learn_what_label_all_tokens_says(tiny_config, tiny_tokenizer, tmp_path, wanted, further):
    config = tiny_config.replace(id2label={0: "O", 1: "B-PET", 2: "I-PET"})
    rows = [{"tokens": ["zebra", "the"], "ner_tags": ["B-PET", "O"]}]
    arguments = TrainingArguments(str(tmp_path), label_all_tokens=wanted, bf16=False)
    teacher = Trainer(
        AutoModelForTokenClassification.from_config(config), arguments, train_dataset=rows, processing_class=tiny_tokenizer
    )
    (example,) = teacher._held_out.reading.examples(rows, "train_dataset", labelled=True)
    assert example.target == [-100, 1, *[further] * 4, 0, -100]


@pytest.mark.parametrize(("name", "said"), [
    ("training_step", r"Mine defines training_step, which nothing here calls\. .* write compute_loss in a subclass"),
    ("create_optimizer", r"Mine defines create_optimizer, .* or optimizers, or optimizer_cls_and_kwargs"),
    ("get_train_dataloader", r"Mine defines get_train_dataloader, .* A data_collator may make them"),
    ("_get_train_sampler", r"Mine defines _get_train_sampler, .* use train_sampling_strategy"),
])  # fmt: skip
def test_a_method_of_a_subclass_that_nothing_would_call_is_refused(model, tmp_path, name, said):
    kind = type("Mine", (Trainer,), {name: lambda self, *given: None})
    with pytest.raises(ConfigError, match=said):
        kind(model, TrainingArguments(str(tmp_path)))


def test_a_method_that_training_does_not_go_through_is_said(model, tmp_path):
    kind = type("Mine", (Trainer,), {"evaluate": lambda self, *given: None})
    with pytest.warns(UserWarning, match=r"Mine defines evaluate, which train\(\) does not call\. .* use compute_metrics"):
        kind(model, TrainingArguments(str(tmp_path)))

"""Class weights and label smoothing, against torch's and scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from headway.core.batching import TokenSequence
from headway.errors import ConfigError
from headway.neural import (
    AutoModelForMultipleChoice,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from headway.settings.training import TrainingArguments
from headway.training.batch import text_batch, text_logits
from headway.training.class_loss import class_loss, class_weights
from headway.training.optimiser import make_optimizer
from headway.training.step import mixed_precision, train_step
from headway.training.trainer import Trainer

LABELS = ("a", "b", "c", "d", "e")
WEIGHTS = (0.5, 2.0, 1.0, 0.0, 3.0)


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return AutoModelForSequenceClassification.from_config(still).train()


def batch_of(targets):
    texts = [TokenSequence([5 + n, 7, 9][: 1 + n % 3]) for n in range(len(targets))]
    return text_batch(texts, targets, device=torch.device("cpu"))


def step_loss(model, batches, **settings):
    arguments = TrainingArguments(**settings)
    weights = class_weights(arguments, [0, 1], labels=LABELS)
    loss_sum, count = class_loss(text_logits, arguments, weights)
    return train_step(
        model, batches, loss_sum=loss_sum, count=count, optimizer=make_optimizer(model, TrainingArguments(learning_rate=1e-30)),
        precision=mixed_precision(model.device, bf16=False), max_grad_norm=0.0,
    ).loss  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"class_weights": WEIGHTS}, torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS))),
        ({"label_smoothing_factor": 0.2}, torch.nn.CrossEntropyLoss(label_smoothing=0.2)),
    ],
)
def test_a_step_has_the_loss_that_torch_gives_however_it_is_divided(model, settings, expected):
    targets = [0, 1, 4, 2, 3, 1, 4]
    whole = batch_of(targets)
    reference = expected(text_logits(model, whole).detach(), whole.targets)
    assert step_loss(model, [whole], **settings) == pytest.approx(float(reference), rel=1e-5)
    texts = [TokenSequence([5 + n, 7, 9][: 1 + n % 3]) for n in range(7)]
    parts = [text_batch(texts[part], targets[part], device=torch.device("cpu")) for part in (slice(2), slice(2, 7))]
    assert step_loss(model, parts, **settings) == pytest.approx(float(reference), rel=1e-5)


def test_balanced_weights_are_those_of_scikit_learn():
    targets = [0] * 7 + [1] * 2 + [4] * 1
    found = class_weights(TrainingArguments(class_weights="balanced"), targets, labels=LABELS)
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 4]), y=targets)
    assert found.tolist() == pytest.approx([expected[0], expected[1], 1.0, 1.0, expected[2]])


def test_tags_of_tokens_are_weighed_and_smoothed_as_torch_does(tiny_config, tmp_path):
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    rows = [{"input_ids": [2, 5 + n, 9, 3], "labels": [-100, n % 5, (n * n) % 3, -100]} for n in range(7)]
    tags = np.array([row["labels"][1:3] for row in rows]).flatten()
    weights = torch.ones(5)
    weights[np.unique(tags)] = torch.tensor(compute_class_weight("balanced", classes=np.unique(tags), y=tags)).float()
    for settings, criterion in (
        ({"class_weights": "balanced"}, torch.nn.CrossEntropyLoss(weight=weights)),
        ({"label_smoothing_factor": 0.3}, torch.nn.CrossEntropyLoss(label_smoothing=0.3)),
    ):
        torch.manual_seed(0)
        model = AutoModelForTokenClassification.from_config(still)
        arguments = TrainingArguments(
            str(tmp_path), max_steps=1, per_device_train_batch_size=7, save_strategy="no", bf16=False, **settings
        )
        trainer = Trainer(model, arguments, train_dataset=rows, progress=False)
        logits = torch.from_numpy(trainer.predict(rows).predictions)
        expected = criterion(logits.flatten(0, 1), torch.tensor([row["labels"] for row in rows]).flatten())
        assert trainer.train().training_loss == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("settings", [{"class_weights": (1.0, 2.0)}, {"label_smoothing_factor": 0.1}])
def test_answers_and_choices_have_no_classes_with_names(tiny_config, tmp_path, settings):
    model = AutoModelForMultipleChoice.from_config(tiny_config)
    rows = [{"input_ids": [[2, 5, 3], [2, 7, 3]], "label": 0}]
    trainer = Trainer(model, TrainingArguments(str(tmp_path), **settings), train_dataset=rows, progress=False)
    with pytest.raises(ConfigError, match=f"{next(iter(settings))} is for targets that are one class each"):
        trainer.train()


def test_weights_for_other_labels_are_refused():
    with pytest.raises(ConfigError, match=r"there are 5 labels \(a, b, c, d, e\), and each needs a weight of 0 or more"):
        class_weights(TrainingArguments(class_weights=(1.0, 2.0)), [0], labels=LABELS)
    with pytest.raises(ConfigError, match="class_weights is 'even'; it is 'balanced', or one number for each class"):
        TrainingArguments(class_weights="even")


@pytest.mark.parametrize("settings", [{"class_weights": "balanced"}, {"label_smoothing_factor": 0.1}])
def test_numbers_as_targets_have_no_classes(tiny_config, tmp_path, settings):
    model = AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=1, problem_type="regression"))
    rows = [{"input_ids": [2, 5, 3], "label": 0.5}]
    trainer = Trainer(model, TrainingArguments(str(tmp_path), **settings), train_dataset=rows, progress=False)
    with pytest.raises(ConfigError, match=f"{next(iter(settings))} is for targets that are one class each"):
        trainer.train()


def test_the_trainer_freezes_and_weighs(model, tmp_path):
    rows = [{"input_ids": [2, 5 + n, 3], "label": n % 5} for n in range(11)]
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    arguments = TrainingArguments(
        str(tmp_path), max_steps=3, freeze=("embeddings",), class_weights="balanced", save_strategy="no"
    )
    Trainer(model, arguments, train_dataset=rows, progress=False).train()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name]) == name.startswith("embeddings."), name

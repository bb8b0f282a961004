"""A loss of the user's own: the code that people wrote for transformers runs, and gives the weights that it gives there."""

import pytest
import torch
import torch.nn.functional as F
import transformers

from headway.errors import ConfigError, DataError
from headway.neural.loading import load_model
from headway.settings.training import TrainingArguments
from headway.training import Trainer
from headway.training.collators import DataCollatorForTokenClassification

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 2}
TEXTS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(11)]
TAGS = [{"input_ids": [2, 5 + n, 7, 3][: 3 + n % 2], "labels": [-100, n % 2, *([1] * (n % 2)), -100]} for n in range(11)]
WEIGHTS = torch.tensor([1.0, 3.0])


class Weighted(Trainer):
    """As the documentation of transformers has it."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        logits = outputs.get("logits")
        loss = torch.nn.CrossEntropyLoss(weight=WEIGHTS)(logits.view(-1, self.model.config.num_labels), labels.view(-1))
        return (loss, outputs) if return_outputs else loss


def summed(outputs, labels, num_items_in_batch=None):
    return F.cross_entropy(outputs.logits.view(-1, 2), labels.view(-1), reduction="sum") / num_items_in_batch


@pytest.fixture
def make(transformers_folder, tmp_path):
    def trainer(cls=Trainer, rows=TEXTS, *, head="sequence-classification", settings=None, **given):
        name = {"sequence-classification": "BertForSequenceClassification", "token-classification": "BertForTokenClassification"}[
            head
        ]
        folder = transformers_folder(name, config=STILL)
        model = load_model(folder, head=head, config=None, keywords={})
        usual = {"max_steps": 4, "learning_rate": 0.1, "optim": "sgd", "save_strategy": "no", "bf16": False, "logging_steps": 2}
        arguments = TrainingArguments(str(tmp_path / "out"), per_device_train_batch_size=3, **usual | (settings or {}))
        return cls(model, arguments, train_dataset=rows, eval_dataset=rows, progress=False, **given)

    return trainer


def trained(trainer):
    trainer.train()
    return trainer.model.state_dict()


def same(ours, theirs):
    return all(torch.allclose(weight, theirs[name], atol=1e-5) for name, weight in ours.items())


def test_a_subclass_learns_with_the_loss_that_it_computes(make, transformers_folder):
    trainer = make(Weighted)
    theirs = transformers.BertForSequenceClassification.from_pretrained(
        transformers_folder("BertForSequenceClassification", config=STILL)
    )
    order = trainer._job().order(0)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for step, indices in enumerate(order[:4]):
        rows = [TEXTS[int(index)] for index in indices]
        width = max(len(row["input_ids"]) for row in rows)
        ids = torch.tensor([row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows])
        mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows])
        loss = F.cross_entropy(
            theirs(input_ids=ids, attention_mask=mask).logits, torch.tensor([row["label"] for row in rows]), weight=WEIGHTS
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / 4)
        optimizer.step()
        optimizer.zero_grad()
    trainer.train()
    trainer.model.save_pretrained(trainer.args.output_dir)
    ours = transformers.BertForSequenceClassification.from_pretrained(trainer.args.output_dir).state_dict()
    assert same(ours, theirs.state_dict())


@pytest.mark.parametrize(("head", "rows"), [("sequence-classification", TEXTS), ("token-classification", TAGS)])
def test_a_loss_function_that_says_what_the_model_says_changes_nothing(make, head, rows):
    """Though batches have unequal numbers of targets, and a step several of them."""
    settings = {"gradient_accumulation_steps": 2}
    plain = make(rows=rows, head=head, settings=settings)
    own = make(rows=rows, head=head, settings=settings, compute_loss_func=summed)
    before = plain.evaluate()
    assert own.evaluate() == pytest.approx(before, rel=1e-5)
    assert same(trained(plain), trained(own))


def test_means_and_sums_by_the_number_given_are_the_same(make):
    mean = lambda outputs, labels, num_items_in_batch=None: F.cross_entropy(outputs.logits.view(-1, 2), labels.view(-1))  # noqa: E731
    settings = {"gradient_accumulation_steps": 2}
    of_each = [
        trained(make(rows=TAGS, head="token-classification", settings=settings, compute_loss_func=one)) for one in (mean, summed)
    ]
    assert same(*of_each)


def test_a_collator_s_arrays_reach_the_loss(make, tiny_tokenizer):
    seen = []

    class Looks(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            seen.append((sorted(inputs), tuple(inputs["input_ids"].shape), int(num_items_in_batch)))
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    collate = DataCollatorForTokenClassification(tiny_tokenizer, pad_to_multiple_of=5)
    plain = make(rows=TAGS, head="token-classification")
    looked = make(Looks, TAGS, head="token-classification", data_collator=collate)
    assert same(trained(plain), trained(looked))
    names, shape, number = seen[0]
    assert names == ["attention_mask", "input_ids", "labels"]
    assert shape == (3, 5)
    assert number in range(3, 7)


def test_what_is_no_loss_is_refused(make):
    class Pair(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            return model(**inputs).logits

    with pytest.raises(ConfigError, match=r"compute_loss returned a tensor of shape \(3, 2\), but the loss is one number"):
        make(Pair).train()
    with pytest.raises(ConfigError, match=r"class_weights changes the model's loss, but compute_loss is your own\. Leave it out"):
        make(Weighted, settings={"class_weights": "balanced"})


def test_questions_with_unequal_choices_have_no_padded_form(tiny_config, tmp_path):
    from headway.neural.classes import model_class

    rows = [{"input_ids": [[2, 3]] * (2 + n % 2), "labels": 0} for n in range(4)]
    arguments = TrainingArguments(str(tmp_path), max_steps=1, bf16=False)
    trainer = Weighted(model_class("bert", "multiple-choice")(tiny_config), arguments, train_dataset=rows, progress=False)
    with pytest.raises(DataError, match=r"have 2, 3 choices, which make no padded array.*Give all questions as many"):
        trainer.train()

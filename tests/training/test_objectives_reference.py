"""What each head loses, and every gradient of it, against transformers; and the same weights however a step is divided."""

import copy

import numpy as np
import pytest
import torch
import transformers

from headway.core.batching import TokenSequence
from headway.neural.loading import load_model
from headway.settings.training import TrainingArguments
from headway.tasks import Example
from headway.training.objectives.heads import objective_of
from headway.training.optimiser import make_optimizer
from headway.training.step import mixed_precision, train_step

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
CPU = torch.device("cpu")
LENGTHS = (7, 13, 2, 11, 5)


def texts(lengths=LENGTHS, seed=0):
    random = np.random.default_rng(seed)
    return [TokenSequence(random.integers(5, 101, n).tolist(), random.integers(0, 2, n).tolist()) for n in lengths]


def each(targets):
    return [Example((text,), target) for text, target in zip(texts(), targets, strict=True)]


def tags(seed=1):
    random = np.random.default_rng(seed)
    return [[-100, *random.integers(0, 5, n - 2).tolist(), -100] if n > 2 else [-100] * n for n in LENGTHS]


CHOICES = [Example(tuple(texts((3 + n, 7, 5 - n), seed=n)), target) for n, target in enumerate((2, 0, 1, 1))]
CASES = {
    "one label": ("BertForSequenceClassification", {}, each([4, 0, 2, 2, 1])),
    "several labels": (
        "BertForSequenceClassification",
        {"problem_type": "multi_label_classification"},
        each([(1.0, 0.0, 0.0, 1.0, 1.0), (0.0,) * 5, (0.0, 1.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0), (1.0,) * 5]),
    ),
    "a number": ("BertForSequenceClassification", {"num_labels": 1}, each([0.5, -1.25, 3.0, 0.0, 2.5])),
    "a pair": ("BertForNextSentencePrediction", {}, each([1, 0, 0, 1, 1])),
    "tags": ("BertForTokenClassification", {}, each(tags())),
    "an answer": ("BertForQuestionAnswering", {"num_labels": 2}, each([(3, 5), (0, 0), (1, 1), (10, 10), (1, 4)])),
    "a choice": ("BertForMultipleChoice", {}, CHOICES),
}  # fmt: skip
HEADS = {
    "BertForSequenceClassification": "sequence-classification",
    "BertForNextSentencePrediction": "next-sentence",
    "BertForTokenClassification": "token-classification",
    "BertForQuestionAnswering": "question-answering",
    "BertForMultipleChoice": "multiple-choice",
}
each_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture
def load(transformers_folder):
    """``load(case)``: our model and theirs with the same weights, and the examples."""

    def both(case):
        name, config, examples = CASES[case]
        folder = transformers_folder(name, config=STILL | config)
        theirs = getattr(transformers, name).from_pretrained(folder).train()
        return load_model(folder, head=HEADS[name], config=None, keywords={}).train(), theirs, examples

    return both


def padded(examples):
    """What transformers reads: (texts, tokens), or (questions, choices, tokens), with the targets under its names."""
    sequences = [sequence for example in examples for sequence in example.sequences]
    width = max(map(len, sequences))

    def filled(rows, value=0):
        return torch.tensor([list(row) + [value] * (width - len(row)) for row in rows])

    given = {"input_ids": filled([one.ids for one in sequences]), "token_type_ids": filled([one.type_ids for one in sequences])}
    given["attention_mask"] = filled([[1] * len(one) for one in sequences])
    targets = [example.target for example in examples]
    if len(examples[0].sequences) > 1:
        given = {name: values.view(len(examples), -1, width) for name, values in given.items()}
    if isinstance(targets[0], tuple) and isinstance(targets[0][0], int):
        starts, ends = zip(*targets, strict=True)
        return given | {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}
    return given | {"labels": filled(targets, -100) if isinstance(targets[0], list) else torch.tensor(targets)}


def loss_of_theirs(model, examples):
    """Answers one by one: in transformers padding, too, may be where an answer begins, so the loss depends on the batch."""
    if model.config.architectures != ["BertForQuestionAnswering"]:
        return model(**padded(examples)).loss
    return torch.stack([model(**padded([example])).loss for example in examples]).mean()


def loss_of_step(model, groups, **settings):
    objective, arguments = objective_of(model.head_name), TrainingArguments(**{"learning_rate": 1e-30} | settings)
    return train_step(
        model, [objective.batch(group, CPU) for group in groups], loss_sum=objective.loss_sum,
        optimizer=make_optimizer(model, arguments), precision=mixed_precision(CPU, bf16=False), max_grad_norm=0.0,
    )  # fmt: skip


@each_case
def test_the_loss_and_every_gradient_equal_those_of_transformers(load, case):
    ours, theirs, examples = load(case)
    expected = loss_of_theirs(theirs, examples)
    objective = objective_of(ours.head_name)
    batch = objective.batch(examples, CPU)
    found = objective.loss_sum(ours, batch) / batch.count
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert float(ours(**padded(examples)).loss.detach()) == pytest.approx(float(found.detach()), rel=1e-5)
    found.backward()
    expected.backward()
    assert_same_gradients(ours, theirs)


def assert_same_gradients(ours, theirs):
    grads = {name: weight.grad.numpy() for name, weight in ours.named_parameters()}
    found = ours.family.weight_names(ours.config, ours.head_name).to_theirs(grads, has_head=True)
    wanted = {name: weight.grad for name, weight in theirs.named_parameters() if weight.grad is not None}
    largest = max(gradient.abs().max() for gradient in wanted.values())
    for name, gradient in wanted.items():
        own = gradient.abs().max()
        # what adds the same to all scores of a softmax, as a key's bias does, has a gradient of 0 but for rounding
        scale = own if own > 1e-4 * largest else largest
        assert (torch.from_numpy(np.array(found[name])) - gradient).abs().max() <= 1e-4 * scale, name


@each_case
def test_a_step_is_the_same_in_unequal_parts(load, case):
    model, _, examples = load(case)
    other = copy.deepcopy(model)
    whole = loss_of_step(model, [examples], optim="sgd", learning_rate=1.0)
    parts = loss_of_step(other, [examples[:1], examples[1:]], optim="sgd", learning_rate=1.0)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-5)
    assert parts.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-5)
    for (name, found), expected in zip(other.named_parameters(), model.parameters(), strict=True):
        assert (found - expected).detach().abs().max() <= 1e-5 * max(1.0, float(expected.detach().abs().max())), name


def test_questions_may_have_unequal_numbers_of_choices(load):
    model, _, _ = load("a choice")
    unequal = [Example(tuple(texts((3, 7), seed=1)), 1), Example(tuple(texts((5, 4, 9, 2), seed=2)), 3)]
    objective = objective_of("multiple-choice")
    together = objective.loss_sum(model, objective.batch(unequal, CPU))
    alone = [objective.loss_sum(model, objective.batch([one], CPU)) for one in unequal]
    assert float(together.detach()) == pytest.approx(float(sum(alone).detach()), rel=1e-5)


def test_answers_outside_of_their_text_are_not_learnt(load):
    model, _, examples = load("an answer")
    objective = objective_of("question-answering")
    cut = [*examples[:3], Example(examples[3].sequences, (-100, 4)), Example(examples[4].sequences, (2, 5))]
    batch = objective.batch(cut, CPU)
    expected = objective.batch(examples[:3], CPU)
    assert batch.count == expected.count == 6
    found, wanted = objective.loss_sum(model, batch), objective.loss_sum(model, expected)
    assert float(found.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)

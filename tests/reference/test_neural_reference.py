"""BERT's modules against transformers' where the table of families does not reach: losses of each problem, and no mask at all."""

import numpy as np
import pytest
import torch
import transformers

import headway.neural as neural

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def inputs(lengths, *, width, seed=0):
    """Ragged texts, random tokens, two token types; ``width`` may be more than the longest."""
    random = np.random.default_rng(seed)
    ids = torch.from_numpy(random.integers(5, 101, (len(lengths), width)))
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    types = torch.from_numpy(random.integers(0, 2, (len(lengths), width)))
    return ids * mask, mask, types * mask


def test_padding_without_a_mask_is_attended_as_transformers_does(transformers_folder):
    folder = transformers_folder("BertForSequenceClassification")
    ids, _, _ = inputs((5, 3), width=7)
    with torch.no_grad():
        found = neural.AutoModelForSequenceClassification.from_pretrained(folder)(ids).logits
        expected = transformers.BertForSequenceClassification.from_pretrained(folder).eval()(ids).logits
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("problem", "labels"),
    [
        ("single_label_classification", torch.tensor([4, 0, 2])),
        ("multi_label_classification", torch.tensor([[1.0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]])),
        ("regression", torch.tensor([0.5, -1.25, 3.0])),
    ],
)
@pytest.mark.parametrize("is_said", [True, False], ids=["said", "seen from the labels"])
def test_classifier_losses_and_gradients_equal_those_of_transformers(transformers_folder, problem, labels, is_said):
    settings = {"num_labels": 1 if problem == "regression" else 5, **NO_DROPOUT} | ({"problem_type": problem} if is_said else {})
    folder = transformers_folder("BertForSequenceClassification", config=settings)
    ids, mask, types = inputs((7, 13, 2), width=13)
    ours = neural.AutoModelForSequenceClassification.from_pretrained(folder).train()
    theirs = transformers.BertForSequenceClassification.from_pretrained(folder).train()
    compare_gradients(ours, theirs, dict(attention_mask=mask, token_type_ids=types, labels=labels), ids)


def test_masked_lm_loss_and_gradients_equal_those_of_transformers(transformers_folder):
    folder = transformers_folder("BertForMaskedLM", config=NO_DROPOUT)
    ids, mask, types = inputs((7, 13, 2), width=13)
    labels = torch.full_like(ids, -100)
    labels[0, 3], labels[1, 1], labels[1, 12], labels[2, 0] = 17, 5, 99, 41
    ours = neural.AutoModelForMaskedLM.from_pretrained(folder).train()
    theirs = transformers.BertForMaskedLM.from_pretrained(folder).train()
    compare_gradients(ours, theirs, dict(attention_mask=mask, token_type_ids=types, labels=labels), ids)


def compare_gradients(ours, theirs, arguments, ids):
    found, expected = ours(ids, **arguments).loss, theirs(ids, **arguments).loss
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    found.backward()
    expected.backward()
    gradients = gradients_under_hub_names(ours)
    largest = max(weight.grad.abs().max() for weight in theirs.parameters())
    for name, weight in theirs.named_parameters():
        # a key's bias adds the same to all scores of a query, so its gradient is 0 but for rounding
        scale = largest if name.endswith("key.bias") else weight.grad.abs().max()
        assert (gradients[name] - weight.grad).abs().max() / scale < 1e-4, name


def gradients_under_hub_names(model):
    ours = {name: weight.grad.numpy() for name, weight in model.named_parameters()}
    theirs = model.family.weight_names(model.config, model.head_name).to_theirs(ours, has_head=True)
    return {name: torch.from_numpy(np.array(values)) for name, values in theirs.items()}

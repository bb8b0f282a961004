"""Each loss against its formula in NumPy, on random numbers of unequal sizes."""

import numpy as np
import pytest
import torch

from headway.compress import losses
from headway.core.batching import TokenSequence
from headway.neural.packing import pack

RANDOM = np.random.default_rng(3)


def tensors(*shape):
    pair = RANDOM.normal(size=(2, *shape)).astype(np.float32)
    return torch.from_numpy(pair[0]), torch.from_numpy(pair[1])


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def divergence(student, teacher):
    """Of the teacher's distribution from the student's, in plain words: sum of p (ln p - ln q)."""
    return float((teacher * (np.log(teacher) - np.log(student))).sum())


@pytest.mark.parametrize("heat", [1.0, 2.0, 7.0])
def test_soft_targets_are_the_divergence_of_softened_scores_times_the_temperature_squared(heat):
    student, teacher = tensors(5, 3)
    expected = heat**2 * divergence(softmax(student.numpy() / heat), softmax(teacher.numpy() / heat))
    assert float(losses.soft_sum(student, teacher, temperature=heat)) == pytest.approx(expected, rel=1e-5)


def test_soft_targets_have_the_gradient_of_cross_entropy_with_soft_labels():
    """As TinyBERT's prediction layer is trained: the two differ by the teacher's entropy, which no weight changes."""
    student, teacher = tensors(5, 3)
    ours, theirs = student.clone().requires_grad_(), student.clone().requires_grad_()
    losses.soft_sum(ours, teacher, temperature=1.0).backward()
    (-(teacher.softmax(-1) * theirs.log_softmax(-1)).sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_soft_labels_are_divergences_between_two_chances():
    student, teacher = tensors(5, 3)
    heat = 2.0
    chances = [1 / (1 + np.exp(-scores.numpy() / heat)) for scores in (student, teacher)]
    both = [np.stack([chance, 1 - chance], -1) for chance in chances]
    expected = heat**2 * divergence(*both)
    assert float(losses.soft_labels_sum(student, teacher, temperature=heat)) == pytest.approx(expected, rel=1e-4)


def test_a_student_that_answers_as_its_teacher_loses_nothing():
    same, _ = tensors(5, 3)
    packed = pack([TokenSequence([1, 2, 3]), TokenSequence([4, 5])])
    assert float(losses.soft_sum(same, same, temperature=2.0)) == pytest.approx(0, abs=1e-6)
    assert float(losses.soft_labels_sum(same, same, temperature=2.0)) == pytest.approx(0, abs=1e-6)
    assert float(losses.soft_places_sum(same[:, 0], same[:, 0], packed, temperature=2.0)) == pytest.approx(0, abs=1e-6)
    assert float(losses.cosine_sum(same, same)) == pytest.approx(0, abs=1e-6)


def test_places_compete_within_their_own_text_alone():
    packed = pack([TokenSequence([1, 2, 3]), TokenSequence([4, 5])])
    student, teacher = tensors(5)
    parts = [divergence(softmax(student.numpy()[a:b] / 2), softmax(teacher.numpy()[a:b] / 2)) for a, b in ((0, 3), (3, 5))]
    found = losses.soft_places_sum(student, teacher, packed, temperature=2.0)
    assert float(found) == pytest.approx(4 * sum(parts), rel=1e-5)


def test_choices_compete_within_their_own_question_alone():
    rows = torch.tensor([[3, 0, 1], [2, 4, -1]])
    scores, _ = tensors(5)
    found = softmax(losses.by_question(scores, rows).numpy())
    assert found[1] == pytest.approx([*softmax(scores.numpy()[[2, 4]]), 0.0], rel=1e-6)
    assert found[0] == pytest.approx(softmax(scores.numpy()[[3, 0, 1]]), rel=1e-6)


def test_the_cosine_is_torch_s_cosine_embedding_loss_summed():
    student, teacher = tensors(5, 7)
    expected = torch.nn.CosineEmbeddingLoss(reduction="sum")(student, teacher, torch.ones(5))
    torch.testing.assert_close(losses.cosine_sum(student, teacher), expected)
    weights = torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0])
    each = torch.nn.CosineEmbeddingLoss(reduction="none")(student, teacher, torch.ones(5))
    torch.testing.assert_close(losses.cosine_sum(student, teacher, weights), (weights * each).sum())


def test_squares_are_the_mean_squared_error_times_the_tokens():
    student, teacher = tensors(5, 7)
    torch.testing.assert_close(losses.squares_sum(student, teacher), 5 * torch.nn.MSELoss()(student, teacher))
    torch.testing.assert_close(losses.numbers_sum(student, teacher), 35 * torch.nn.MSELoss()(student, teacher))

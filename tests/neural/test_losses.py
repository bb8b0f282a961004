"""What outputs lose against targets: by hand, by parts, and in which words targets are refused."""

import math

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.errors import InputError
from headway.families import family
from headway.neural.auto import build_model
from headway.neural.losses import LossTerm, answer_terms, class_term, mean_loss, replaced_term, text_term
from headway.neural.packing import pack
from reference.family_cases import BERT_SIZES

LOG2 = math.log(2)


def bert(head, **settings):
    torch.manual_seed(0)
    config = family("bert").config(**BERT_SIZES | settings)
    model = build_model(config, family("bert").architecture(config, head), head, {}).eval()
    for bias in (one for name, one in model.named_parameters() if name.endswith("bias")):
        torch.nn.init.normal_(bias, std=0.1)
    return model


def test_a_loss_is_the_sum_of_its_terms_means_by_weight():
    terms = [LossTerm(torch.tensor(6.0), 3), LossTerm(torch.tensor(8.0), 2, weight=0.5), LossTerm(torch.tensor(0.0), 0)]
    assert float(mean_loss(terms)) == 4.0


def test_even_scores_lose_the_logarithm_of_their_number_for_each_target():
    term = class_term(torch.zeros(3, 8), torch.tensor([7, -100, 0]))
    assert (float(term.total), term.targets) == (pytest.approx(2 * 3 * LOG2), 2)


@pytest.mark.parametrize(
    ("problem", "targets", "total", "count"),
    [
        ("regression", torch.tensor([[1.0, 0], [0, -3]]), 1 + 4 + 1 + 9, 4),
        (
            "multi_label_classification",
            torch.tensor([[1.0, 0], [0, 1]]),
            2 * LOG2 + math.log1p(math.e**2) + math.log1p(math.e),
            4,
        ),
        ("single_label_classification", torch.tensor([1, 0]), math.log1p(math.e**-2) + math.log1p(math.e**-1), 2),
    ],
)
def test_texts_lose_by_their_problem(problem, targets, total, count):
    term = text_term(torch.tensor([[0.0, 2.0], [1.0, 0.0]]), targets, problem)
    assert term.targets == count
    assert float(term.total) == pytest.approx(total)


def test_a_number_for_each_text_may_stand_in_a_row_or_in_a_column():
    logits = torch.tensor([[1.0], [5.0]])
    for targets in (torch.tensor([2.0, 2.0]), torch.tensor([[2.0], [2.0]])):
        assert float(text_term(logits, targets, "regression").total) == 1 + 9


def test_only_tokens_with_targets_count_for_replacements():
    term = replaced_term(torch.tensor([0.0, 50.0, 0.0]), torch.tensor([1, -100, 0]))
    assert (float(term.total), term.targets) == (pytest.approx(2 * LOG2), 2)


def test_an_answer_is_sought_among_the_tokens_of_its_own_text():
    """Texts of four and two tokens with even scores: log 4 and log 2. A place outside of the text does not count."""
    packed = pack([TokenSequence([5, 6, 7, 8]), TokenSequence([5, 6])])
    start, end = answer_terms([torch.zeros(6)] * 2, [torch.tensor([3, 1]), torch.tensor([3, 2])], packed)
    assert (float(start.total), start.targets, start.weight) == (pytest.approx(3 * LOG2), 2, 0.5)
    assert (float(end.total), end.targets) == (pytest.approx(2 * LOG2), 1)


def test_padding_is_never_an_answer():
    model = bert("question-answering", num_labels=2)
    with torch.no_grad():
        model.head.classifier.bias.fill_(-99.0)  # so that zeros would win
        found = model(torch.tensor([[5, 6, 7], [8, 1, 1]]), torch.tensor([[1, 1, 1], [1, 0, 0]]))
    assert found.start_logits[1].argmax() == found.end_logits[1].argmax() == 0
    assert found.start_logits[1].softmax(-1).tolist() == [1, 0, 0]


def test_an_answer_in_the_padding_or_behind_the_end_does_not_count():
    model, ids = bert("question-answering", num_labels=2), torch.tensor([[5, 6, 7], [8, 1, 1]])
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    with torch.no_grad():
        both = model(ids, mask, start_positions=torch.tensor([2, 1]), end_positions=torch.tensor([2, 9])).loss
        one = model(ids[:1], mask[:1], start_positions=torch.tensor([2]), end_positions=torch.tensor([2])).loss
    assert float(both) == pytest.approx(float(one))


def test_targets_on_tokens_that_are_not_attended_do_not_count():
    model, ids, mask = bert("token-classification", num_labels=5), torch.tensor([[5, 6, 7]]), torch.tensor([[1, 1, 0]])
    with torch.no_grad():
        found = [model(ids, mask, labels=torch.tensor([[1, 2, last]])).loss for last in (-100, 4)]
    assert found[0] == found[1]


def test_left_padding_and_holes_leave_answers_where_the_caller_has_them():
    model, ids = bert("question-answering", num_labels=2), torch.tensor([[9, 5, 9, 6, 7]])
    positions = {"start_positions": torch.tensor([3]), "end_positions": torch.tensor([4])}
    with torch.no_grad():
        found = model(ids, torch.tensor([[0, 1, 0, 1, 1]]), position_ids=torch.tensor([[9, 0, 9, 1, 2]]), **positions)
        plain = model(ids[:, [1, 3, 4]], start_positions=torch.tensor([1]), end_positions=torch.tensor([2]))
    assert float(found.loss) == pytest.approx(float(plain.loss), rel=1e-5)


def test_the_pair_alone_or_the_tokens_alone_may_be_learnt():
    model, ids = bert("pretraining"), torch.tensor([[5, 6, 7]])
    labels, pair = torch.tensor([[-100, 9, -100]]), torch.tensor([1])
    with torch.no_grad():
        both = model(ids, labels=labels, next_sentence_label=pair).loss
        parts = model(ids, labels=labels).loss + model(ids, next_sentence_label=pair).loss
    assert float(both) == pytest.approx(float(parts))


def test_nothing_to_learn_from_is_no_loss():
    loss = bert("masked-lm")(torch.tensor([[5, 6]]), labels=torch.tensor([[-100, -100]])).loss
    assert float(loss.detach()) == 0


@pytest.mark.parametrize(
    ("head", "targets", "message"),
    [
        ("base", {"labels": torch.tensor([0])}, r"does not know labels; it has no head.*Leave it out.*class of your task"),
        ("masked-lm", {"label": torch.tensor([0])}, r"does not know label; it learns from labels"),
        (
            "question-answering",
            {"labels": None, "start_position": None},
            r"does not know labels, start_position; it learns from start_positions and end_positions. Leave them out",
        ),
        ("question-answering", {"start_positions": torch.tensor([0])}, "Only start_positions is given.*Pass both"),
        ("token-classification", {"labels": torch.tensor([[0, 1]])}, r"labels has shape \(1, 2\).*each token, \(1, 3\).*-100"),
        ("token-classification", {"labels": torch.tensor([[0, -100, 2]])}, "labels holds 2, but this model knows 0 to 1. Count"),
        (
            "token-classification",
            {"labels": torch.tensor([[0, -1, 1]])},
            "labels holds -1, but .* use -100 where",
        ),
        ("token-classification", {"labels": [[0, 1, 1]]}, "labels is a list, but a model reads torch tensors"),
        ("masked-lm", {"labels": torch.tensor([[0, 101, 1]])}, "labels holds 101, but this model knows 0 to 100"),
        ("masked-lm", {"labels": torch.ones(1, 3)}, r"labels holds float32 numbers, but .*Pass labels.long\(\)"),
        ("sequence-classification", {"labels": torch.tensor([2])}, "labels holds 2, but this model knows 0 to 1"),
        (
            "sequence-classification",
            {"labels": torch.tensor([1, 0])},
            r"labels has shape \(2,\), but the batch has 1 texts.*Pass",
        ),
        (
            "sequence-classification",
            {"labels": torch.tensor([1.0])},
            r"labels has shape \(1,\), but this model learns marks \(multi_label_classification\), \(1, 2\).*labels.long\(\)",
        ),
        ("next-sentence", {"labels": torch.tensor([2])}, "labels holds 2, but this model knows 0 to 1"),
        (
            "question-answering",
            {"start_positions": torch.tensor([0, 1]), "end_positions": torch.tensor([1])},
            "start_positions has",
        ),
        (
            "question-answering",
            {"start_positions": torch.ones(1), "end_positions": torch.ones(1)},
            "start_positions holds float32",
        ),
        ("pretraining", {"next_sentence_label": torch.tensor([3])}, "next_sentence_label holds 3, but this model knows 0 to 1"),
    ],
)
def test_targets_that_do_not_fit_are_refused(head, targets, message):
    with pytest.raises(InputError, match=message):
        bert(head, num_labels=2)(torch.tensor([[5, 6, 7]]), **targets)


def test_choices_that_are_not_there_and_numbers_of_another_width_are_refused():
    ids = torch.tensor([[[5, 6, 7], [5, 8, 9]]])
    with pytest.raises(InputError, match=r"labels holds 2, but this model knows 0 to 1"):
        bert("multiple-choice")(ids, labels=torch.tensor([2]))
    model = bert("sequence-classification", num_labels=3, problem_type="regression")
    with pytest.raises(InputError, match=r"labels has shape \(1,\), but this model learns numbers \(regression\), \(1, 3\)"):
        model(ids[0, :1], labels=torch.tensor([0.5]))


def test_labels_in_any_whole_numbers_are_the_same_labels():
    model, ids = bert("sequence-classification", num_labels=3).eval(), torch.tensor([[5, 6, 7], [8, 9, 10]])
    with torch.no_grad():
        found = [
            float(model(ids, labels=torch.tensor([2, 1], dtype=kind)).loss) for kind in (torch.int64, torch.int32, torch.uint8)
        ]
    assert len(set(found)) == 1

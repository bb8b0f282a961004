"""Which layers a student begins with, and what it takes of its teacher."""

import pytest
import torch

from headway.checkpoints import load_checkpoint
from headway.compress.depth import chosen, evenly, matched
from headway.compress.matching import relation_heads
from headway.compress.students import make_pair, with_layers
from headway.errors import ConfigError, WeightError
from headway.families import family
from headway.settings.distillation import DistillSettings


@pytest.mark.parametrize(
    ("layers", "kept", "expected"),
    [(12, 6, (0, 2, 4, 7, 9, 11)), (12, 4, (0, 4, 7, 11)), (6, 3, (0, 2, 5)), (4, 2, (0, 3)), (5, 1, (0,)), (3, 3, (0, 1, 2))],
)
def test_layers_are_kept_evenly_as_distilbert_was_begun(layers, kept, expected):
    assert evenly(layers, kept) == expected


@pytest.mark.parametrize(
    ("teacher", "student", "expected"), [(12, 4, (3, 6, 9, 12)), (12, 6, (2, 4, 6, 8, 10, 12)), (5, 2, (2, 5))]
)
def test_tinybert_matches_uniformly(teacher, student, expected):
    assert matched(teacher, student) == expected


@pytest.mark.parametrize(("keep", "count", "said"), [
    ((2, 1), None, "each can be kept once, in its order"),
    ((0, 4), None, "the teacher's layers are 0 to 3"),
    ((0, 1), 3, "Give one of the two"),
    ((), 5, "1 to 4 layers"),
])  # fmt: skip
def test_layers_that_cannot_be_kept_are_refused(keep, count, said):
    with pytest.raises(ConfigError, match=said):
        chosen(4, count=count, keep=keep)


@pytest.mark.parametrize(("teacher", "student", "expected"), [(768, 384, 48), (768, 768, 48), (28, 20, 4), (31, 17, 1)])
def test_relation_heads_divide_both_widths(teacher, student, expected):
    assert relation_heads(None, teacher, student) == expected


def test_relation_heads_that_do_not_divide_both_widths_are_refused():
    with pytest.raises(ConfigError, match=r"relation_heads is 7, .*28.*20.*Use a divisor of 4"):
        relation_heads(7, 28, 20)


@pytest.fixture
def settings(teacher, tmp_path):
    def make(head="sequence-classification", **changes):
        usual = {"teacher": teacher(head), "recipe": "logits", "train": "rows.jsonl", "output_dir": str(tmp_path)}
        return DistillSettings(**usual | changes)

    return make


def test_a_student_of_the_teacher_has_every_second_layer_and_all_else_of_it(settings):
    made = settings()
    pair = make_pair(made, "sequence-classification")
    weights = load_checkpoint(made.teacher).weights
    assert pair.kept == (0, 3)
    for name, value in pair.student.state_dict().items():
        expected = weights[name.replace("layers.1.", "layers.3.")]
        torch.testing.assert_close(value.cpu(), torch.from_numpy(expected.copy()), rtol=0, atol=0)
    assert pair.student.config.id2label == pair.teacher.config.id2label
    assert not any(weight.requires_grad for weight in pair.teacher.parameters())


def test_named_layers_are_kept(settings):
    assert make_pair(settings(keep_layers=(1, 2, 3)), "sequence-classification").kept == (1, 2, 3)


def test_a_random_student_has_nothing_of_its_teacher(settings):
    pair = make_pair(settings(initialise="random"), "sequence-classification")
    assert pair.kept == ()
    assert not torch.equal(pair.student.embeddings.token.weight, pair.teacher.embeddings.token.weight)


def test_a_narrower_student_comes_from_a_configuration_and_takes_what_fits(settings, narrow):
    pair = make_pair(settings(student=narrow), "sequence-classification")
    assert pair.student.architecture.encoder.hidden_size == 20
    assert pair.student.config.id2label == pair.teacher.config.id2label
    torch.testing.assert_close(pair.student.layers[1].feed_forward.up.bias, pair.teacher.layers[3].feed_forward.up.bias)


def test_a_student_that_was_saved_has_its_own_layers(settings, teacher):
    with pytest.raises(ConfigError, match="Leave num_layers and keep_layers out"):
        make_pair(settings(student=teacher("sequence-classification"), num_layers=2), "sequence-classification")


def test_a_teacher_without_the_head_has_nothing_to_teach(settings):
    with pytest.raises(WeightError, match="so its answers as a sequence-classification model would be random"):
        make_pair(settings("base"), "sequence-classification")


def test_layers_of_a_modernbert_keep_their_kind():
    config = (
        family("modernbert")
        .config(num_hidden_layers=4)
        .replace(layer_types=["full_attention", "sliding_attention", "sliding_attention", "full_attention"])
    )
    assert with_layers(config, (0, 3))["layer_types"] == ["full_attention", "full_attention"]

"""What new models begin with, held to transformers': deviations, and where the numbers end."""

import pytest
import torch
import transformers

import headway
from headway.errors import ConfigError
from headway.families import family

SIZES = {
    "vocab_size": 503,
    "hidden_size": 96,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "intermediate_size": 131,
    "pad_token_id": 3,
    "num_labels": 211,  # so many that a deviation can be told
}
CLASSES = ("ModernBertForSequenceClassification", "ModernBertForMaskedLM", "ModernBertForTokenClassification")


def theirs(class_name, **settings):
    """Of the model that transformers makes, the weights by our names."""
    torch.manual_seed(1)
    model = getattr(transformers, class_name)(transformers.ModernBertConfig(**SIZES | settings))
    config = family("modernbert").config(**SIZES | settings)
    head = next(head for head, name in family("modernbert").class_names.items() if name == class_name)
    table = family("modernbert").weight_names(config, head)
    arrays = {name: (lambda weight=weight: weight.numpy()) for name, weight in table.untied(model.state_dict()).items()}
    return {name: read() for name, read in table.to_ours(arrays)[0].items()}


@pytest.mark.parametrize("class_name", CLASSES)
@pytest.mark.parametrize("settings", [{}, {"initializer_range": 0.5, "initializer_cutoff_factor": 1.25}])
def test_modernbert_begins_as_in_transformers(class_name, settings):
    torch.manual_seed(0)
    ours = getattr(headway, class_name)(family("modernbert").config(**SIZES | settings)).named_parameters()
    expected = theirs(class_name, **settings)
    for name, weight in ours:
        values, reference = weight.detach().numpy(), expected[name]
        if weight.dim() == 1:
            assert (values == reference).all(), name
            continue
        assert values.std() == pytest.approx(reference.std(), rel=0.04), name
        assert abs(values.mean()) < 0.04 * values.std(), name
        assert abs(values).max() == pytest.approx(abs(reference).max(), rel=0.03), name  # both end at the cut-off


def test_without_a_cut_off_factor_the_numbers_end_at_three_deviations():
    model = headway.ModernBertModel(family("modernbert").config(**SIZES).replace(initializer_cutoff_factor=None))
    table = model.embeddings.token.weight
    assert table.abs().max().item() == pytest.approx(0.06, rel=0.01)
    assert table[SIZES["pad_token_id"]].abs().max() == 0


@pytest.mark.parametrize("factor", [0, -1.0, "wide", True])
def test_a_cut_off_that_is_no_number_of_deviations_is_refused(factor):
    with pytest.raises(ConfigError, match=r"initializer_cutoff_factor is .*, but it is a number of deviations, above zero"):
        headway.ModernBertModel(family("modernbert").config(**SIZES).replace(initializer_cutoff_factor=factor))


def test_other_families_begin_without_a_cut_off():
    table = headway.BertModel(family("bert").config(**SIZES)).embeddings.token.weight
    assert table.abs().max() > 0.07
    assert table.std().item() == pytest.approx(0.02, rel=0.02)

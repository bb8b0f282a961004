"""Modules, packing and the padded border on their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headway.architecture import weight_shapes
from headway.core.batching import TokenSequence
from headway.errors import MissingExtraError
from headway.families import family
from headway.neural import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification
from headway.neural.auto import build_model
from headway.neural.groups import group_texts
from headway.neural.model import EncoderModel
from headway.neural.packing import pack


@pytest.mark.parametrize("head", ["base", "sequence-classification", "masked-lm"])
def test_modules_have_exactly_the_weights_that_the_architecture_lists(tiny_config, head):
    architecture = family("bert").architecture(tiny_config, head)
    model = build_model(tiny_config, architecture, head, {})
    assert {name: tuple(weight.shape) for name, weight in model.state_dict().items()} == weight_shapes(architecture)


def test_a_packed_batch_holds_each_token_once_longest_text_first():
    packed = pack([TokenSequence([5, 6]), TokenSequence([7, 8, 9], [0, 0, 1]), TokenSequence([4])])
    assert packed.ids_T.tolist() == [7, 8, 9, 5, 6, 4]
    assert packed.type_ids_T.tolist() == [0, 0, 1, 0, 0, 0]
    assert packed.columns_T.tolist() == [0, 1, 2, 0, 1, 0]
    assert packed.first_B.tolist() == [0, 3, 5]
    assert packed.order_B.tolist() == [1, 0, 2]
    assert packed.unsorted(torch.tensor([30, 20, 10])).tolist() == [20, 30, 10]


def test_texts_of_like_length_share_a_group_and_equal_ones_need_no_padding():
    groups = group_texts(pack([TokenSequence([1] * n) for n in (8, 8, 10, 3, 3)]))
    assert [(group.lengths, group.length, group.keep is None) for group in groups] == [
        ((10, 8, 8), 10, False),
        ((3, 3), 3, True),
    ]


def test_steps_that_share_a_layer_run_it_again(tiny_config):
    """Two layers in the order second, first, second."""
    whole = family("bert").architecture(tiny_config, "base")
    encoder = replace(whole.encoder, layers=whole.encoder.layers[:2], order=(1, 0, 1))
    torch.manual_seed(0)
    shared = EncoderModel(tiny_config, replace(whole, encoder=encoder), "base").eval()
    written_out = EncoderModel(tiny_config, whole, "base").eval()
    weights = shared.state_dict()
    for step, layer in enumerate(encoder.steps):
        prefix = f"layers.{layer}."
        weights |= {
            f"layers.{step}.{name.removeprefix(prefix)}": value
            for name, value in shared.state_dict().items()
            if name.startswith(prefix)
        }
    written_out.load_state_dict(weights)
    packed = pack([TokenSequence([7, 8, 9]), TokenSequence([5])])
    found = shared.run(packed, wants_weights=True, wants_hidden=True)
    assert torch.allclose(found.states_TD, written_out.encode(packed), atol=1e-5)
    assert len(found.hidden) == 4
    assert len(found.weights) == 3
    found.states_TD.sum().backward()
    assert shared.layers[1].attention.out.weight.grad is not None


def test_changing_one_text_of_a_batch_changes_no_other(tiny_config):
    torch.manual_seed(0)
    model = AutoModel.from_config(tiny_config).eval()
    texts = [TokenSequence([7] * n) for n in (9, 8, 3)]
    changed = [texts[0], TokenSequence([50] * 8), texts[2]]
    with torch.no_grad():
        before, after = (model.encode(pack(batch)) for batch in (texts, changed))
    assert torch.equal(before[:9], after[:9])
    assert not torch.allclose(before[9:17], after[9:17])
    assert torch.equal(before[17:], after[17:])


def test_the_output_is_the_same_by_name_index_and_key(tiny_config):
    model = AutoModelForSequenceClassification.from_config(tiny_config)
    output = model(torch.tensor([[5, 6, 7]]), labels=torch.tensor([1]))
    assert output.loss is output[0] is output["loss"]
    assert output.logits is output[1]
    assert output.logits.shape == (1, 5)


def test_positions_without_attention_are_zero_in_the_padded_output(tiny_config):
    model = AutoModel.from_config(tiny_config).eval()
    states = model(torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]])).last_hidden_state
    assert states[1, 1:].abs().sum() == 0
    assert (states[0].abs().sum(-1) > 0).all()


def test_a_new_head_is_said_once_and_a_new_model_starts_near_uniform(transformers_folder):
    folder = transformers_folder("BertForMaskedLM")
    with pytest.warns(UserWarning, match=r"head\.classifier|classifier"):
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    assert model.config.num_labels == 3
    assert not model.training
    assert model.head.classifier.weight.std() < 0.1
    assert (model.head.classifier.bias == 0).all()


def test_a_new_masked_lm_has_the_loss_of_guessing(tiny_config):
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(tiny_config)
    ids = torch.from_numpy(np.random.default_rng(0).integers(5, 101, (7, 13)))
    loss = float(model(ids, labels=ids).loss.detach())
    assert loss == pytest.approx(np.log(101), rel=0.05)


def test_configuration_settings_travel_with_from_pretrained(transformers_folder):
    folder = transformers_folder("BertForSequenceClassification")
    model = AutoModelForSequenceClassification.from_pretrained(folder, hidden_dropout_prob=0.25)
    assert model.layers[0].dropout.p == 0.25
    assert model.config.hidden_dropout_prob == 0.25


def test_asking_for_torch_where_there_is_none_says_what_to_install(monkeypatch):
    from headway.core.extras import require_torch

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"Training needs the package 'torch'.*pip install 'headway\[train\]'"):
        require_torch("Training")

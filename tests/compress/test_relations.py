"""Attention scores and relations on packed texts against loops over single texts, and against transformers' scores."""

import numpy as np
import pytest
import torch

from headway.compress.relations import relations_sum, scores_sum
from headway.compress.taps import tapped
from headway.core.batching import TokenSequence
from headway.families import family
from headway.neural.auto import AutoModel
from headway.neural.groups import group_texts
from headway.neural.packing import pack

LENGTHS = (7, 3, 6, 2, 6)


def texts(seed=0):
    random = np.random.default_rng(seed)
    return [TokenSequence(random.integers(5, 101, length).tolist()) for length in LENGTHS]


def of_each_text(packed, values):
    return values.split(list(packed.lengths))


def test_relations_are_those_of_minilm_v2_text_by_text_for_models_of_unequal_width():
    packed, heads = pack(texts()), 4
    random = torch.Generator().manual_seed(5)
    (qs, ks), (qt, kt) = [[torch.randn(24, width, generator=random) for _ in range(2)] for width in (12, 20)]

    def relation(first, second):
        """(heads, tokens, tokens): concatenated vectors split into heads, scaled products, softmax."""
        split = [part.view(len(part), heads, -1).transpose(0, 1) for part in (first, second)]
        return (split[0] @ split[1].transpose(1, 2) / split[0].shape[-1] ** 0.5).softmax(-1)

    expected = 0.0
    for pieces in zip(*(of_each_text(packed, values) for values in (qs, ks, qt, kt)), strict=True):
        ours, theirs = relation(*pieces[:2]), relation(*pieces[2:])
        length = len(pieces[0])
        # formula 6: the mean over heads and tokens of the divergence, here times the tokens
        expected += float((theirs * (theirs.log() - ours.log())).sum()) / (heads * length) * length
    found = relations_sum((qs, ks), (qt, kt), packed, heads=heads)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_attention_scores_are_compared_over_real_pairs_alone():
    packed = pack(texts())
    groups = group_texts(packed)
    assert any(group.keep is not None for group in groups)
    random = torch.Generator().manual_seed(5)
    sides = [[torch.randn(group.texts, 3, group.length, group.length, generator=random) for group in groups] for _ in range(2)]
    expected = 0.0
    for group, ours, theirs in zip(groups, *sides, strict=True):
        for text, length in enumerate(group.lengths):
            near = (text, slice(None), slice(length), slice(length))
            expected += length * float(torch.nn.MSELoss()(ours[near], theirs[near]))
    assert float(scores_sum(*sides, groups)) == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def model(model_folder):
    return AutoModel.from_pretrained(model_folder("base"))


def test_a_model_gives_the_scores_that_its_weights_are_made_of(model):
    packed = pack(texts())
    with torch.no_grad():
        scores = model.run(packed, wants_scores=True).weights
        found = model.run(packed, wants_weights=True)
    for layer_scores, weights in zip(scores, found.weights, strict=True):
        for ours, theirs in zip(layer_scores, weights, strict=True):
            torch.testing.assert_close(ours.softmax(-1), theirs)
            assert not torch.equal(ours, theirs)


def test_scores_are_transformers_scaled_products(model_folder):
    import transformers

    folder = model_folder("base")
    peer = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    caught = {}
    attention = peer.encoder.layer[1].attention.self
    for name in ("query", "key"):
        getattr(attention, name).register_forward_hook(lambda module, inputs, output, name=name: caught.update({name: output}))
    (text, *_) = texts()
    with torch.no_grad():
        peer(torch.tensor([text.ids]))
        found = AutoModel.from_pretrained(folder).run(pack([text]), wants_scores=True).weights[1][0]
    query, key = (caught[name].view(1, 7, 4, 7).transpose(1, 2) for name in ("query", "key"))
    torch.testing.assert_close(found, query @ key.transpose(-1, -2) / 7**0.5, rtol=1e-4, atol=1e-5)


def tiny(family_name, **settings):
    """A model of two layers with new weights."""
    config = family(family_name).config(
        vocab_size=101, hidden_size=28, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37,
        max_position_embeddings=41, relative_attention=True, type_vocab_size=0, **settings,
    )  # fmt: skip
    return AutoModel.from_config(config).eval()


def test_disentangled_scores_are_those_before_the_softmax():
    model = tiny("deberta-v2", pos_att_type="p2c|c2p", position_buckets=8, share_att_key=True, position_biased_input=False)
    packed = pack(texts())
    with torch.no_grad():
        scores = model.run(packed, wants_scores=True).weights
        weights = model.run(packed, wants_weights=True).weights
    for ours, theirs in zip(scores[1], weights[1], strict=True):
        torch.testing.assert_close(ours.softmax(-1), theirs)


def test_a_tap_gives_the_queries_keys_and_values_of_its_step(model):
    packed = pack(texts())
    with torch.no_grad(), tapped(model, -1) as tap:
        hidden = model.run(packed, wants_hidden=True).hidden
    last = model.layers[2].attention.qkv
    expected = torch.nn.functional.linear(hidden[2], last.weight, last.bias)
    for letter, part in zip("qkv", expected.split(28, dim=-1), strict=True):
        torch.testing.assert_close(tap[letter], part)
    assert not last._forward_hooks


def test_a_tap_adds_the_biases_that_deberta_keeps_apart():
    model = tiny("deberta", pos_att_type="c2p|p2c")
    attention = model.layers[0].attention
    with torch.no_grad():
        attention.query_bias.fill_(0.5)
        attention.value_bias.fill_(-0.25)
        with tapped(model, 0) as tap:
            hidden = model.run(pack(texts()), wants_hidden=True).hidden
        plain = torch.nn.functional.linear(hidden[0], attention.qkv.weight)
    torch.testing.assert_close(tap["q"], plain[:, :28] + 0.5)
    torch.testing.assert_close(tap["k"], plain[:, 28:56])
    torch.testing.assert_close(tap["v"], plain[:, 56:] - 0.25)


def test_a_tap_keeps_the_tokens_though_the_map_reads_a_table_of_positions_too():
    """With an adapter in the map's place the layer calls it for the table as well, after the tokens."""
    model = tiny("deberta-v2", pos_att_type="p2c|c2p", position_buckets=8, share_att_key=True, position_biased_input=False)
    plain = model.layers[0].attention.qkv
    adapted = type("Adapted", (torch.nn.Linear,), {})(28, 84)
    adapted.load_state_dict(plain.state_dict())
    model.layers[0].attention.qkv = adapted
    packed = pack(texts())
    with torch.no_grad(), tapped(model, 0) as tap:
        hidden = model.run(packed, wants_hidden=True).hidden
    torch.testing.assert_close(tap["k"], plain(hidden[0])[:, 28:56])

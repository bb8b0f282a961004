"""Each kind of attention: its fast way against its plain one, what it costs, and what half precision and dropout do to it."""

import math
from functools import cache

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from headway.core.batching import TokenSequence
from headway.families import family
from headway.neural.auto import build_model
from headway.neural.bands import attend_in_band, make_band
from headway.neural.blockwise import attend_in_blocks
from headway.neural.disentangled import PositionVectors, attend_disentangled
from headway.neural.groups import Group, group_texts
from headway.neural.packing import pack
from headway.neural.products import attend_openly

SIZES = {"vocab_size": 101, "num_hidden_layers": 3, "max_position_embeddings": 700, "pad_token_id": 1}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": "c2p|p2c",
    "max_relative_positions": 19,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
KINDS = {
    "bert": {"hidden_size": 28, "num_attention_heads": 4, "intermediate_size": 37},
    "mpnet": {"hidden_size": 28, "num_attention_heads": 4, "intermediate_size": 37},
    "deberta": {"hidden_size": 28, "num_attention_heads": 4, "intermediate_size": 37} | DEBERTA,
    "deberta-v2": {"hidden_size": 28, "num_attention_heads": 4, "intermediate_size": 37, "position_buckets": 7} | DEBERTA,
    "modernbert": {
        "hidden_size": 30,
        "num_attention_heads": 5,
        "intermediate_size": 37,
        "local_attention": 10,
        "global_attn_every_n_layers": 3,
    },
}
ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


def make(kind, **settings):
    """A model of this kind with weights large enough to make attention choosy."""
    torch.manual_seed(7)
    found = family(kind)
    config = found.config(**SIZES | KINDS[kind] | {"initializer_range": 0.3} | settings)
    return build_model(config, found.architecture(config, "base"), "base", {})


@cache
def tiny(kind):
    return make(kind).eval()


def texts(*lengths):
    generator = torch.Generator().manual_seed(3)
    return [TokenSequence(torch.randint(2, 101, (length,), generator=generator).tolist()) for length in lengths]


def heads(tokens, *, count=3, size=5, dtype=torch.float64):
    return torch.randn(tokens, 3, count, size, generator=torch.Generator().manual_seed(1), dtype=dtype)


def vectors(longest, terms, *, count=3, size=5):
    generator = torch.Generator().manual_seed(2)
    both = [torch.randn(count, 2 * longest - 1, size, generator=generator, dtype=torch.float64) for _ in range(2)]
    return [found if term in terms else None for term, found in zip(("c2p", "p2c"), both, strict=True)]


def one_by_one(qkv, lengths, attend):
    """Each text alone through plain products."""
    found = []
    for rows in qkv.split(lengths):
        q, k, v = rows.permute(1, 2, 0, 3)[:, None]
        found.append(attend(q, k, v)[0][0].transpose(0, 1))
    return torch.cat(found)


@pytest.mark.parametrize("window", [3, 40])
def test_a_band_gives_what_a_window_over_each_text_gives(window):
    lengths = (211, 97, 97, 5, 1)
    packed, qkv = pack(texts(*lengths)), heads(sum(lengths))
    found = attend_in_band(qkv, make_band(packed, packed.tokens, window), dropout=0.0)

    def windowed(q, k, v):
        place = torch.arange(q.shape[2])
        return attend_openly(q, k, v, (place[:, None] - place).abs() <= window, dropout=0.0)

    assert torch.allclose(found, one_by_one(qkv, lengths, windowed), atol=1e-12)


@pytest.mark.parametrize("terms", [("c2p",), ("p2c",), ("c2p", "p2c"), ()], ids="+".join)
def test_blocks_give_what_plain_products_give(terms):
    """Texts of several blocks of 64, of exactly one, and short ones that share a product with padding between them."""
    lengths = (129, 64, 64, 13, 12, 11, 1)
    packed, qkv = pack(texts(*lengths)), heads(sum(lengths))
    table = vectors(131, terms)
    groups = group_texts(packed, alone=True)
    assert [group.texts for group in groups] == [1, 1, 1, 3, 1]
    found = attend_in_blocks(qkv, PositionVectors(131, *table), groups, scale=0.3, dropout=0.0)

    def disentangled(q, k, v):
        return attend_disentangled(q, k, v, None, vectors=PositionVectors(131, *table), scale=0.3, dropout=0.0)

    assert torch.allclose(found, one_by_one(qkv, lengths, disentangled), atol=1e-12)


def test_a_term_reads_the_vector_of_its_distance():
    """Three tokens; content-to-position vectors fall from distance 2 to -2, the others rise."""
    q, k, v = torch.tensor([1.0, 2, 3]), torch.tensor([5.0, 7, 11]), torch.zeros(3)
    keys, queries = torch.arange(2, -3, -1.0), torch.arange(-2, 3.0)
    table = PositionVectors(3, *(found.view(1, 5, 1) for found in (keys, queries)))
    _, weights = attend_disentangled(*(x.view(1, 1, 3, 1) for x in (q, k, v)), None, vectors=table, scale=0.1, dropout=0.0)
    distance = torch.arange(3.0)[:, None] - torch.arange(3.0)
    scores = 0.1 * q[:, None] * (k + distance) + k * distance
    assert torch.allclose(weights[0, 0], scores.softmax(-1))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("lengths", [(67,), (5, 5, 4), (1,)])
def test_blocks_have_the_gradients_of_what_they_compute(lengths, dropout):
    """Against finite differences; the same seed drops the same weights each time."""
    packed, qkv = pack(texts(*lengths)), heads(sum(lengths), count=2, size=3)
    longest = max(lengths) + 1
    table = vectors(longest, ("c2p", "p2c"), count=2, size=3)
    groups = group_texts(packed, alone=True)

    def run(qkv, keys, queries):
        torch.manual_seed(5)
        return attend_in_blocks(qkv, PositionVectors(longest, keys, queries), groups, scale=0.5, dropout=dropout)

    inputs = [found.requires_grad_() for found in (qkv, *table)]
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)


def cost(kind, *lengths):
    """Operations of all matrix products of a pass, those of fused attention too."""

    def fused(query, key, *rest, **more):
        return 4 * math.prod(query[:-1]) * key[-2] * query[-1]

    op = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping={op: fused}) as counter:
        tiny(kind).encode(pack(texts(*lengths)))
    return counter.get_total_flops()


@ALL_KINDS
def test_a_batch_costs_what_its_texts_cost(kind):
    """Long texts have no padding at all, and short ones at most a quarter more slots than tokens."""
    long, short = (300, 180, 150, 70), (40, 38, 35, 9, 9, 8, 1)
    table = cost(kind, 300) - cost(kind, 300, 300) / 2  # rows of a table of positions are mapped once a batch
    assert cost(kind, *long) <= sum(cost(kind, length) for length in long) + table
    assert cost(kind, *short) <= 1.2 * sum(cost(kind, length) for length in short)


@ALL_KINDS
def test_padding_costs_nothing(kind):
    longest, short = texts(300, 10)
    ids = torch.tensor([longest.ids, [*short.ids, *[1] * 290]])
    mask = (torch.arange(300) < torch.tensor([[300], [10]])).long()
    with FlopCounterMode(display=False) as padded, torch.no_grad():
        tiny(kind)(ids, mask)
    with FlopCounterMode(display=False) as packed, torch.no_grad():
        tiny(kind).encode(pack([longest, short]))
    pooler = 2 * 2 * 28 * 28 if tiny(kind).pooler is not None else 0
    assert padded.get_total_flops() == packed.get_total_flops() + pooler


def test_a_window_costs_as_much_as_it_has_tokens():
    """Two layers of three see a window. Twice the length costs them twice, and the whole-text layer four times."""
    once, twice, thrice = (cost("modernbert", length) for length in (224, 448, 672))
    whole_text = 4 * 30 * 224**2
    assert twice - 2 * once == 2 * whole_text
    assert thrice - 3 * once == 6 * whole_text


@ALL_KINDS
def test_half_precision_agrees_with_single(kind):
    packed, model = pack(texts(149, 66, 13, 12, 3)), make(kind, initializer_range=0.1).eval()
    weights, found = torch.randn(packed.tokens, model.architecture.encoder.hidden_size), []
    for low in (True, False):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            states = model.encode(packed)
        (states.float() * weights).sum().backward()
        gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        found.append({"states": states.detach().float()} | gradients)
    assert found[0].keys() == found[1].keys()
    for name, low in found[0].items():
        if name == "states" or name.endswith(("qkv.weight", "relative.weight", "position_key.weight", "position_query.weight")):
            assert torch.nn.functional.cosine_similarity(low.flatten(), found[1][name].flatten(), dim=0) > 0.99, name


@pytest.mark.parametrize("wants_weights", [False, True])
def test_scores_do_not_overflow_in_half_precision(wants_weights):
    """Queries and keys of 101 in 7 channels: 101 * 101 * 7 is more than float16 holds; three times a fifth of it is not."""
    model = make("deberta-v2").eval().half()
    with torch.no_grad():
        for name, weight in model.layers[0].attention.qkv.named_parameters():
            weight.fill_(101.0 if name == "bias" else 0.0)
    assert model.run(pack(texts(70, 3)), wants_weights=wants_weights).states_TD.isfinite().all()


@ALL_KINDS
@pytest.mark.parametrize("wants_weights", [False, True])
def test_weights_are_dropped_in_training_only(kind, wants_weights):
    name = "attention_dropout" if kind == "modernbert" else "attention_probs_dropout_prob"
    none = {"mlp_dropout": 0.0} if kind == "modernbert" else {"hidden_dropout_prob": 0.0}
    model, packed = make(kind, **none, **{name: 0.5}), pack(texts(99, 13))
    for layer in model.layers:
        layer.attention_dropout.p = 0.0  # that of the result, which ModernBERT sets by the same name
    first, second = (model.train().run(packed, wants_weights=wants_weights).states_TD for _ in range(2))
    assert not torch.allclose(first, second)
    first, second = (model.eval().run(packed, wants_weights=wants_weights).states_TD for _ in range(2))
    assert torch.equal(first, second)


@ALL_KINDS
def test_asking_for_weights_changes_no_state(kind):
    packed = pack(texts(149, 66, 13, 12, 3))
    with torch.no_grad():
        found = tiny(kind).run(packed, wants_weights=True)
        assert torch.allclose(found.states_TD, tiny(kind).encode(packed), atol=1e-4)
    for weights in found.weights:
        assert all(torch.allclose(group.sum(-1), torch.ones(()), atol=1e-5) for group in weights)


@ALL_KINDS
def test_gradients_flow_through_weights_that_are_asked_for(kind):
    """For those who teach a model another's attention."""
    model = make(kind)
    found = model.run(pack(texts(70, 5)), wants_weights=True)
    sum(group.square().sum() for weights in found.weights for group in weights).backward()
    assert model.layers[0].attention.qkv.weight.grad.abs().sum() > 0


@ALL_KINDS
def test_layers_computed_again_give_the_same_gradients(kind):
    """With dropout, which must drop the same again."""
    packed, found = pack(texts(99, 13, 12)), []
    for again in (False, True):
        model = make(kind).train()
        model.gradient_checkpointing = again
        torch.manual_seed(11)
        model.encode(packed).square().mean().backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(gradient, found[1][name]) for name, gradient in found[0].items())


def test_texts_in_a_group_are_masked_from_its_padding():
    group = Group((3, 2), 3, torch.tensor([0, 1, 2, 3, 4, 0]), torch.arange(5), torch.tensor([[True] * 3, [True, True, False]]))
    rows = torch.arange(5.0)[:, None]
    assert group.padded(rows).flatten().tolist() == [0, 1, 2, 3, 4, 0]
    assert torch.equal(group.unpadded(group.padded(rows)), rows)

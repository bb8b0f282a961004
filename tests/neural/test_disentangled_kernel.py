"""The Triton kernel against plain products: on a GPU where there is one, else in Triton's interpreter. Marked ``triton``."""

import os

import pytest
import torch

from headway.neural.disentangled import PositionVectors, attend_disentangled

pytestmark = pytest.mark.triton
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LONGEST, HEADS, SIZE, SCALE, TILE = 41, 3, 7, 0.3, 16
TERMS = [("keys", "queries"), ("keys",), ("queries",)]


@pytest.fixture(scope="module")
def attend_in_kernel():
    if DEVICE == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are defined
    from headway.neural.disentangled_kernel import attend_in_kernel

    return attend_in_kernel


def numbers(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE).requires_grad_()


def case(lengths, terms, *, size=SIZE):
    """Queries, keys and values of texts end to end, and position vectors."""
    tables = [numbers(HEADS, 2 * LONGEST - 1, size, seed=place) if name in terms else None for place, name in enumerate(TERMS[0])]
    return numbers(sum(lengths), 3, HEADS, size, seed=7), PositionVectors(LONGEST, *tables)


def openly(qkv, vectors, lengths):
    """The same, text by text."""
    found = []
    for rows in qkv.split(lengths):
        q, k, v = (rows[:, place].transpose(0, 1)[None] for place in range(3))
        mixed, _ = attend_disentangled(q, k, v, None, vectors=vectors, scale=SCALE, dropout=0.0)
        found.append(mixed[0].transpose(0, 1))
    return torch.cat(found)


def gradients(mixed, qkv, vectors):
    weights = torch.linspace(-1, 2, mixed.numel(), device=DEVICE).view_as(mixed)
    wanted = [tensor for tensor in (qkv, vectors.keys_HRK, vectors.queries_HRK) if tensor is not None]
    return torch.autograd.grad((mixed * weights).sum(), wanted)


def far(found, expected):
    found, expected = found.detach(), expected.detach()
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("lengths", [(37, 17, 16, 5, 1), (41,), (1, 1), (16, 32)])
def test_the_kernel_gives_what_plain_products_give_and_every_gradient(attend_in_kernel, lengths, terms):
    qkv, vectors = case(lengths, terms)
    expected = openly(qkv, vectors, lengths)
    found = attend_in_kernel(qkv, vectors, lengths, scale=SCALE, dropout=0.0, tile=TILE)
    assert far(found, expected) < 1e-5
    for ours, theirs in zip(gradients(found, qkv, vectors), gradients(expected, qkv, vectors), strict=True):
        assert far(ours, theirs) < 1e-4


def test_no_text_sees_another(attend_in_kernel):
    lengths = (19, 23)
    qkv, vectors = case(lengths, TERMS[0])
    changed = torch.cat([qkv[:19], torch.zeros_like(qkv[19:])])
    found, other = (attend_in_kernel(rows, vectors, lengths, scale=SCALE, dropout=0.0, tile=TILE) for rows in (qkv, changed))
    assert torch.equal(found[:19], other[:19])
    assert not torch.equal(found[19:], other[19:])


def test_dropout_drops_weights_alike_in_both_passes(attend_in_kernel):
    """Values that are the unit vectors make the mixture the weights themselves, from which the dropped ones can be seen."""
    lengths, rate = (31, 17), 0.3
    qkv, vectors = case(lengths, TERMS[0], size=32)

    def dropped(rows):
        torch.manual_seed(3)
        return attend_in_kernel(rows, vectors, lengths, scale=SCALE, dropout=rate, tile=TILE)

    stays, plain = [], []
    for length, rows in zip(lengths, qkv.split(lengths), strict=True):
        units = torch.eye(32, device=DEVICE)[:length, None].expand(length, HEADS, 32)
        q, k, v = (rows[:, place].transpose(0, 1)[None] for place in range(3))
        _, weights = attend_disentangled(q, k, v, None, vectors=vectors, scale=SCALE, dropout=0.0)
        plain.append((weights[0], v[0]))
        stays.append(units)
    with_units = torch.cat([qkv[:, :2], torch.cat(stays)[:, None]], 1).detach()
    found = dropped(with_units).split(lengths)
    expected, counts = [], []
    for (weights, values), mixed, length in zip(plain, found, lengths, strict=True):
        kept = (mixed.transpose(0, 1)[..., :length] > 0).detach()
        counts.append(kept.float().mean().item())
        expected.append(torch.matmul(weights * kept / (1 - rate), values).transpose(0, 1))
    assert all(0.6 < count < 0.8 for count in counts)
    ours, theirs = dropped(qkv), torch.cat(expected)
    assert far(ours, theirs) < 1e-5
    for mine, other in zip(gradients(ours, qkv, vectors), gradients(theirs, qkv, vectors), strict=True):
        assert far(mine, other) < 1e-4

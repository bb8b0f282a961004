"""The same numbers on a GPU. Marked ``cuda`` and left out where there is none."""

from types import SimpleNamespace

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.families import family
from headway.neural import products
from headway.neural.auto import build_model
from headway.neural.packing import pack
from headway.neural.products import has_varlen_kernel, wants_kernel
from reference.family_cases import CASES, batch


@pytest.fixture
def ampere(monkeypatch):
    """A GPU that can run torch's fused kernel, as far as may be asked of it."""
    monkeypatch.setattr(products, "_has_flash", lambda: True)


FULL = SimpleNamespace(lengths=(5, 3), extents=(5, 3))
HOLES = SimpleNamespace(lengths=(5, 3), extents=(5, 4))


@pytest.mark.parametrize(
    ("device", "dtype", "size", "packed", "window", "expected"),
    [
        ("cuda", torch.bfloat16, 64, FULL, None, True),
        ("cuda", torch.float16, 64, FULL, 64, True),
        ("cuda", torch.float16, 64, HOLES, None, True),
        pytest.param("cuda", torch.float16, 64, HOLES, 64, False, id="its window counts tokens, not columns"),
        pytest.param("cpu", torch.bfloat16, 64, FULL, None, False, id="no GPU"),
        pytest.param("cuda", torch.float32, 64, FULL, None, False, id="single precision"),
        pytest.param("cuda", torch.bfloat16, 28, FULL, None, False, id="heads of an odd size"),
        pytest.param("cuda", torch.bfloat16, 264, FULL, None, False, id="heads too large"),
    ],
)
def test_the_fused_kernel_is_used_where_it_can_be(device, dtype, size, packed, window, expected, ampere):
    qkv = SimpleNamespace(device=SimpleNamespace(type=device), dtype=dtype, shape=(8, 3, 2, size))
    assert has_varlen_kernel(qkv, packed, window=window) is expected


@pytest.mark.parametrize(
    ("device", "packed", "asked", "expected"),
    [
        ("cuda", FULL, "1", True),
        pytest.param("cuda", FULL, "", False, id="not asked for"),
        pytest.param("cpu", FULL, "1", False, id="no GPU"),
        pytest.param("cuda", HOLES, "1", False, id="its distances count tokens, not columns"),
    ],
)
def test_the_triton_kernel_is_used_where_it_is_asked_for(device, packed, asked, expected, monkeypatch):
    monkeypatch.setenv("HEADWAY_TRITON", asked)
    assert wants_kernel(SimpleNamespace(device=SimpleNamespace(type=device)), packed) is expected


@pytest.mark.cuda
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_single_precision_agrees_with_the_cpu(case):
    arrays = {name: torch.from_numpy(array) for name, array in batch(case, case.heads[0]).items()}
    config = case.config(case.heads[0])
    model = build_model(config, case.family.architecture(config, case.heads[0]), case.heads[0], {}).eval()
    with torch.no_grad():
        expected = model(**arrays).to_tuple()[0]
        found = model.cuda()(**{name: array.cuda() for name, array in arrays.items()}).to_tuple()[0].cpu()
    assert torch.allclose(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.cuda
@pytest.mark.parametrize("triton", ["", "1"])
@pytest.mark.parametrize("kind", ["bert", "mpnet", "deberta-v2", "modernbert"])
def test_half_precision_through_the_fused_kernels_agrees_with_the_cpu(kind, triton, monkeypatch):
    """Heads of 16, texts beyond the window and beyond the buckets, gradients too."""
    monkeypatch.setenv("HEADWAY_TRITON", triton)
    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, "intermediate_size": 96, "pad_token_id": 1}
    if kind == "deberta-v2":
        sizes |= {"relative_attention": True, "pos_att_type": "c2p|p2c", "position_buckets": 16, "max_relative_positions": 64}
    config = family(kind).config(vocab_size=101, **sizes)
    model = build_model(config, family(kind).architecture(config, "base"), "base", {}).eval()
    texts, found = [TokenSequence([*range(2, 92)] * 3), TokenSequence([7, 9])], []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            states = model.encode(pack(texts, device=device))
        (states.float() * torch.arange(states.shape[1], device=device)).sum().backward()
        found.append((states.detach().float().cpu(), model.layers[0].attention.qkv.weight.grad.float().cpu()))
    for expected, low in zip(*found, strict=True):
        assert torch.nn.functional.cosine_similarity(low.flatten(), expected.flatten(), dim=0) > 0.99


@pytest.mark.cuda
def test_dropout_in_the_fused_kernel_follows_the_seed_and_has_a_gradient():
    sizes = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 96}
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.5}
    config = family("bert").config(vocab_size=101, **sizes, **rates)
    model = build_model(config, family("bert").architecture(config, "base"), "base", {}).cuda().train()
    packed, found = pack([TokenSequence([*range(2, 92)]), TokenSequence([7, 9])], device="cuda"), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        with torch.autocast("cuda", torch.bfloat16):
            found.append(model.encode(packed).float())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    found[0].square().sum().backward()
    assert torch.isfinite(model.layers[0].attention.qkv.weight.grad).all()

"""Operations by formula, against those that torch counts while a model runs."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from headway.architecture.cost import forward_operations
from headway.core.batching import TokenSequence
from headway.families import family
from headway.neural.auto import build_model
from headway.neural.packing import pack

SIZES = {"vocab_size": 101, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 37}


@pytest.mark.parametrize("name", ["bert", "modernbert", "albert"])
def test_an_encoder_costs_what_the_formula_says(name):
    """One text, so that nothing is padded; the window of ModernBERT is wider than the text."""
    found = family(name)
    config = found.config().replace(**SIZES, max_position_embeddings=97, pad_token_id=0)
    model = build_model(config, found.architecture(config, "token-classification"), "token-classification", {}).eval()
    length = 61
    packed = pack([TokenSequence([5 + place % 90 for place in range(length)])])
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    count = lambda query, key, *rest, **more: 4 * query[0] * query[1] * query[2] * key[2] * query[3]  # noqa: E731
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping={fused: count}) as counter:
        model.encode(packed)
    assert counter.get_total_flops() == forward_operations(model.architecture, [length], targets=0)


def test_a_window_bounds_the_pairs_and_the_vocabulary_counts_for_targets_alone():
    modern, bert = family("modernbert"), family("bert")
    encoder = modern.architecture(modern.config().replace(**SIZES), "base")
    one, two, three = (forward_operations(encoder, [length], targets=0) for length in (1000, 2000, 3000))
    whole_texts = sum(layer.attention.window is None for layer in encoder.encoder.layers)
    assert 0 < whole_texts < 3
    assert three - 2 * two + one == 4 * 24 * whole_texts * (3000**2 - 2 * 2000**2 + 1000**2)
    lm = bert.architecture(bert.config().replace(**SIZES), "masked-lm")
    assert forward_operations(lm, [7], targets=3) - forward_operations(lm, [7], targets=2) == 2 * (24 * 24 + 24 * 101)

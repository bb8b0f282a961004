"""The recipes of pre-training: each number under its source, and in the units of this library."""

from itertools import chain

import pytest

from headway.settings.presets import PRESETS
from headway.settings.pretraining import PretrainSettings

GIVEN = {"files": ("a.txt",), "tokenizer": "t", "output_dir": "o"}


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_has_one_source(name):
    parts = PRESETS[name].parts
    named = list(chain.from_iterable(parts.values()))
    assert len(named) == len(set(named)) == len(PRESETS[name].values)
    assert all("arXiv" in source or "et al." in source or "/" in source for source in parts)
    assert {"learning_rate", "weight_decay", "mlm_probability", "tokens_per_batch", "warmup_steps", "adam_epsilon"} <= set(named)


@pytest.mark.parametrize(
    ("name", "sequences", "length"),
    [
        ("bert", 256, 512),
        ("roberta", 8192, 512),
        ("electra-small", 128, 128),
        ("cramming", 8192, 128),
        ("mosaicbert", 4096, 128),
        ("modernbert", 4608, 1024),
    ],
)
def test_a_step_has_as_many_tokens_as_the_authors_sequences(name, sequences, length):
    chosen = PretrainSettings(**GIVEN, preset=name)
    assert chosen.tokens_per_batch * chosen.gradient_accumulation_steps == sequences * length
    assert chosen.max_length == length


@pytest.mark.parametrize(
    ("name", "warm"), [("bert", 10_000), ("roberta", 24_000), ("electra-small", 10_000), ("mosaicbert", 4_200)]
)
def test_warm_ups_are_the_authors_number_of_steps(name, warm):
    chosen = PretrainSettings(**GIVEN, preset=name)
    assert chosen.warmup_steps * chosen.max_steps == pytest.approx(warm)


@pytest.mark.parametrize("name", ["mosaicbert", "modernbert"])
def test_a_decay_by_the_schedule_alone_is_divided_by_the_highest_rate(name):
    """Composer and optimi multiply weights by 1 - 1e-5 at the highest rate, torch's AdamW by 1 - rate * decay."""
    chosen = PretrainSettings(**GIVEN, preset=name)
    assert chosen.learning_rate * chosen.weight_decay == pytest.approx(1e-5)


def test_modernberts_tokens_come_out_as_steps():
    """Batches grow in a straight line over the first 50 G tokens; the rate rises over the first 3 G."""
    chosen = PretrainSettings(**GIVEN, preset="modernbert")
    whole = chosen.tokens_per_batch * chosen.gradient_accumulation_steps
    growing, first = chosen.batch_warmup_steps * chosen.max_steps, chosen.batch_warmup_share
    assert whole * first == pytest.approx(768 * 1024, rel=1e-3)

    def tokens(steps):
        return whole * steps * (first + (1 - first) * steps / growing / 2)

    assert tokens(growing) == pytest.approx(50e9, rel=2e-3)
    assert tokens(chosen.warmup_steps * chosen.max_steps) == pytest.approx(3e9, rel=2e-3)
    assert tokens(growing) + whole * (chosen.max_steps - growing) == pytest.approx(1.719e12, rel=1e-4)

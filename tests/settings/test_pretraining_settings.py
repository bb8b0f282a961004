"""Settings of any training that pre-training refuses, rather than pass over them in silence."""

import pytest

from headway.errors import ConfigError
from headway.settings.pretraining import PretrainSettings

GIVEN = {"files": ("a.txt",), "tokenizer": "t", "output_dir": "o"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"per_device_train_batch_size": 32},
            r"is 32, but in pre-training batches are counted in tokens: give tokens_per_batch\.",
        ),
        ({"label_smoothing_factor": 0.1}, r"is 0\.1, but in pre-training there are no labels: leave it out\."),
        (
            {"max_steps": -1, "batch_warmup_steps": 0.1},
            r"batch_warmup_steps is 0\.1, a share of max_steps, which says nothing here",
        ),
        ({"layerwise_lr_decay": 0.8, "objective": "replaced-token", "family": "electra"}, r"with replaced-token two encoders"),
    ],
)
def test_settings_that_mean_nothing_here_are_refused_with_what_to_do(given, said):
    with pytest.raises(ConfigError, match=said):
        PretrainSettings(**GIVEN, **given)

import pytest

from headway.core.batching import TokenSequence
from headway.errors import InputError
from headway.neural import AutoModelForSequenceClassification
from headway.neural.engine import TorchEngine


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        (TokenSequence([2, 101]), "input_ids holds 101, but this model has vectors for 0 to 100"),
        (TokenSequence([2, 5, 3], [0, 1, 2]), "token_type_ids holds 2, but this model has vectors for 0 to 1"),
    ],
)
def test_another_models_tokens_are_refused_in_words(tiny_config, sequence, message):
    engine = TorchEngine(AutoModelForSequenceClassification.from_config(tiny_config))
    assert len(engine.run([TokenSequence([2, 5, 3])])) == 1
    with pytest.raises(InputError, match=message):
        engine.run([TokenSequence([2, 5, 3]), sequence])

import copy
import pickle

import pytest

from headway.core.outputs import ModelOutput


def test_a_value_is_had_by_name_by_key_and_by_index():
    logits = object()
    output = ModelOutput(loss=None, logits=logits, hidden="states")
    assert output.logits is output["logits"] is output[0] is logits
    assert output[-1] == "states"
    assert output[:1] == (logits,)


def test_what_is_none_is_no_entry_and_none_when_asked_for_by_name():
    output = ModelOutput(loss=None, logits=1)
    assert list(output) == ["logits"]
    assert "loss" not in output
    assert output.loss is None
    assert not hasattr(output, "losses")


def test_it_is_put_together_again_from_a_mapping_or_from_pairs():
    output = ModelOutput(logits=1, hidden=2)
    assert ModelOutput(output) == ModelOutput(output.items()) == ModelOutput((name, output[name]) for name in output) == output


def test_a_value_is_exchanged_by_name_or_by_key():
    output = ModelOutput(loss=3.0, logits=1)
    output.loss = output.loss / 2
    output["logits"] = 7
    assert output.to_tuple() == (1.5, 7)


def test_it_unpacks_like_a_tuple_of_its_values_and_like_a_mapping():
    output = ModelOutput(logits=1, hidden=2)
    assert output.to_tuple() == (1, 2)
    assert {**output} == {"logits": 1, "hidden": 2}
    assert list(output.items()) == [("logits", 1), ("hidden", 2)]


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(AttributeError, match="no 'logit'; it has logits, hidden"):
        ModelOutput(logits=1, hidden=2).logit  # noqa: B018
    with pytest.raises(KeyError):
        ModelOutput(logits=1)["loss"]
    with pytest.raises(IndexError):
        ModelOutput(logits=1)[1]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda output: pickle.loads(pickle.dumps(output))])
def test_copies_are_equal(again):
    output = ModelOutput(loss=None, logits=[1, 2], hidden="x")
    assert again(output) == output
    assert again(output).loss is None
    assert again(output).logits == [1, 2]

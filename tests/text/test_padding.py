"""Padding of what was tokenised before; that it is transformers' padding stands in test_call_reference.py."""

import numpy as np
import pytest

from headway.errors import InputError
from headway.text import Tokenizer


def test_arrays_in_give_arrays_out_and_the_input_stays_as_it_was(tokenizer):
    rows = [{"input_ids": np.array([2, 7, 3]), "label": 1}, {"input_ids": np.array([2, 3]), "label": 0}]
    padded = tokenizer.pad(rows, pad_to_multiple_of=5)
    assert padded.input_ids.tolist() == [[2, 7, 3, 0, 0], [2, 3, 0, 0, 0]]
    assert padded.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    assert padded.label.tolist() == [1, 0]
    assert "attention_mask" not in rows[0]
    lists = {"input_ids": [[2, 7, 3], [2, 3]], "attention_mask": [[1, 1, 1], [1, 1]]}
    assert tokenizer.pad(lists).attention_mask == [[1, 1, 1], [1, 1, 0]]
    assert lists["attention_mask"] == [[1, 1, 1], [1, 1]]


def test_nothing_is_padded_where_there_is_nothing(tokenizer):
    assert dict(tokenizer.pad({"input_ids": []})) == {"input_ids": [], "attention_mask": []}
    assert dict(tokenizer.pad({"input_ids": [[], []]}, return_attention_mask=False)) == {"input_ids": [[], []]}


def test_nothing_is_cut(tokenizer):
    assert tokenizer.pad({"input_ids": [[2, 7, 9, 3], [2, 3]]}, "max_length", max_length=3).input_ids == [[2, 7, 9, 3], [2, 3, 0]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"labels": [1]}, r"no input_ids in these inputs \(those of labels\).*a call of the tokenizer"),
        ([[2, 3]], r"no input_ids in these inputs \(the list \[\[2, 3\]\]\)"),
        (None, r"no input_ids in these inputs \(None\)"),
        (
            [{"input_ids": [2]}, {"input_ids": [3], "label": 1}],
            r"Text 1 has the inputs input_ids, label, but text 0 has input_ids",
        ),
        ({"input_ids": [[2], [3]], "token_type_ids": [[0]]}, r"token_type_ids is the list .*there are 2 texts"),
        ({"input_ids": [[2], [3]], "label": 1}, r"label is the int 1, but there are 2 texts"),
    ],
)
def test_what_cannot_be_padded_is_named(tokenizer, inputs, message):
    with pytest.raises(InputError, match=message):
        tokenizer.pad(inputs)


def test_a_side_is_left_or_right(tokenizer):
    with pytest.raises(InputError, match=r"padding_side is 'middle'; it is 'left' or 'right', or None .* 'right'"):
        tokenizer.pad({"input_ids": [2]}, padding_side="middle")
    with pytest.raises(InputError, match=r"truncation_side is 'up'"):
        tokenizer("dog", truncation_side="up")
    with pytest.raises(InputError, match=r"no padding token"):
        Tokenizer.from_tokenizers(tokenizer.backend).pad({"input_ids": [2]})

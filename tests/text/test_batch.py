"""What a call returns, as a thing of its own: made by hand, indexed, pickled, turned into arrays, asked for what is not there."""

import copy
import pickle

import numpy as np
import pytest

from headway.errors import InputError
from headway.text import BatchEncoding

FOX = "the quick brown fox"


def test_texts_of_a_batch_are_found_by_number(tokenizer):
    batch = tokenizer(["dog", FOX, "a fox"], padding=True)
    assert batch[1].tokens == batch.tokens(1)
    assert batch[-1].ids == batch.input_ids[2]
    assert [text.ids for text in batch[1:]] == batch.input_ids[1:]
    assert [len(text) for text in batch.encodings] == [len(batch.input_ids[0])] * 3
    assert (batch.is_fast, batch.n_sequences, tokenizer("dog", "fox").n_sequences) == (True, 1, 2)
    assert repr(batch[1]) == f"EncodedText({len(batch.input_ids[0])} tokens)"
    with pytest.raises(IndexError):
        batch[3]


def test_a_batch_made_by_hand_holds_what_it_is_given():
    batch = BatchEncoding({"input_ids": [[2, 3], [5, 7]], "labels": [0.5, 1.5]}, tensor_type="np")
    assert (batch.input_ids.dtype, batch.labels.dtype) == (np.int64, np.float64)
    assert batch[0:1]["labels"].tolist() == [0.5]
    assert (batch.is_fast, batch.encodings, batch.n_sequences) == (False, None, None)
    assert BatchEncoding({"input_ids": [2, 3]}, tensor_type="np", prepend_batch_axis=True).input_ids.shape == (1, 2)
    assert BatchEncoding({"input_ids": []}, tensor_type="np").input_ids.dtype == np.int64
    assert BatchEncoding(n_sequences=2).n_sequences == 2
    with pytest.raises(InputError, match=r"no text number 0, for no call of a tokenizer made them. Ask by name"):
        batch[0]
    with pytest.raises(InputError, match=r"lead back to no text, .* Call the tokenizer with texts"):
        batch.word_ids()


@pytest.mark.train
def test_lists_become_tensors_of_the_kind_that_torch_gives_them(tokenizer):
    import torch

    batch = tokenizer([FOX, "dog"], padding=True)
    batch["labels"], batch["weights"], batch["kept"] = [0.5, 1.5], torch.ones(2), np.array([3, 4])
    tensors = batch.convert_to_tensors("pt")
    assert tensors is batch
    assert [batch[name].dtype for name in ("input_ids", "labels", "weights", "kept")] == [
        torch.int64,
        torch.float32,
        torch.float32,
        torch.int64,
    ]
    assert BatchEncoding({"input_ids": [[]]}, tensor_type="pt").input_ids.dtype == torch.int64
    assert batch.to("cpu", non_blocking=True).input_ids.device.type == "cpu"


@pytest.mark.parametrize("kind", ["np", pytest.param("pt", marks=pytest.mark.train)])
@pytest.mark.parametrize("values", [[[2, 3], [5]], ["fox", "dog"], [None, 3]])
def test_what_is_no_array_is_named(kind, values):
    with pytest.raises(InputError, match=r"^words holds rows of unequal length, or what is no number.*padding=True"):
        BatchEncoding({"input_ids": [2, 3], "words": values}).convert_to_tensors(kind)
    with pytest.raises(InputError, match=r"return_tensors is 'jax'"):
        BatchEncoding({"input_ids": [2]}).convert_to_tensors("jax")


def test_a_batch_travels_to_another_process_with_its_way_back(tokenizer):
    options = {"truncation": True, "max_length": 5, "padding": True, "return_overflowing_tokens": True, "return_tensors": "np"}
    batch = tokenizer([FOX * 3, "dog"], **options)
    for again in (pickle.loads(pickle.dumps(batch)), copy.copy(batch), copy.deepcopy(batch)):
        assert [text.tokens for text in again.encodings] == [text.tokens for text in batch.encodings]
        assert again.word_to_chars(1, 1) == batch.word_to_chars(1, 1)
        np.testing.assert_array_equal(again.input_ids, batch.input_ids)


def test_what_is_not_there_leads_to_nothing(tokenizer):
    batch = tokenizer("dog  fox", padding="max_length", max_length=7)
    assert batch.tokens() == ["[CLS]", "dog", "fox", "[SEP]", "[PAD]", "[PAD]", "[PAD]"]
    assert [batch.token_to_word(token) for token in (-1, 0, 1, 2, 3, 6, 7)] == [None, None, 0, 1, None, None, None]
    assert [batch.token_to_sequence(token) for token in (-1, 1, 6, 7)] == [None, 0, None, None]
    assert [batch.token_to_chars(token) for token in (-1, 2, 6, 7)] == [None, (5, 8), None, None]
    assert [batch.char_to_word(char) for char in (0, 3, 5, 99)] == [0, None, 1, None]
    assert [batch.word_to_tokens(word) for word in (0, 1, 2)] == [(1, 2), (2, 3), None]
    assert [batch.word_to_chars(word) for word in (0, 1, 2)] == [(0, 3), (5, 8), None]
    assert batch.char_to_token(0, 0, sequence_index=1) is None


def test_a_column_of_windows_costs_no_more_for_many_windows(tokenizer):
    batch = tokenizer("fox " * 999, truncation=True, max_length=12, stride=9, return_overflowing_tokens=True)
    assert len(batch.input_ids) == 999 - 9
    assert batch.word_to_tokens(500, 500) == (1, 2)

"""Calls of the tokenizer: what fits, what is cut and filled, and what is refused."""

import builtins
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models
from tokenizers.processors import TemplateProcessing

from headway.core.batching import TokenSequence
from headway.errors import InputError, MissingExtraError, TokenizerError
from headway.text import AutoTokenizer, BatchEncoding, Tokenizer
from headway.text.tokenizer import TEXTS_AT_ONCE

FOX = "the quick brown fox jumps over the lazy dog"


def test_one_text_is_framed_and_named(tokenizer):
    batch = tokenizer("the dog")
    the, dog = tokenizer.convert_tokens_to_ids(["the", "dog"])
    assert batch == {"input_ids": [2, the, dog, 3], "token_type_ids": [0, 0, 0, 0], "attention_mask": [1, 1, 1, 1]}
    assert batch.input_ids is batch["input_ids"]
    assert list(dict(**batch)) == tokenizer.model_input_names


def test_lists_have_one_more_level_and_a_list_of_one_stays_a_list(tokenizer):
    assert tokenizer(["dog"]).input_ids == [tokenizer("dog").input_ids]
    assert tokenizer([]).input_ids == []
    assert tokenizer([], padding=True, return_tensors="np").input_ids.shape == (0, 0)
    assert tokenizer("").input_ids == [2, 3]


def test_an_empty_second_text_is_a_second_text(tokenizer):
    assert tokenizer("dog", "").input_ids == [*tokenizer("dog").input_ids, 3]
    assert tokenizer(["dog"], [""]).input_ids == [tokenizer("dog", "").input_ids]


def test_padding_fills_to_the_longest_to_a_length_or_to_a_multiple(tokenizer):
    texts = ["dog", "the lazy dog", ""]
    assert [len(row) for row in tokenizer(texts, padding=True).input_ids] == [5, 5, 5]
    assert [len(row) for row in tokenizer(texts, padding="max_length", max_length=7).input_ids] == [7, 7, 7]
    assert [len(row) for row in tokenizer(texts, padding=True, pad_to_multiple_of=8).input_ids] == [8, 8, 8]
    assert [len(row) for row in tokenizer(texts, padding=False, pad_to_multiple_of=8).input_ids] == [3, 5, 2]
    padded = tokenizer(texts, padding=True, return_special_tokens_mask=True, return_offsets_mapping=True)
    assert padded.attention_mask[0] == [1, 1, 1, 0, 0]
    assert padded.special_tokens_mask[0] == [1, 0, 1, 1, 1]
    assert padded.offset_mapping[0] == [(0, 0), (0, 3), (0, 0), (0, 0), (0, 0)]
    assert padded.tokens(0) == ["[CLS]", "dog", "[SEP]", "[PAD]", "[PAD]"]


def test_inputs_that_are_not_wanted_are_left_out(tokenizer, saved):
    assert list(tokenizer("dog", return_token_type_ids=False, return_attention_mask=False)) == ["input_ids"]
    small = AutoTokenizer.from_pretrained(saved, model_input_names=["input_ids", "attention_mask"])
    assert list(small("dog")) == ["input_ids", "attention_mask"]
    assert list(small("dog", return_token_type_ids=True)) == ["input_ids", "token_type_ids", "attention_mask"]


def test_a_text_longer_than_the_model_is_cut_only_when_asked(saved):
    tokenizer = AutoTokenizer.from_pretrained(saved, model_max_length=7)
    whole = tokenizer(FOX, truncation=False).input_ids
    assert len(whole) > 7
    assert tokenizer(FOX).input_ids == whole
    assert tokenizer(FOX, truncation=True).input_ids == [*whole[:6], 3]
    assert tokenizer(FOX, truncation=True, max_length=5).input_ids == [*whole[:4], 3]
    assert tokenizer(FOX, truncation=True, max_length=9).input_ids == [*whole[:8], 3]


def test_without_a_known_limit_nothing_is_too_long(tokenizer):
    assert tokenizer(FOX * 97, truncation=True).input_ids == tokenizer(FOX * 97).input_ids


@pytest.mark.parametrize("max_length", [2, 3, 17])
def test_sequences_for_models_equal_the_call(tokenizer, max_length):
    texts, pairs = [FOX, "", "dog"], ["lazy dog", FOX, "fox " * 29]
    single = tokenizer(texts, truncation=True, max_length=max_length)
    assert tokenizer.encode_sequences(texts, max_length=max_length) == [TokenSequence(ids, None) for ids in single.input_ids]
    double = tokenizer(texts, pairs, truncation=True, max_length=max_length + 1)
    assert tokenizer.encode_sequences(texts, pairs, max_length=max_length + 1) == [
        TokenSequence(ids, types if any(types) else None)
        for ids, types in zip(double.input_ids, double.token_type_ids, strict=True)
    ]
    assert tokenizer.encode_sequences(texts, add_special_tokens=False)[0].ids == tokenizer.encode(FOX, add_special_tokens=False)


def test_sequences_for_models_lose_the_side_that_the_tokenizer_says(saved):
    tokenizer = AutoTokenizer.from_pretrained(saved, truncation_side="left")
    whole = tokenizer(FOX).input_ids
    assert tokenizer.encode_sequences([FOX], max_length=5) == [TokenSequence([2, *whole[-4:]], None)]


def test_pairs_of_a_tokenizer_without_types_have_none(tokenizer):
    """Its frame is all zeros, as RoBERTa's."""
    backend = tokenizer.backend
    backend.post_processor = TemplateProcessing(single="[CLS] $A", pair="[CLS] $A [CLS] $B:0", special_tokens=[("[CLS]", 2)])
    untyped = Tokenizer.from_tokenizers(backend)
    assert [sequence.type_ids for sequence in untyped.encode_sequences(["fox", FOX], ["dog", FOX], max_length=7)] == [None, None]
    backend.post_processor = TemplateProcessing(single="[CLS] $A:1", pair="[CLS] $A $B:1", special_tokens=[("[CLS]", 2)])
    assert Tokenizer.from_tokenizers(backend).encode_sequences(["fox", ""])[0].type_ids == [0, 1]


def test_words_that_the_caller_split_keep_their_numbers(tokenizer):
    batch = tokenizer(["unaffable", "fox"], is_split_into_words=True)
    assert batch.input_ids == tokenizer("unaffable fox").input_ids
    assert batch.word_ids() == [None, *[0] * (len(batch.input_ids) - 3), 1, None]
    assert tokenizer([["lazy", "dog"], ["fox"]], is_split_into_words=True).input_ids == tokenizer(["lazy dog", "fox"]).input_ids
    pairs = tokenizer([["lazy"]], [["dog", "fox"]], is_split_into_words=True)
    assert pairs.input_ids == tokenizer(["lazy"], ["dog fox"]).input_ids


def test_a_hundred_thousand_words_are_cut_like_any_text(tokenizer):
    text = "lazy dog " * 50_000
    expected = tokenizer("lazy dog " * 50, truncation=True, max_length=29).input_ids
    assert tokenizer(text, truncation=True, max_length=29).input_ids == expected
    assert tokenizer.encode_sequences([text], max_length=29)[0].ids == expected
    assert tokenizer("x" * 1_000_000).input_ids == [2, tokenizer.unk_token_id, 3]


def test_more_texts_than_are_encoded_at_once_come_back_in_order(tokenizer):
    texts = [FOX[: index % 41] for index in range(TEXTS_AT_ONCE + 7)]
    assert [sequence.ids for sequence in tokenizer.encode_sequences(texts)] == tokenizer(texts).input_ids


@pytest.mark.parametrize("code", [0xD800, 0xDFFF])
def test_a_lone_surrogate_is_read_as_the_replacement_character(tokenizer, code):
    text, clean = f"fox {chr(code)} dog", "fox \ufffd dog"
    options = {"return_offsets_mapping": True}
    assert tokenizer(text, **options) == tokenizer(clean, **options)
    assert tokenizer(["dog", text], [text, "dog"]).input_ids == tokenizer(["dog", clean], [clean, "dog"]).input_ids
    assert tokenizer([["dog", text]], is_split_into_words=True) == tokenizer([["dog", clean]], is_split_into_words=True)
    assert tokenizer.encode_sequences([text], [text]) == tokenizer.encode_sequences([clean], [clean])


def test_any_sequence_of_strings_is_a_batch(tokenizer):
    expected = tokenizer(["fox", "dog"]).input_ids
    for batch in (("fox", "dog"), np.array(["fox", "dog"]), (text for text in ("fox", "dog"))):
        assert tokenizer(batch).input_ids == expected
    assert tokenizer(np.str_("fox")).input_ids == expected[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((None,), r"text is None, but only strings .* empty string", id="None"),
        pytest.param((b"fox",), r"text is the bytes b'fox'.*text\.decode\(\"utf-8\"\)", id="bytes"),
        pytest.param((3,), r"text is the int 3.*str\(…\)", id="number"),
        pytest.param((["fox", None],), r"text\[1\] is None", id="None in a list"),
        pytest.param((["fox", "dog", b"x"],), r"text\[2\] is the bytes", id="bytes in a list"),
        pytest.param((["fox", float("nan")],), r"text\[1\] is the float nan", id="missing value of a table"),
        pytest.param(
            ([["fox", "dog", "the"]],),
            r"text\[0\] is the list .*two strings, .*text_pair; .*is_split_into_words=True",
            id="three",
        ),
        pytest.param(([("a", "b"), "c"],), r"text\[1\] is the str 'c', where a pair of texts belongs, .*text\[0\]", id="no pair"),
        pytest.param(([("a", "b"), ("c", 3)],), r"text_pair\[1\] is the int 3", id="half a pair"),
        pytest.param(({"text": "fox"},), r"text is the dict .* where a list of strings belongs", id="mapping"),
        pytest.param(
            (["fox"], "dog"), r"text_pair is the str 'dog', where a list of strings belongs.* Put it into a list", id="pair"
        ),
        pytest.param(("fox", ["dog"]), r"text_pair is the list", id="list as the pair of a string"),
        pytest.param((["fox"], ["dog", "cat"]), r"1 first texts but 2 second ones", id="unequal pairs"),
        pytest.param(([["x" * 99]],), r"text\[0\] is the list \['x{58}…,", id="long values are shortened"),
    ],
)
def test_what_is_not_text_is_named_with_its_place(tokenizer, arguments, message):
    with pytest.raises(InputError, match=message):
        tokenizer(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fox dog", r"text is a string, but is_split_into_words=True needs a list of words"),
        ([["fox"], "dog"], r"text\[1\] is a string, but is_split_into_words"),
        (iter(["fox", "dog"]), r"text\[0\] is a string, but is_split_into_words"),
        ([["fox"], ["dog", 3]], r"text\[1\]\[1\] is the int 3"),
        (None, r"text is None"),
    ],
)
def test_what_is_not_words_is_named_with_its_place(tokenizer, text, message):
    with pytest.raises(InputError, match=message):
        tokenizer(text, is_split_into_words=True)


def test_sequences_for_models_refuse_what_is_not_text(tokenizer):
    with pytest.raises(InputError, match=r"text is the str 'fox', where a list of strings belongs. Put it into a list"):
        tokenizer.encode_sequences("fox")
    with pytest.raises(InputError, match=r"text\[1\] is None"):
        tokenizer.encode_sequences(["fox", None])
    with pytest.raises(InputError, match=r"text_pair\[0\] is the int 3"):
        tokenizer.encode_sequences(["fox"], [3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "longst"}, r"padding is 'longst'; it is True, False or one of 'longest', 'max_length', 'do_not_pad'"),
        ({"truncation": "first"}, r"truncation is 'first'; it is True, False or one of 'longest_first', 'only_first'"),
        ({"max_length": 0}, r"max_length is 0; .* at least 1"),
        ({"max_length": "9"}, r"max_length is '9'"),
        ({"max_length": True}, r"max_length is True"),
        ({"max_length": 1, "truncation": True}, r"max_length \(1\) is smaller than the 2 special tokens"),
        ({"padding": "max_length"}, r"neither|there is no max_length and the model's limit is not known. Give max_length"),
        (
            {"padding": True, "truncation": True, "max_length": 9, "pad_to_multiple_of": 8},
            r"max_length \(9\) is not a multiple .* \(8\)",
        ),
        ({"padding": True, "pad_to_multiple_of": 0}, r"pad_to_multiple_of is 0; .* at least 1"),
        ({"return_tensors": "tf"}, r"return_tensors is 'tf'; it is None for lists, 'np' for NumPy or 'pt' for torch"),
        ({"truncation": "only_second", "max_length": 5}, r"only_second' needs a pair"),
    ],
)
def test_options_that_mean_nothing_are_refused(tokenizer, options, message):
    with pytest.raises(InputError, match=message):
        tokenizer(FOX, **options)


@pytest.mark.parametrize(
    "model",
    [
        models.WordLevel({"b": 0}),
        models.WordPiece({"b": 0}, unk_token="x"),
        models.BPE({"b": 0}, [], unk_token="x"),
        models.Unigram([("b", 0.0)]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_text_that_the_library_cannot_read_is_an_error_of_ours(model):
    tokenizer = Tokenizer.from_tokenizers(Backend(model))
    assert tokenizer(["b"]).input_ids == [[0]]
    assert tokenizer.encode_sequences(["b", "b"], ["b", ""])[0].ids == [0, 0]
    with pytest.raises(TokenizerError, match=r"cannot read a text: .*\. Most often its vocabulary lacks the unknown token"):
        tokenizer(["b", "c"])


def test_rows_of_unequal_length_are_no_array(tokenizer):
    with pytest.raises(InputError, match=r"became 3 to 11 tokens, .* padding=True"):
        tokenizer(["dog", FOX], return_tensors="np")


def test_a_tokenizer_without_a_padding_token_cannot_pad(tokenizer):
    bare = Tokenizer.from_tokenizers(tokenizer.backend)
    assert bare.pad_token is None
    assert bare.pad_token_id is None
    with pytest.raises(InputError, match=r"no padding token, .* pad_token="):
        bare(["dog"], padding=True)


def test_torch_is_named_where_it_is_missing(tokenizer, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "torch":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"return_tensors=\"pt\" needs the package 'torch'.*headway\[train\]"):
        tokenizer("dog", return_tensors="pt")


def test_arrays_are_int64_with_one_row_a_text(tokenizer):
    batch = tokenizer(["dog", FOX], padding=True, return_tensors="np", return_offsets_mapping=True)
    assert {name: (values.dtype, values.shape) for name, values in batch.items()} == {
        "input_ids": (np.int64, (2, 11)),
        "token_type_ids": (np.int64, (2, 11)),
        "attention_mask": (np.int64, (2, 11)),
        "offset_mapping": (np.int64, (2, 11, 2)),
    }


def test_the_way_back_to_the_text(tokenizer):
    batch = tokenizer(["lazy  dog", "fox"], ["brown fox", "dog"])
    assert batch.tokens(1) == ["[CLS]", "fox", "[SEP]", "dog", "[SEP]"]
    assert batch.sequence_ids(1) == [None, 0, None, 1, None]
    assert batch.char_to_token(0, 6) == batch.tokens(0).index("dog")
    assert batch.char_to_token(0, 5) is None
    assert batch.char_to_token(1, 2, sequence_index=1) == 3
    assert batch.token_to_chars(1, 3) == (0, 3)
    assert batch.token_to_chars(1, 0) is None
    assert tokenizer("dog fox").char_to_token(4) == 2
    assert tokenizer("dog fox").token_to_chars(2) == (4, 7)


def test_a_batch_is_a_mapping_that_may_be_changed(tokenizer):
    batch = tokenizer("dog", return_offsets_mapping=True)
    assert batch.pop("offset_mapping")[1] == (0, 3)
    batch["labels"] = 1
    assert batch.labels == 1
    assert "offset_mapping" not in batch
    with pytest.raises(AttributeError, match=r"no 'logits'; they have input_ids, token_type_ids, attention_mask, labels"):
        _ = batch.logits


def test_a_batch_moves_what_can_be_moved():
    class Tensor:
        device = "cpu"

        def to(self, device, *, non_blocking):
            self.device = device
            return self

    batch = BatchEncoding({"input_ids": Tensor(), "texts": ["fox"]})
    assert batch.to("cuda") is batch
    assert batch.input_ids.device == "cuda"
    assert batch.texts == ["fox"]


def test_many_threads_with_different_settings_answer_as_one(tokenizer):
    choices = random.Random(3)
    texts = [" ".join(choices.choices(FOX.split(), k=choices.randrange(0, 40))) for _ in range(29)]
    settings = [
        {
            "padding": choices.choice([False, True, "max_length"]),
            "truncation": choices.choice([True, False, "only_first"]),
            "max_length": choices.randrange(3, 47),
            "padding_side": choices.choice(["left", "right"]),
            "truncation_side": choices.choice(["left", "right"]),
            "return_overflowing_tokens": choices.random() < 0.5,
            "split_special_tokens": choices.random() < 0.2,
            "return_offsets_mapping": choices.random() < 0.5,
            "add_special_tokens": choices.random() < 0.8,
        }
        for _ in range(32 * 2)
    ]

    def work(options):
        length = options["max_length"]
        return dict(tokenizer(texts, **options)), tokenizer.encode_sequences(texts, max_length=length)

    alone = [work(options) for options in settings]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(work, settings)) == alone

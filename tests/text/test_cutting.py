"""The beginning of a long text gives the tokens of the whole text, as far as they are kept, and costs no more than itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from headway.errors import InputError
from headway.text import Tokenizer, cutting
from headway.text.cutting import splits_at_spaces

WORDS = [
    "fox",
    "dog ",
    " ",
    "\t",
    "\n",
    "  the",
    "1,000",
    "don't",
    "lazy-dog",
    "漢字",
    "é",
    "e\u0301",
    "\u0600",
    "\U0001f600",
    "x" * 30,
]
WORDS += ["[MASK]", "<mask>", "[SEP]", "\u00a0", "\u2003", "ﬁ", "İ", "привет", "مرحبا", "한국어", "\u200b", "'s", "▁", "\ud800"]


@pytest.fixture
def eager(monkeypatch):
    """One character a token to begin with, so that every text is long and most beginnings are too short at first."""
    monkeypatch.setattr(cutting, "CHARACTERS_PER_TOKEN", 1)
    monkeypatch.setattr(cutting, "GROWTH", 3)


def texts(most):
    return st.lists(st.sampled_from(WORDS), max_size=most).map(" ".join) | st.lists(st.sampled_from(WORDS), max_size=most).map(
        "".join
    )


def test_beginnings_give_what_whole_texts_give(kind, eager, monkeypatch):
    make, roles = kind
    tokenizer = Tokenizer.from_tokenizers(make(), **roles)
    assert splits_at_spaces(make())
    shortened = []
    begin = cutting._beginning
    monkeypatch.setattr(cutting, "_beginning", lambda text, size: shortened.append(begin(text, size)) or shortened[-1])

    @given(
        first=texts(60),
        second=st.none() | texts(60),
        max_length=st.integers(4, 29),
        truncation=st.sampled_from(["longest_first", "only_first", "only_second"]),
        framed=st.booleans(),
    )
    def check(first, second, max_length, truncation, framed):
        options = {"truncation": truncation, "max_length": max_length, "add_special_tokens": framed}
        options |= {"return_offsets_mapping": True, "return_special_tokens_mask": True}
        found, refused = answer(tokenizer, first, second, options)
        monkeypatch.setattr(cutting, "CHARACTERS_PER_TOKEN", 10**6)
        whole, refused_whole = answer(tokenizer, first, second, options)
        monkeypatch.setattr(cutting, "CHARACTERS_PER_TOKEN", 1)
        assert (found, refused) == (whole, refused_whole)

    check()
    assert any(len(text) < 40 for text in shortened)


def answer(tokenizer, first, second, options):
    try:
        batch = tokenizer([first], None if second is None else [second], **options)
    except ValueError as error:
        return None, str(error)
    return (dict(batch), batch.word_ids(), batch.sequence_ids()), None


def test_what_a_model_reads_of_a_long_text_is_the_same(tokenizer, eager):
    texts = ["the quick brown fox jumps over the lazy dog " * 50, "fox", "x" * 5000, "the " * 11, ""]
    pairs = ["fox", "the lazy dog " * 90, "brown fox " * 99, "dog " * 13, "quick " * 60]
    for max_length in (7, 8, 29):
        for arguments in ([texts], [texts, pairs]):
            whole = tokenizer(*arguments)
            expected = tokenizer(*arguments, return_overflowing_tokens=True, truncation=True, max_length=max_length)
            first = {text: row for row, text in reversed([*enumerate(expected.overflow_to_sample_mapping)])}
            found = tokenizer.encode_sequences(*arguments, max_length=max_length)
            assert [sequence.ids for sequence in found] == [expected.input_ids[first[text]] for text in range(5)]
            assert len(whole.input_ids[0]) > 100


def test_a_long_text_is_read_no_further_than_what_is_kept_of_it(tokenizer, characters_read):
    text = "the quick brown fox jumps over the lazy dog " * 50_000  # two million characters
    tokenizer(text, truncation=True, max_length=61)
    tokenizer.encode_sequences([text] * 7, max_length=61)
    tokenizer(["the fox"], [text], truncation="only_second", max_length=61)
    assert 9 * 61 < sum(characters_read) < 9 * 61 * 50  # nine texts


def whitespace_backend(**changes):
    backend = Backend(models.WordLevel({"a": 0}, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    for name, value in changes.items():
        setattr(backend, name, value)
    return backend


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pre_tokenizer": pre_tokenizers.Metaspace(split=False)}, id="one word of all"),
        pytest.param({"pre_tokenizer": pre_tokenizers.ByteLevel(use_regex=False)}, id="one word of all bytes"),
        pytest.param({"pre_tokenizer": pre_tokenizers.UnicodeScripts()}, id="splits by script"),
        pytest.param({"pre_tokenizer": pre_tokenizers.Digits()}, id="splits at digits only"),
        pytest.param({"pre_tokenizer": pre_tokenizers.Split(Regex("a b"), "isolated")}, id="an expression of its own"),
        pytest.param({"normalizer": normalizers.Replace("a b", "c")}, id="replaces across a space"),
        pytest.param({"normalizer": normalizers.Replace(Regex("a.b"), "c")}, id="replaces what an expression finds"),
        pytest.param({"normalizer": normalizers.Prepend("x")}, id="something not known"),
    ],
)
def test_what_is_not_known_to_split_at_spaces_is_read_whole(changes):
    assert splits_at_spaces(whitespace_backend())
    assert splits_at_spaces(whitespace_backend(normalizer=normalizers.Replace("``", '"')))
    assert not splits_at_spaces(whitespace_backend(**changes))


@pytest.mark.parametrize("token", ["New York", AddedToken("新 ", special=True), "▁x"])
def test_an_added_token_with_a_space_forbids_beginnings(token):
    backend = whitespace_backend()
    backend.add_tokens(["York"])
    assert splits_at_spaces(backend)
    backend.add_tokens([token])
    assert not splits_at_spaces(backend)


def test_a_length_without_room_for_the_frame_is_refused_whatever_the_text(tokenizer):
    for texts in ("the " * 99, ["", "the " * 99]):
        with pytest.raises(InputError, match=r"max_length \(1\) is smaller than the 2 special tokens"):
            tokenizer(texts, truncation=True, max_length=1)
    with pytest.raises(InputError, match=r"max_length \(2\) is smaller than the 3 special tokens"):
        tokenizer.encode_sequences([""], ["the " * 99], max_length=2)
    assert tokenizer(["the " * 99], ["dog " * 99], truncation=True, max_length=3).input_ids == [[2, 3, 3]]


def test_a_strategy_that_needs_a_pair_is_refused_for_the_beginning_too(tokenizer, eager):
    with pytest.raises(InputError, match="needs a pair"):
        tokenizer("the the the the", truncation="only_second", max_length=4)  # "the the" alone would just fit

"""Texts that are tokenised once and joined two by two are what the tokenizer makes of the pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import InputError
from headway.text import Tokenizer, cutting
from headway.text.state import State
from reference.hard_texts import HARD

PIECES = [
    "fox",
    " dog",
    "the ",
    " ",
    "  ",
    "\n",
    "1,000",
    "don't",
    "漢字",
    "e\u0301",
    "x" * 30,
    "[SEP]",
    "<mask>",
    "▁",
    "\ud800",
    "İ",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(st.characters(exclude_categories=()), max_size=20)
SEVERAL = st.lists(TEXTS, min_size=1, max_size=3)


@pytest.fixture(params=["right", "left"])
def made(kind, request):
    make, roles = kind
    return Tokenizer.from_tokenizers(make(), **roles, truncation_side=request.param)


def joined(tokenizer, firsts, seconds, *, max_length, strategy="longest_first"):
    """Each first text with each second one."""
    pairing = tokenizer.pairing(max_length=max_length)
    first_ids, second_ids = pairing.cross_ids(firsts, seconds, strategy=strategy)
    return [pairing.join(*pairing.shorten(one, other, strategy=strategy)) for one in first_ids for other in second_ids]


def whole(tokenizer, pairs, **options):
    """The pairs as a call makes them."""
    windows = tokenizer.encode_windows(*map(list, zip(*pairs, strict=True)), in_windows=False, **options)
    return [first.sequence for (first,) in windows]


def test_hard_texts_become_the_pairs_that_the_tokenizer_makes(made):
    firsts, seconds = HARD, [*HARD[3::7], "the fox", ""]
    pairs = [(first, second) for first in firsts for second in seconds]
    for max_length in (12, 17, 10_000):
        assert joined(made, firsts, seconds, max_length=max_length) == whole(made, pairs, max_length=max_length)


@pytest.fixture
def eager(monkeypatch):
    """One character a token to begin with, so that most texts are read in part."""
    monkeypatch.setattr(cutting, "CHARACTERS_PER_TOKEN", 1)


def test_any_texts_become_the_pairs_that_the_tokenizer_makes(made, eager):
    @given(firsts=SEVERAL, seconds=SEVERAL, most=st.integers(5, 40))
    def check(firsts, seconds, most):
        pairs = [(first, second) for first in firsts for second in seconds]
        assert joined(made, firsts, seconds, max_length=most) == whole(made, pairs, max_length=most)
        for strategy in ("only_first", "only_second"):
            options = {"max_length": most, "strategy": strategy}
            found = answer(joined, made, firsts[:1], seconds[:1], **options)
            assert found == answer(whole, made, pairs[:1], **options)

    check()


def answer(make, *arguments, **options):
    """What is made, or that one of the texts leaves no room for the other."""
    try:
        return make(*arguments, **options)
    except InputError as error:
        return "no room" if "may not touch the other text" in str(error) else error


def test_windows_of_a_text_are_those_of_the_pair(made):
    text = "the quick brown fox jumps over the lazy dog " * 5
    pairing = made.pairing(max_length=23)
    (first,), (second,) = pairing.ids(["a fox"]), pairing.ids([text])
    windows = pairing.windows(second, pairing.room - len(first), stride=4)
    expected = made.encode_windows(["a fox"], [text], max_length=23, stride=4, strategy="only_second")[0]
    assert [pairing.join(first, window) for window in windows] == [window.sequence for window in expected]
    assert len(windows) > 2


def test_windows_that_would_not_move_on_are_refused(tokenizer):
    pairing = tokenizer.pairing(max_length=11)
    assert pairing.windows([5, 6], 2, stride=2) == [[5, 6]]
    with pytest.raises(InputError, match=r"stride \(2\) has to be less than the 2 tokens that a window holds"):
        pairing.windows([5, 6, 7], 2, stride=2)


def test_every_text_is_tokenised_once(tokenizer, monkeypatch):
    read, encode = [], State.encode
    monkeypatch.setattr(State, "encode", lambda state, inputs, **options: read.extend(inputs) or encode(state, inputs, **options))
    joined(tokenizer, ["the fox", "a dog", "the fox"], ["fox", "dog", "lazy", "fox"], max_length=100)
    assert sorted(read) == ["a dog", "dog", "fox", "lazy", "the fox"]


def test_a_long_text_is_read_no_further_than_what_is_kept_of_it(tokenizer, characters_read):
    text = "the quick brown fox jumps over the lazy dog " * 50_000  # two million characters
    found = joined(tokenizer, [text], ["fox", "the lazy dog"], max_length=63)
    assert 63 < sum(characters_read) < 63 * 50
    assert [len(sequence) for sequence in found] == [63, 63]


def test_the_odd_token_is_that_of_the_longer_text_however_long_both_are(tokenizer, eager):
    first, second = "the fox " * 90, "dog " * 200
    for pair in ((first, second), (second, first)):
        assert joined(tokenizer, pair[:1], pair[1:], max_length=14) == tokenizer.encode_sequences(
            pair[:1], pair[1:], max_length=14
        )


def test_a_length_without_room_for_the_frame_is_refused(tokenizer):
    with pytest.raises(InputError, match=r"max_length \(2\) is smaller than the 3 special tokens that frame a text"):
        joined(tokenizer, ["fox"], ["dog"], max_length=2)
    assert joined(tokenizer, ["fox"], ["dog"], max_length=3) == tokenizer.encode_sequences(["fox"], ["dog"], max_length=3)


def test_tokens_that_are_added_later_are_those_of_a_later_pairing(tokenizer):
    own = Tokenizer.from_tokenizers(tokenizer.backend, sep_token="[SEP]")
    before = own.pairing(max_length=20)
    own.add_tokens(["unfox"])
    assert len(before.ids(["unfox"])[0]) > len(own.pairing(max_length=20).ids(["unfox"])[0]) == 1

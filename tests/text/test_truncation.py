import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors

from headway.errors import InputError
from headway.text.truncation import kept_positions, shortened


@pytest.mark.parametrize(
    ("lengths", "room", "strategy", "expected"),
    [
        pytest.param((13, None), 5, "longest_first", (5, 0), id="one text"),
        pytest.param((13, None), 5, "only_first", (5, 0), id="one text, only first"),
        pytest.param((3, 13), 11, "longest_first", (3, 8), id="only the longer one goes"),
        pytest.param((13, 3), 11, "longest_first", (8, 3), id="only the longer one goes, first"),
        pytest.param((13, 17), 11, "longest_first", (5, 6), id="both, the longer keeps the odd token"),
        pytest.param((17, 13), 11, "longest_first", (6, 5), id="both, the longer keeps the odd token, first"),
        pytest.param((7, 7), 5, "longest_first", (2, 3), id="equal, the second keeps it"),
        pytest.param((13, 3), 11, "only_first", (8, 3), id="only first"),
        pytest.param((3, 13), 11, "only_second", (3, 8), id="only second"),
        pytest.param((3, 13), 3, "only_second", (3, 0), id="nothing left of the second"),
        pytest.param((3, 13), 0, "longest_first", (0, 0), id="no room"),
    ],
)
def test_how_many_tokens_stay(lengths, room, strategy, expected):
    assert shortened(*lengths, room=room, strategy=strategy) == expected


def test_the_other_text_being_too_long_is_said_with_numbers():
    with pytest.raises(
        InputError, match=r"truncation='only_first' may not touch the other text, but that has 13 .* 11 fit.*truncation=True"
    ):
        shortened(3, 13, room=11, strategy="only_first")
    with pytest.raises(InputError, match=r"only_second' needs a pair .* text_pair"):
        shortened(13, None, room=11, strategy="only_second")
    with pytest.raises(InputError, match=r"max_length \(2\) is smaller than the 3 special tokens"):
        kept_positions([None, 0, 0, None, 1, None], max_length=2, has_pair=True)


def test_the_frame_stays_and_either_side_may_go():
    owners = [None, 0, 0, 0, None, None, 1, 1, 1, 1, 1, None]
    assert kept_positions(owners, max_length=9, has_pair=True) == [0, 1, 2, 4, 5, 6, 7, 8, 11]
    assert kept_positions(owners, max_length=9, side="left", has_pair=True) == [0, 2, 3, 4, 5, 8, 9, 10, 11]
    assert kept_positions(owners, max_length=8, strategy="only_second", has_pair=True) == [0, 1, 2, 3, 4, 5, 6, 11]
    assert kept_positions(owners[:5], max_length=2, has_pair=False) == [0, 4]


@pytest.fixture(scope="module")
def library() -> Backend:
    backend = Backend(models.WordLevel({"[CLS]": 0, "[SEP]": 1, "a": 2, "b": 3}, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return backend


@given(
    first=st.integers(0, 23),
    second=st.none() | st.integers(0, 23),
    max_length=st.integers(5, 31),
    strategy=st.sampled_from(["longest_first", "only_first", "only_second"]),
    side=st.sampled_from(["right", "left"]),
)
def test_what_stays_is_what_the_library_keeps(library, first, second, max_length, strategy, side):
    texts = [" ".join(f"a{index}" for index in range(first))] + ([] if second is None else ["b " * second])
    library.no_truncation()
    whole = library.encode(*texts)
    if len(whole) <= max_length:
        return
    arguments = {"max_length": max_length, "strategy": strategy, "side": side, "has_pair": second is not None}
    expected = cut_by_the_library(library, texts, max_length=max_length, strategy=strategy, direction=side)
    if expected is not None:
        kept = kept_positions(whole.sequence_ids, **arguments)
        assert [whole.ids[at] for at in kept] == expected.ids
        assert [whole.offsets[at] for at in kept] == expected.offsets
        assert [whole.type_ids[at] for at in kept] == expected.type_ids
    elif whole.sequence_ids.count({"only_first": 0, "only_second": 1}[strategy]) == len(whole) - max_length:
        assert len(kept_positions(whole.sequence_ids, **arguments)) == max_length  # nothing stays of a text: the library refuses
    else:
        with pytest.raises(InputError):
            kept_positions(whole.sequence_ids, **arguments)


def cut_by_the_library(library, texts, **options):
    library.enable_truncation(**options)
    try:
        return library.encode(*texts)
    except Exception:  # the library has no finer one
        return None

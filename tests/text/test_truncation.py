import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors

from headway.errors import InputError
from headway.text.truncation import Cut, shortened


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
        Cut(max_length=2).kept([None, 0, 0, None, 1, None], has_pair=True)


def positions(stretches):
    return [at for stretch in stretches for at in stretch]


def test_the_frame_stays_and_either_side_may_go():
    owners = [None, 0, 0, 0, None, None, 1, 1, 1, 1, 1, None]
    assert positions(Cut(max_length=9).kept(owners, has_pair=True)) == [0, 1, 2, 4, 5, 6, 7, 8, 11]
    assert positions(Cut(max_length=9, side="left").kept(owners, has_pair=True)) == [0, 2, 3, 4, 5, 8, 9, 10, 11]
    assert positions(Cut(max_length=8, strategy="only_second").kept(owners, has_pair=True)) == [0, 1, 2, 3, 4, 5, 6, 11]
    assert Cut(max_length=2).kept(owners[:5], has_pair=False) == (range(0, 1), range(4, 5))


def test_windows_share_as_many_tokens_as_asked():
    owners = [None, *[0] * 7, None]
    right = Cut(max_length=5, stride=1).windows(owners, has_pair=False)
    assert [positions(window) for window in right] == [[0, 1, 2, 3, 8], [0, 3, 4, 5, 8], [0, 5, 6, 7, 8]]
    left = Cut(max_length=5, stride=0, side="left").windows(owners, has_pair=False)
    assert [positions(window) for window in left] == [[0, 5, 6, 7, 8], [0, 2, 3, 4, 8], [0, 1, 8]]
    assert Cut(max_length=9, stride=11).windows(owners, has_pair=False) == [(range(0, 1), range(1, 8), range(8, 9))]


@pytest.mark.parametrize(
    ("cut", "count"), [(Cut(max_length=5, stride=3), 3), (Cut(max_length=5, stride=7), 3), (Cut(max_length=2), 0)]
)
def test_windows_that_would_not_move_on_are_refused(cut, count):
    with pytest.raises(InputError, match=rf"stride \({cut.stride}\) has to be less than the {count} tokens .*larger max_length"):
        cut.windows([None, *[0] * 7, None], has_pair=False)


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
    stride=st.integers(0, 3),
)
def test_what_stays_is_what_the_library_keeps(library, first, second, max_length, strategy, side, stride):
    texts = [" ".join(f"a{index}" for index in range(first))] + ([] if second is None else ["b " * second])
    library.no_truncation()
    whole = library.encode(*texts)
    if len(whole) <= max_length:
        return
    cut = Cut(max_length=max_length, strategy=strategy, side=side, stride=stride)
    owners, has_pair = whole.sequence_ids, second is not None
    expected = cut_by_the_library(library, texts, max_length=max_length, strategy=strategy, direction=side, stride=stride)
    if expected is not None:
        windows = cut.windows(owners, has_pair=has_pair)
        assert cut.kept(owners, has_pair=has_pair) == windows[0]
        for window, part in zip(windows, [expected, *expected.overflowing], strict=True):
            assert [whole.ids[at] for at in positions(window)] == part.ids
            assert [whole.offsets[at] for at in positions(window)] == part.offsets
            assert [whole.type_ids[at] for at in positions(window)] == part.type_ids
    else:
        with pytest.raises(InputError):
            cut.windows(owners, has_pair=has_pair)


def cut_by_the_library(library, texts, **options):
    """What the library keeps, with all windows; None where it refuses, or panics because windows would not move on."""
    library.enable_truncation(**options)
    try:
        found = library.encode(*texts)
    except BaseException as error:  # it has no finer ones
        if type(error) is Exception or type(error).__name__ == "PanicException":
            return None
        raise
    has_empty_window = any(len(part) > options["max_length"] for part in (found, *found.overflowing))
    return None if has_empty_window else found  # where nothing stays of a text, the library gives it back whole

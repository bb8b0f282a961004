import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.batching import TokenSequence, plan_batches


def test_a_sequence_is_as_long_as_its_ids():
    assert len(TokenSequence([7, 5, 3])) == 3
    assert TokenSequence([7]).type_ids is None


@pytest.mark.parametrize(
    ("lengths", "limits", "expected"),
    [
        pytest.param([], {"max_tokens": 8}, [], id="nothing"),
        pytest.param([3, 5, 2], {"max_tokens": 10}, [[1, 0], [2]], id="padding to the longest counts: 5 + 5 fill ten"),
        pytest.param([3, 5, 2], {"max_tokens": 15}, [[1, 0, 2]], id="three times five fit fifteen"),
        pytest.param([2, 90, 2], {"max_tokens": 4}, [[1], [0, 2]], id="a giant runs alone, and the others after it"),
        pytest.param([4, 4, 4, 4], {"max_tokens": 100, "max_texts": 3}, [[0, 1, 2], [3]], id="a limit on texts"),
        pytest.param([0, 0], {"max_tokens": 1}, [[0], [1]], id="an empty text still takes one place"),
        pytest.param([1, 1, 1], {"max_tokens": 3}, [[0, 1, 2]], id="equal lengths keep their order"),
    ],
)
def test_plan_batches(lengths, limits, expected):
    assert plan_batches(lengths, **limits) == expected


@given(
    lengths=st.lists(st.integers(0, 40), max_size=30),
    max_tokens=st.integers(1, 97),
    max_texts=st.none() | st.integers(1, 7),
)
def test_every_text_is_in_one_batch_and_only_a_single_one_exceeds_the_budget(lengths, max_tokens, max_texts):
    batches = plan_batches(lengths, max_tokens=max_tokens, max_texts=max_texts)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or padded <= max_tokens
        assert max_texts is None or len(batch) <= max_texts
    longest = [lengths[batch[0]] for batch in batches]
    assert longest == sorted(longest, reverse=True)


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=30), max_tokens=st.integers(20, 97))
def test_no_batch_could_have_taken_the_next_text_as_well(lengths, max_tokens):
    batches = plan_batches(lengths, max_tokens=max_tokens)
    for batch in batches[:-1]:
        assert (len(batch) + 1) * lengths[batch[0]] > max_tokens

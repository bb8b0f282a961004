"""Which sequences run next: decided without threads or a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.serving.batching import AT_ONCE, BATCH_COST, Waiting, caught_up, due_time, due_times, next_batch, next_queue

QUEUES = st.lists(st.builds(Waiting, st.integers(1, 600), st.floats(0, 100)), max_size=40)


def queue(*lengths):
    """Sequences that arrived one after the other."""
    return [Waiting(length, float(place)) for place, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        pytest.param([], [], id="nobody waits"),
        pytest.param(queue(7), [0], id="a lone one never waits"),
        pytest.param(queue(30, 510, 30, 31), [0, 2, 3], id="a long one does not come along with short ones"),
        pytest.param(queue(510, 30, 30), [0], id="and is first once it is due"),
        pytest.param(queue(900, 3), [0], id="one beyond the budget runs alone"),
        pytest.param(queue(50, 50, 50), [0, 1], id="padded tokens fill the budget"),
        pytest.param(queue(40, 39, 30, 41), [0, 1, 3], id="of those near enough the nearest come along"),
        pytest.param(queue(10, 12, 10, 10), [0, 1, 2, 3], id="padding costs less than one batch more"),
        pytest.param(queue(10, 27, 10, 9), [0, 2, 3], id="unless it is for one that is much longer"),
    ],
)
def test_next_batch(waiting, expected):
    assert next_batch(waiting, token_budget=130 if len(waiting) != 2 else 512) == expected


@given(QUEUES, st.integers(1, 1000), st.integers(1, 8))
def test_whoever_is_due_first_always_runs_and_company_fits_the_budget_and_makes_its_tokens_cheaper(waiting, budget, free):
    places = next_batch(waiting, token_budget=budget, free_workers=free)
    assert bool(places) == bool(waiting)
    assert len(set(places)) == len(places)
    if places:
        assert min(waiting[place].due for place in places) == min(one.due for one in waiting)
        lengths = [waiting[place].tokens for place in places]
        padded = len(lengths) * max(lengths)
        assert len(lengths) == 1 or padded <= budget
        leader = min(waiting, key=lambda one: one.due).tokens
        assert sum(lengths) / (padded + BATCH_COST) >= leader / (leader + BATCH_COST) - 1e-9


def test_what_waits_is_shared_out_among_free_workers():
    assert len(next_batch(queue(*[10] * 8), token_budget=512, free_workers=2)) == 4


def test_priorities_are_head_starts_so_that_low_ones_run_in_the_end():
    assert due_time(100.0, priority="high") < due_time(100.0, priority="normal") < due_time(100.0, priority="low")
    assert due_time(100.0, priority="low") < due_time(111.0, priority="normal")
    assert due_time(100.0, priority="low", deadline=100.5) == 100.5


def test_a_request_with_very_many_tokens_is_due_later_and_later_so_that_others_pass():
    assert list(due_times(5.0, [AT_ONCE, 3, 2000, 4])) == [5.0, 5.0, pytest.approx(5.003), pytest.approx(7.003)]
    assert list(due_times(5.0, [])) == []


def test_the_model_that_used_least_is_next_and_idleness_saves_nothing_up():
    assert next_queue([5.0, 3.0, 1.0], [2, 1, 0]) == 1
    assert next_queue([5.0], [0]) is None
    assert caught_up(1.0, [9.0, 4.0]) == 4.0
    assert caught_up(6.0, []) == 6.0

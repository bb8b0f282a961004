"""What is counted: summed over the parts of a board, kept beyond the end of a process, in Prometheus' format."""

from types import SimpleNamespace

import pytest

from headway.serving.board import Board
from headway.serving.counters import Counters


def job(model, *, task="text-classification", items=1):
    return SimpleNamespace(
        model=SimpleNamespace(served=SimpleNamespace(name=model)), task=task, ask=SimpleNamespace(items=["a"] * items)
    )


def samples(counters):
    lines = counters.text({}).splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_numbers_are_those_of_all_processes():
    board = Board(3)
    first, second = Counters(board, own=0), Counters(board, own=2)
    first.count_batch([3, 5], model="mood", seconds=0.25)
    second.count_batch([7], model="mood", seconds=0.5)
    second.count_batch([11], model="tagger", seconds=1)
    second.count_response(200)
    found = samples(first)
    assert found['headway_batch_tokens_total{model="mood"}'] == 2 * 5 + 7
    assert found['headway_padding_tokens_total{model="mood"}'] == 2
    assert found['headway_batch_seconds_total{model="tagger"}'] == 1
    assert found['headway_http_responses_total{status="200"}'] == 1
    assert found == samples(second)
    assert first.sum("headway_batch_tokens_total") == 10  # its own alone


def test_histograms_are_added_bucket_by_bucket():
    board = Board(2)
    first, second = Counters(board, own=0), Counters(board, own=1)
    first.count_request(job("mood", items=2), outcome="answered", seconds=0.003, queued=0, tokens=9)
    second.count_request(job("mood", items=5), outcome="answered", seconds=0.004, queued=0, tokens=4)
    second.count_request(job("mood"), outcome="expired", seconds=99, queued=0, tokens=0)
    found, labels = samples(second), 'model="mood",task="text-classification"'
    assert found[f'headway_request_seconds_bucket{{{labels},le="0.0025"}}'] == 0
    assert found[f'headway_request_seconds_bucket{{{labels},le="0.005"}}'] == 2
    assert found[f'headway_request_seconds_bucket{{{labels},le="30.0"}}'] == 2
    assert found[f'headway_request_seconds_bucket{{{labels},le="+Inf"}}'] == 3
    assert found[f"headway_request_seconds_count{{{labels}}}"] == 3
    assert found[f"headway_request_seconds_sum{{{labels}}}"] == pytest.approx(99.007)
    assert found[f'headway_requests_total{{{labels},outcome="answered"}}'] == 2
    assert found[f"headway_inputs_total{{{labels}}}"] == 8


def test_a_successor_goes_on_from_what_was_counted_and_nothing_waits_for_it():
    board = Board(2)
    dead = Counters(board, own=1)
    dead.count_response(200)
    dead.count_under_way(4)
    dead.count_waiting(3, 17, model="mood")
    reborn = Counters(board, own=1)
    reborn.count_response(200)
    reborn.count_under_way(1)
    found = samples(Counters(board, own=0))
    assert found['headway_http_responses_total{status="200"}'] == 2
    assert found["headway_queue_requests"] == 1
    assert found['headway_queue_tokens{model="mood"}'] == found['headway_queue_sequences{model="mood"}'] == 0


def test_names_of_models_may_hold_anything():
    counters = Counters()
    counters.count_refused("invalid", model='a "b"\\c\nd é', task="ner")
    assert 'headway_requests_total{model="a \\"b\\"\\\\c\\nd é",task="ner",outcome="invalid"} 1\n' in counters.text({})


def test_a_board_has_room_for_all_that_its_models_can_have_counted():
    from headway.serving.refusals import STATUS
    from headway.tasks import task_names

    counters, names = Counters(Board(1, models=7)), [f"{number}{'x' * 120}" for number in range(7)]
    for name in names:
        counters.count_batch([1], model=name, seconds=1)
        counters.count_waiting(1, 1, model=name)
        for task in task_names():
            for outcome in (*STATUS, "answered"):
                counters.count_request(job(name, task=task), outcome=outcome, seconds=1, queued=1, tokens=1)
    assert len(samples(counters)) > 7 * len(task_names()) * len(STATUS)

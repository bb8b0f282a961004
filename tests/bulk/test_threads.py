"""Reading ahead and writing behind: order, limits, errors."""

import threading
import time

import pytest

from headway.bulk.threads import Behind, ahead


def test_items_come_in_order_and_only_so_many_are_made_ahead():
    made = []

    def items():
        for number in range(50):
            made.append(number)
            yield number

    reading = ahead(items(), size=3)
    assert next(reading) == 0
    time.sleep(0.05)
    assert len(made) <= 5
    assert list(reading) == list(range(1, 50))


def test_an_error_comes_where_the_item_would_have_come_and_the_source_is_closed():
    closed = []

    def items():
        try:
            yield 1
            raise ValueError("broken")
        finally:
            closed.append(True)

    reading = ahead(items())
    assert next(reading) == 1
    with pytest.raises(ValueError, match="broken"):
        next(reading)
    assert closed == [True]


def test_who_stops_reading_closes_the_source():
    closed = []

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    reading = ahead(items(), size=2)
    next(reading)
    reading.close()
    assert closed == [True]


def test_items_are_worked_at_in_order_in_another_thread():
    done = []
    writing = Behind(lambda item: done.append((item, threading.current_thread().name)), size=2)
    for item in range(20):
        writing.put(item)
    writing.close()
    assert [item for item, _ in done] == list(range(20))
    assert all(name.startswith("headway-writing") for _, name in done)


def test_after_an_error_nothing_more_is_done_and_it_is_raised():
    done = []

    def work(item):
        if item == 3:
            raise OSError("full")
        done.append(item)

    writing = Behind(work, size=99)
    for item in range(3):
        writing.put(item)

    def rest():
        for item in range(3, 20):
            writing.put(item)
        writing.close()

    with pytest.raises(OSError, match="full"):
        rest()
    writing.close()
    assert done == [0, 1, 2]


def test_an_error_of_the_last_item_is_raised_in_the_end():
    go_on = threading.Event()
    writing = Behind(lambda item: go_on.wait() and 1 // item)
    writing.put(0)
    go_on.set()
    with pytest.raises(ZeroDivisionError):
        writing.close()

"""The lines between processes: messages come whole and in order, and what others could not do is told."""

import asyncio
import signal
import socket

import pytest

from headway.errors import CheckpointError
from headway.serving import control
from headway.serving.control import Line, Others
from headway.serving.refusals import RefusedError


@pytest.fixture
def ends():
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


def test_messages_come_whole_however_long_they_are_and_whatever_they_hold(ends):
    here, there = map(Line, ends)
    messages = [{"model": "a\nb é" * 7}, {"model": "x" * 1_000_000}, {"model": ""}]
    for message in messages:
        here.put(message)
    found = []
    while len(found) < 3:
        found += there.take()
        here.flush()
    assert found == messages
    assert here.flush()
    assert there.take() == []


def test_where_the_other_end_is_no_more_nothing_comes_and_nothing_is_kept(ends):
    here, there = map(Line, ends)
    there.end.close()
    here.put({"a": 1})
    assert here.flush()
    assert here.take() is None


def test_what_the_others_could_not_do_is_an_error_that_names_them(ends):
    async def tell():
        others, parent = Others(ends[0]), Line(ends[1])
        others.listen(None)
        told = asyncio.create_task(others.tell("load", "mood"))
        await asyncio.sleep(0)
        (asked,) = parent.take()
        assert (asked["command"], asked["model"]) == ("load", "mood")
        parent.put({"told": asked["ask"], "errors": ["process 7: no room"]})
        with pytest.raises(RefusedError, match=r"did load mood, but others of this server did not.*process 7: no room"):
            await told
        parent.put({"told": asked["ask"], "errors": []})  # nobody waits for it any more
        await asyncio.sleep(0.01)

    asyncio.run(tell())


def test_those_who_do_not_answer_are_not_waited_for_for_ever(ends, monkeypatch):
    monkeypatch.setattr(control, "LONGEST_WAIT", 0.01)

    async def tell():
        with pytest.raises(RefusedError, match=r"not all have answered within 0\.01 seconds"):
            await Others(ends[0]).tell("unload", "mood")

    asyncio.run(tell())


def test_what_is_told_is_done_and_what_went_wrong_is_told(ends):
    done = []

    async def do(command, model):
        done.append((command, model))
        if model == "torn":
            raise CheckpointError("The file is torn.")

    async def listen():
        others, parent = Others(ends[0]), Line(ends[1])
        others.listen(do)
        parent.put({"do": 3, "command": "load", "model": "torn"})
        parent.put({"do": 4, "command": "unload", "model": "mood"})
        answers = []
        async with asyncio.timeout(60):
            while len(answers) < 2:
                await asyncio.sleep(0.001)
                answers += parent.take()
        return answers

    assert asyncio.run(listen()) == [{"done": 3, "error": "The file is torn."}, {"done": 4, "error": ""}]
    assert done == [("load", "torn"), ("unload", "mood")]


def test_a_process_without_its_parent_ends_as_by_sigterm(ends, monkeypatch):
    sent = []
    monkeypatch.setattr(control.os, "kill", lambda pid, number: sent.append(number))

    async def listen():
        others = Others(ends[0])
        others.listen(None)
        ends[1].close()
        async with asyncio.timeout(60):
            while not sent:
                await asyncio.sleep(0.001)

    asyncio.run(listen())
    assert sent == [signal.SIGTERM]

"""A connection without a network: requests in order, answers whole, and an end whenever one is due."""

import asyncio
import selectors
from types import SimpleNamespace

import pytest

from headway.errors import EngineError
from headway.serving.connection import PIECE, connections
from headway.serving.http import HttpResponse
from headway.serving.refusals import RefusedError

GET = b"GET /%s HTTP/1.1\r\n\r\n"


class Transport:
    """Keeps what is written."""

    def __init__(self):
        self.written, self.said, self.owed = b"", [], 0

    def get_extra_info(self, name):
        return ("10.0.0.7", 1234)

    def write(self, data):
        self.written += data

    def is_closing(self):
        return bool({"close", "abort"} & set(self.said))

    def close(self):
        self.said.append("close")

    def abort(self):
        self.said.append("abort")

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.said.append("eof")

    def get_write_buffer_size(self):
        return self.owed

    def pause_reading(self):
        self.said.append("pause")

    def resume_reading(self):
        self.said.append("resume")


class App:
    """Answers with the path, once it may."""

    def __init__(self):
        self.room = SimpleNamespace(limits=SimpleNamespace(body_timeout=0.05))
        self.may_answer, self.kept, self.begun, self.checked, self.held = asyncio.Event(), [], [], 0, 0
        self.may_answer.set()

    def check(self, request, *, client):
        assert client == "10.0.0.7"
        self.checked += 1
        if request.path == "/closed":
            raise RefusedError("No.", reason="forbidden")

    def check_size(self, size):
        pass

    def refuse(self, request, error):
        return HttpResponse(status=408, body=str(error).encode())

    async def answer(self, request):
        self.begun.append(request.path)
        await self.may_answer.wait()
        if request.path == "/broken":
            raise ZeroDivisionError
        headers = {"x-two": "a\r\nb: c"} if request.path == "/two" else {}
        return HttpResponse(body=request.path.encode(), headers=headers)

    def more_headers(self, request):
        return {"x-request-id": "7"}

    def keep(self, request, response):
        self.kept.append((request.path, response.status))


class Clock(selectors.DefaultSelector):
    """Time passes only where nothing else is left to do, and then at once: a machine that stalls is no client that does."""

    now = 0.0

    def select(self, timeout=None):
        found = super().select(0)
        self.now += 1e-7 if found else timeout + 1e-7  # without a timeout nothing would ever come: an error
        return found


def talk(story):
    """Run a story with a connection that was just made."""

    async def run():
        app = App()
        state = SimpleNamespace(connections=set(), tasks=set(), default_headers=[(b"date", b"today")])
        connection = connections(app, patience=0.05, most=2)(config=None, server_state=state, app_state=None, _loop=None)
        connection.connection_made(Transport())
        errors = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: errors.append(about.get("exception")))
        await story(connection, app, state)
        await asyncio.sleep(0)
        connection.connection_lost(None)
        await asyncio.sleep(0)
        assert not state.connections
        assert not state.tasks
        return errors

    clock = Clock()
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(clock)) as runner:
        patch.setattr("time.monotonic", lambda: clock.now)
        return runner.run(run())


async def a_while():
    for _ in range(5):
        await asyncio.sleep(0)


def bodies(transport):
    """What was answered, head by head."""
    return [part.rpartition(b"\r\n\r\n")[2] for part in transport.written.split(b"HTTP/1.1 ")[1:]]


def test_an_answer_is_whole_with_its_length_and_the_date():
    async def story(connection, app, state):
        connection.data_received(GET % b"a")
        await a_while()
        assert connection.transport.written == (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nx-request-id: 7\r\ndate: today\r\n\r\n/a"
        )
        assert app.kept == [("/a", 200)]

    talk(story)


def test_the_date_is_that_of_the_answer():
    async def story(connection, app, state):
        for day in (b"today", b"tomorrow"):
            state.default_headers = [(b"date", day)]
            connection.data_received(GET % b"a")
            await a_while()
        dated = [line for line in connection.transport.written.split(b"\r\n") if line.startswith(b"date: ")]
        assert dated == [b"date: today", b"date: tomorrow"]

    talk(story)


def test_a_head_is_answered_without_the_body():
    async def story(connection, app, state):
        connection.data_received(b"HEAD /long HTTP/1.1\r\n\r\n")
        await a_while()
        assert b"content-length: 5\r\n" in connection.transport.written
        assert connection.transport.written.endswith(b"\r\n\r\n")

    talk(story)


def test_requests_that_come_together_are_answered_one_after_the_other_and_no_more_is_read_meanwhile():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a" + GET % b"b" + GET % b"c")
        await a_while()
        assert (app.begun, connection.transport.said) == (["/a"], ["pause"])
        app.may_answer.set()
        for _ in range(3):
            await a_while()
        assert bodies(connection.transport) == [b"/a", b"/b", b"/c"]
        assert connection.transport.said == ["pause", "resume"]

    talk(story)


def test_a_client_that_does_not_read_is_asked_to_before_its_next_request_begins():
    async def story(connection, app, state):
        connection.pause_writing()
        connection.data_received(GET % b"a")
        await a_while()
        assert app.begun == []
        connection.resume_writing()
        await a_while()
        assert bodies(connection.transport) == [b"/a"]

    talk(story)


def test_a_client_that_never_reads_is_left():
    async def story(connection, app, state):
        connection.pause_writing()
        await asyncio.sleep(0.12)
        assert connection.transport.said[0] == "abort"

    talk(story)


def test_a_client_that_reads_slowly_is_not_left_while_it_reads():
    async def story(connection, app, state):
        connection.transport.owed = 21_000
        connection.data_received(GET % b"a")
        await a_while()
        connection.pause_writing()
        for left in range(20, 0, -1):
            connection.transport.owed = left * 1000
            await asyncio.sleep(0.01)
        assert connection.transport.said == []
        await asyncio.sleep(0.12)
        assert connection.transport.said[0] == "abort"

    talk(story)


def test_of_very_many_requests_that_come_together_few_are_made_at_a_time_and_all_are_answered():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a" * 5000)
        await a_while()
        assert app.checked <= PIECE // len(GET % b"a") + 1
        app.may_answer.set()
        while len(app.begun) < 5000:
            await asyncio.sleep(0)
        await a_while()
        assert len(bodies(connection.transport)) == 5000
        assert connection.transport.said[0::2] == ["pause"] * (len(connection.transport.said) // 2)

    talk(story)


def test_a_body_that_waits_behind_another_request_is_not_late():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a" + GET % b"b" + b"POST /c HTTP/1.1\r\nContent-Length: 2\r\n\r\n1")
        await asyncio.sleep(0.12)
        app.may_answer.set()
        await a_while()
        await a_while()
        connection.data_received(b"2")
        await a_while()
        assert bodies(connection.transport) == [b"/a", b"/b", b"/c"]

    talk(story)


def test_who_is_refused_while_sending_a_body_may_send_on_so_that_the_answer_arrives():
    """A system that has bytes which nobody reads ends the connection at once, and the answer with it."""
    refused = b"POST /closed HTTP/1.1\r\nContent-Length: 9000\r\n\r\n"

    async def story(connection, app, state):
        connection.data_received(refused + b"a" * 100)
        connection.data_received(b"a" * 100)
        assert connection.transport.said == ["eof"]
        connection.data_received(b"\x16 nothing")
        assert connection.transport.written.count(b"HTTP/1.1") == 1
        await asyncio.sleep(0.12)
        assert connection.transport.said[:2] == ["eof", "close"]

    async def at_the_end(connection, app, state):
        connection.data_received(refused)
        connection.shutdown()
        assert connection.transport.said == ["eof", "close"]

    talk(story)
    talk(at_the_end)


def test_bodies_that_do_not_end_take_a_bounded_room_in_all_connections_together(monkeypatch):
    monkeypatch.setattr("headway.serving.connection.MOST_HELD", 1000)
    head = b"POST /a HTTP/1.1\r\nContent-Length: 1500\r\n\r\n"

    async def story(connection, app, state):
        connection.data_received(head + b"a" * 1400)  # more than there is room for, but alone
        assert (app.held, connection.transport.written) == (1400, b"")
        other = connections(app, patience=1, most=3)(server_state=state)
        other.connection_made(Transport())
        other.data_received(head + b"b")
        assert b"no room for more bodies" in other.transport.written
        connection.data_received(b"a" * 100)
        await a_while()
        assert app.held == 0
        other = connections(app, patience=1, most=3)(server_state=state)
        other.connection_made(Transport())
        for sent, held in [(head + b"a" * 900, 900), (b"", 900)]:
            other.data_received(sent)
            assert app.held == held
        other.connection_lost(None)
        assert app.held == 0
        state.connections -= {one for one in state.connections if one is not connection}

    talk(story)


def test_at_the_end_of_the_server_an_idle_connection_closes_and_a_busy_one_once_all_is_answered():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a" + GET % b"b")
        await a_while()
        connection.shutdown()
        assert "close" not in connection.transport.said
        app.may_answer.set()
        await a_while()
        await a_while()
        assert bodies(connection.transport) == [b"/a", b"/b"]
        assert connection.transport.written.count(b"connection: close") == 1
        assert connection.transport.said[-1] == "close"

    async def idle(connection, app, state):
        connection.shutdown()
        assert connection.transport.said == ["close"]

    talk(story)
    talk(idle)


def test_a_server_that_cannot_wait_any_longer_says_so():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a")
        await a_while()
        for task in state.tasks:
            task.cancel()
        await a_while()
        assert b"503" in connection.transport.written
        assert connection.transport.said == ["close"]

    talk(story)


def test_the_work_of_a_client_that_has_gone_is_ended():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a" + GET % b"b")
        await a_while()
        connection.connection_lost(None)
        await a_while()
        assert (app.begun, app.kept, connection.transport.written) == (["/a"], [], b"")

    async def before_it_began(connection, app, state):
        connection.data_received(GET % b"a")
        connection.connection_lost(None)
        await a_while()
        assert app.begun == []

    assert talk(story) == []
    assert talk(before_it_began) == []


def test_a_mistake_of_ours_is_answered_and_logged_and_ends_the_connection():
    async def story(connection, app, state):
        connection.data_received(GET % b"broken" + GET % b"b")
        await a_while()
        assert connection.transport.written.startswith(b"HTTP/1.1 500 ")
        assert b"its log says more" in connection.transport.written
        assert (app.begun, connection.transport.said[-1]) == (["/broken"], "close")

    assert [type(error) for error in talk(story)] == [ZeroDivisionError]


def test_a_header_cannot_become_two():
    with pytest.raises(EngineError, match="would read two headers"):
        HttpResponse(headers={"a": "b\r\nc: d"}).head({})

    async def story(connection, app, state):
        connection.data_received(GET % b"two")
        await a_while()
        assert (connection.transport.written, connection.transport.said) == (b"", ["abort"])

    assert [type(error) for error in talk(story)] == [EngineError]


def test_what_is_no_http_is_told_so_after_what_came_before_it_was_answered():
    async def story(connection, app, state):
        connection.data_received(GET % b"a" + b"\x16\x03 nothing\r\n\r\n")
        await a_while()
        assert bodies(connection.transport) == [b"/a"]
        assert b"connection: close" in connection.transport.written

    async def at_once(connection, app, state):
        connection.data_received(b"\x16\x03 nothing\r\n\r\n")
        assert connection.transport.written.startswith(b"HTTP/1.1 400 ")
        assert connection.transport.said == ["close"]

    talk(story)
    talk(at_once)


def test_a_body_that_does_not_come_is_refused_and_a_request_that_does_not_begin_ends_the_connection():
    async def body(connection, app, state):
        connection.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        await asyncio.sleep(0.12)
        assert b"did not arrive within 0.05 seconds" in connection.transport.written
        assert connection.transport.said[0] == "close"

    async def head(connection, app, state):
        connection.data_received(b"POST /a HTT")
        await asyncio.sleep(0.12)
        assert connection.transport.said[0] == "close"

    talk(body)
    talk(head)


def test_a_client_that_asks_first_is_told_to_send_the_body():
    async def story(connection, app, state):
        connection.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert connection.transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.data_received(b"1")
        await a_while()
        assert bodies(connection.transport) == [b"", b"/a"]

    talk(story)


def test_a_client_that_asks_behind_another_request_is_told_once_that_is_answered():
    async def story(connection, app, state):
        app.may_answer.clear()
        connection.data_received(GET % b"a" + b"POST /b HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        await a_while()
        assert connection.transport.written == b""
        app.may_answer.set()
        await a_while()
        assert connection.transport.written.endswith(b"/aHTTP/1.1 100 Continue\r\n\r\n")
        connection.data_received(b"1")
        await a_while()
        assert bodies(connection.transport) == [b"/a", b"", b"/b"]

    talk(story)


def test_more_connections_than_allowed_are_closed():
    async def story(connection, app, state):
        more = [connections(app, patience=1, most=2)(server_state=state) for _ in range(2)]
        for one in more:
            one.connection_made(Transport())
        assert [one.transport.said for one in more] == [[], ["abort"]]
        for one in more:
            one.connection_lost(None)

    talk(story)

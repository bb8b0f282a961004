"""From bytes to requests: whatever the pieces in which they come, held to limits from the first byte on."""

import tracemalloc

import pytest

from headway.errors import InputError
from headway.serving.reading import MOST_HEADERS, MOST_USELESS, Reader, split_url
from headway.serving.refusals import RefusedError

POST = b'POST /tasks/x?a=1&b=%20 HTTP/1.1\r\nHost: h\r\nX-Odd: \xfc\r\nContent-Length: 7\r\n\r\n{"a":1}'
CHUNKED = b'POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\nX-Odd: late\r\n\r\n'
GET = b"GET /live HTTP/1.1\r\n\r\n"


class Taker:
    """Takes requests of at most 100 bytes, and none for /closed."""

    def __init__(self):
        self.taken, self.told = [], 0

    def check(self, request):
        if request.path == "/closed":
            raise RefusedError("No.", reason="forbidden")
        if request.path == "/mistake":
            raise ZeroDivisionError

    def check_size(self, size):
        if size > 100:
            raise RefusedError("Too large.", reason="payload_too_large")

    def wants_body(self):
        self.told += 1

    def take(self, request, refusal, *, goes_on):
        self.taken.append((request.method, request.path, request.body, refusal and refusal.reason, goes_on))


def read(*parts):
    taker = Taker()
    reader = Reader(taker)
    for part in parts:
        reader.feed(part)
    return taker, reader


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_requests_are_the_same_in_whatever_pieces_they_come(size):
    sent = POST + GET + CHUNKED + GET
    taker, reader = read(*[sent[place : place + size] for place in range(0, len(sent), size)])
    assert taker.taken == [
        ("POST", "/tasks/x", b'{"a":1}', None, True),
        ("GET", "/live", b"", None, True),
        ("POST", "/c", b'{"a":1}', None, True),
        ("GET", "/live", b"", None, True),
    ]
    assert reader.request is None


def test_a_head_has_its_query_and_its_headers_in_lower_case():
    taker, reader = read(POST[:-3])
    assert taker.taken == []
    assert (reader.request.query_string, reader.request.headers) == (
        "a=1&b=%20",
        {"host": "h", "x-odd": "ü", "content-length": "7"},
    )


def test_headers_behind_a_body_change_nothing():
    taker = Taker()
    reader = Reader(taker)
    reader.feed(CHUNKED[:60])
    request = reader.request
    reader.feed(CHUNKED[60:])
    assert len(taker.taken) == 1
    assert request.headers == {"transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [
        pytest.param(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False, id="of HTTP/1.0"),
        pytest.param(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False, id="by the client's wish"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", True, id="unless neither"),
    ],
)
def test_a_connection_ends_after_a_request(sent, goes_on):
    assert [taken[-1] for taken in read(sent)[0].taken] == [goes_on]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("body", "read_as"),
    [
        pytest.param(b"Content-Length: 3\r\n\r\nabc", b"abc", id="with a length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", id="in chunks"),
        pytest.param(b"\r\n", b"", id="without a body"),
    ],
)
def test_a_wish_for_another_protocol_is_not_heard_and_the_request_is_read_as_any_other(body, read_as, size):
    """As ``curl --http2`` and Java's clients ask, with a body."""
    head = b"POST /a?b HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nX-Odd: \xfc\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    sent = head + body + GET + head + body
    taker, reader = read(*[sent[place : place + size] for place in range(0, len(sent), size)])
    asked = ("POST", "/a", read_as, None, True)
    assert taker.taken == [asked, ("GET", "/live", b"", None, True), asked]
    assert not reader.is_done


def test_there_is_no_way_through():
    with pytest.raises(InputError, match="no request of HTTP"):
        read(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    with pytest.raises(InputError, match="there is no way through"):
        read(b"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n" + GET)


def test_a_refused_head_ends_the_reading_and_of_a_get_only_its_own():
    taker, reader = read(b"POST /closed HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + GET)
    assert taker.taken == [("POST", "/closed", b"", "forbidden", False)]
    assert reader.is_done
    taker, _ = read(b"GET /closed HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + GET)
    assert [taken[1:] for taken in taker.taken] == [("/closed", b"", "forbidden", True), ("/live", b"", None, True)]


def test_a_body_that_grows_too_large_is_refused_before_its_end():
    taker, reader = read(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"30\r\n" + b"a" * 48 + b"\r\n"] * 4)
    assert [taken[2:4] for taken in taker.taken] == [(b"", "payload_too_large")]
    assert reader.is_done


def test_a_client_that_asks_whether_to_send_the_body_is_told_once_and_not_where_it_is_refused():
    head = b" HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
    assert read(b"POST /a" + head)[0].told == 1
    assert read(b"POST /closed" + head)[0].told == 0


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01 nothing\r\n\r\n", b"GET /a HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"GET\r\n\r\n"]
)
def test_what_is_no_http_is_an_error_and_nothing_is_read_after_it(sent):
    taker = Taker()
    reader = Reader(taker)
    with pytest.raises(InputError, match="no request of HTTP"):
        reader.feed(sent)
    reader.feed(GET)
    assert taker.taken == []


AMBIGUOUS = {
    "two kinds of length": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 0\r\n\r\nabcd",
    "one length twice": b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": b"Content-Length: 4, 4\r\n\r\nabcd",
    "a length with a sign": b"Content-Length: +4\r\n\r\nabcd",
    "an endless length": b"Content-Length: 99999999999999999999\r\n\r\nabcd",
    "a space before the colon": b"Content-Length : 4\r\n\r\nabcd",
    "no length": b"Content-Length: \r\n\r\nabcd",
    "something like chunked": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked, and then something": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked, and then a header more": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked after another sign": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a chunk of another base": b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk below nothing": b"Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
    "an endless chunk": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n",
    "a chunk that goes on": b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc0\r\n\r\n",
    "a chunk's line that ends early": b"Transfer-Encoding: chunked\r\n\r\n1;a\na\r\n0\r\n\r\n",
    "a length behind the body": b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 30\r\n\r\n",
    "a folded line": b"X-A: b\r\n c\r\nContent-Length: 1\r\n\r\na",
    "a folded encoding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a line feed alone": b"X-A: b\nContent-Length: 1\r\n\r\na",
    "a carriage return alone": b"X-A: b\rContent-Length: 1\r\n\r\na",
    "a head that ends early": b"Content-Length: 1\r\n\na",
    "a zero byte": b"X-A: b\0\r\nContent-Length: 1\r\n\r\na",
    "a header without a name": b": 1\r\n\r\n",
    "a header that is indented": b" Content-Length: 1\r\n\r\na",
}


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("head", [pytest.param(head, id=name) for name, head in AMBIGUOUS.items()])
def test_what_another_server_may_read_otherwise_is_an_error_and_nothing_is_read_after_it(head, size):
    """A proxy in front that saw the end of a request elsewhere would hand one client's requests to another."""
    taker = Taker()
    reader = Reader(taker)
    sent = b"POST /a HTTP/1.1\r\nHost: h\r\n" + head + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    parts = [sent[place : place + size] for place in range(0, len(sent), size)]
    with pytest.raises(InputError, match="no request of HTTP"):
        list(map(reader.feed, parts))
    assert taker.taken == []


def test_a_header_that_comes_twice_is_a_list_and_not_the_last_of_them():
    _, reader = read(b"POST / HTTP/1.1\r\nHost: a\r\nX-Key: b\r\nhost: localhost\r\nContent-Length: 1\r\n\r\n")
    assert reader.request.headers == {"host": "a, localhost", "x-key": "b", "content-length": "1"}


def test_so_many_headers_are_read_and_no_more():
    read(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * MOST_HEADERS + b"\r\n" + b"GET / HTTP/1.1\r\na: b\r\n\r\n")
    with pytest.raises(InputError, match=r"no request of HTTP \(more than 256 headers\)"):
        read(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_HEADERS + 1) + b"\r\n")


def test_a_body_of_many_small_parts_takes_the_room_of_its_bytes():
    taker = Taker()
    taker.check_size = lambda size: None
    reader = Reader(taker)
    reader.feed(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    tracemalloc.start()
    for _ in range(100):
        reader.feed(b"2\r\nab\r\n" * 100)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 3 * 20_000
    reader.feed(b"0\r\n\r\n")
    assert taker.taken[0][2] == b"ab" * 10_000


def test_a_mistake_of_ours_is_not_said_to_be_the_clients():
    with pytest.raises(ZeroDivisionError):
        read(b"GET /mistake HTTP/1.1\r\n\r\n")


def test_a_client_of_http_1_0_waits_for_nothing_before_the_body():
    assert read(b"POST /a HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")[0].told == 0


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"GET /", id="an address"),
        pytest.param(b"GET / HTTP/1.1\r\nA: ", id="a header"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", id="a header behind the body"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", id="what stands beside a part's size"),
    ],
)
def test_what_never_ends_is_an_error_once_it_is_long(begin):
    reader = Reader(Taker())
    reader.feed(begin)
    for _ in range(MOST_USELESS // 1000 - 1):
        reader.feed(b"a" * 1000)
    with pytest.raises(InputError, match="no part of a body"):
        reader.feed(b"a" * 2000)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"/a/b", ("/a/b", "")),
        (b"/a%20b?c=%20?d", ("/a b", "c=%20?d")),
        (b"http://host:80/a?b", ("/a", "b")),
        (b"http://host", ("/", "")),
        (b"/a#b", ("/a", "")),
    ],
)
def test_split_url(url, expected):
    assert split_url(url) == expected

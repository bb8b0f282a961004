"""From bytes to requests: whatever the pieces in which they come, held to limits from the first byte on."""

import pytest

from headway.errors import InputError
from headway.serving.reading import MOST_USELESS, Reader, split_url
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


def test_a_request_for_another_protocol_is_read_and_the_last_one():
    taker, reader = read(b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + GET, GET)
    assert [taken[1] for taken in taker.taken] == ["/a"]
    assert reader.is_done


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


@pytest.mark.parametrize(
    "begin",
    [
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

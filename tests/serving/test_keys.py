"""Who is the operator where no key says so: programs on this machine, and no page of another site that a browser shows there."""

import pytest

from headway.serving.keys import is_here


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8080"}, True),
        ("::1", {"host": "[::1]:8080"}, True),
        ("127.0.0.1", {"host": "localhost"}, True),
        ("127.0.0.1", {}, True),
        ("127.0.0.1", {"host": "localhost:8080", "origin": "http://localhost:8080"}, True),
        ("10.0.0.7", {"host": "localhost:8080"}, False),
        ("127.0.0.1", {"host": "localhost:8080", "origin": "https://evil.example"}, False),
        ("127.0.0.1", {"host": "localhost:8080", "origin": "http://localhost:3000"}, False),
        ("127.0.0.1", {"host": "localhost:8080", "origin": "null"}, False),
        ("127.0.0.1", {"host": "rebound.example:8080"}, False),
        ("127.0.0.1", {"host": "["}, False),
        ("127.0.0.1", {"host": "localhost", "origin": "http://["}, False),
        ("127.0.0.1", {"host": "rebound.example, localhost"}, False),
    ],
)
def test_the_operator_is_on_this_machine_and_asks_of_its_own_accord(client, headers, expected):
    assert is_here(headers, client=client) is expected

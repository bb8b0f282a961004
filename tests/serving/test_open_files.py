"""What the system allows is asked for, as far as it goes."""

import resource
import subprocess
import sys

import pytest

from headway.serving.open_files import SPARE, possible_connections


@pytest.mark.parametrize(
    ("now", "most", "wanted", "possible", "then"),
    [
        pytest.param(300, 4000, 500, 500, 500 + SPARE, id="more is allowed if asked for"),
        pytest.param(300, 700, 5000, 700 - SPARE, 700, id="as many as are allowed"),
        pytest.param(900, 4000, 500, 500, 900, id="enough as it is"),
    ],
)
def test_as_many_connections_as_the_system_allows(now, most, wanted, possible, then):
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({now}, {most}))
from headway.serving.open_files import possible_connections
print(possible_connections({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(possible), str(then)]


def test_a_system_that_allows_less_than_it_says_is_believed_in_the_end(monkeypatch):
    def refuse(*_):
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert possible_connections(10_000) == 1000 - SPARE

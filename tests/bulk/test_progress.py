"""The line that says how far a job is, and the line that says what it did."""

import io

import pytest

from headway.bulk.answering import AnsweredPiece
from headway.bulk.inputs import Piece, Place
from headway.bulk.progress import Progress, duration, line
from headway.bulk.tally import MOST_LABELS, Summary, Tally
from headway.inference.schedule import Answered
from headway.tables import Rows, batch_of


class Screen(io.StringIO):
    """A stream that says whether somebody watches."""

    def __init__(self, *, watched):
        super().__init__()
        self.watched = watched

    def isatty(self):
        return self.watched


@pytest.mark.parametrize(
    ("rows", "fraction", "first", "expected"),
    [
        pytest.param(300, 0.25, (0, 0.0), "Predicting: 25 %, 300 rows, 30 rows/s, 30 s left", id="a quarter in ten seconds"),
        pytest.param(2_000, 0.75, (1_900, 0.5), "Predicting: 75 %, 2,000 rows, 10 rows/s, 10 s left", id="after a restart"),
        pytest.param(50, 0.0, (0, 0.0), "Predicting: 50 rows, 5 rows/s", id="nobody knows how many there are"),
    ],
)
def test_the_line_has_the_rate_and_the_time_left(rows, fraction, first, expected):
    assert line(rows, fraction, seconds=10, first=first) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (18_430, "5 h 7 min"), (9e6, "2,500 h 0 min")]
)
def test_times_are_said_as_people_say_them(seconds, expected):
    assert duration(seconds) == expected


def said(*, watched, seconds, shown=True):
    """What a job of ten updates says, this many seconds apart."""
    screen, now = Screen(watched=watched), [0.0]
    progress = Progress(shown=shown, stream=screen, clock=lambda: now[0])
    for step in range(10):
        now[0] += seconds
        progress.update(10 * step, step / 10)
    progress.close()
    return screen.getvalue()


def test_a_terminal_has_one_line_that_is_gone_in_the_end():
    drawn = said(watched=True, seconds=0.11)
    assert drawn.count("Predicting: ") == 5
    assert "\n" not in drawn
    assert drawn.endswith("\r\033[K")


def test_elsewhere_a_line_comes_once_a_minute():
    assert said(watched=False, seconds=1) == ""
    assert said(watched=False, seconds=30).count("\n") == 5
    assert said(watched=False, seconds=90, shown=False) == ""


def piece(*found):
    return AnsweredPiece(Piece(Rows(batch_of([{}] * len(found))), {}, "x", Place(2, 5), 0.0), found)


def test_a_tally_counts_and_comes_back_from_its_parts():
    tally = Tally()
    tally.add(piece(Answered(None, 7), "no", Answered(None, 11)), [{"label": "a"}, {"error": "no"}, {"labels": [{"label": "b"}]}])
    tally.add(piece(Answered(None, 13)), [{"labels": []}])
    assert (tally.rows, tally.errors, tally.tokens, tally.labels, tally.place) == (4, 1, 31, {"a": 1, "b": 1}, Place(2, 6))
    assert Tally.from_dict(tally.to_dict()) == tally
    assert Tally.from_dict({}) == Tally()


def test_tallies_of_parts_make_that_of_the_whole():
    first, second = piece(Answered(None, 7), "no"), piece(Answered(None, 11))
    rows = [{"label": "a"}, {"error": "no"}], [{"label": "a"}]
    whole, joined, later = Tally(), Tally(), [Tally(), Tally()]
    for one, given, part in zip([first, second], rows, later, strict=True):
        whole.add(one, given)
        part.add(one, given)
        joined.include(part)
    assert joined == whole


def test_labels_without_end_are_not_all_counted():
    tally = Tally()
    rows = [{"label": str(number)} for number in [*range(MOST_LABELS + 5), 0]]
    tally.add(piece(*[Answered(None, 1)] * len(rows)), rows)
    assert len(tally.labels) == MOST_LABELS
    assert tally.labels["0"] == 2


def test_the_summary_says_what_was_done_now_and_before():
    tally = Tally(rows=1500, errors=2, tokens=9000)
    tally.labels.update({"a": 900, "b": 598})
    assert str(Summary(tally, before=500, tokens_before=1000, seconds=2)) == (
        "1,500 rows, 2 with errors, 500 of them in earlier runs in 2.0 s (500 rows/s, 4,000 tokens/s); a 900, b 598"
    )

"""The schedule with a fake engine: what is decided, in which order answers come, how far it reads ahead, how errors surface."""

import threading
import time
import weakref
from itertools import count, islice

import numpy as np
import pytest

from headway.core.batching import TokenSequence
from headway.errors import HeadwayError, InputError
from headway.inference import schedule
from headway.inference.schedule import (
    BATCH_COST,
    FEWEST_TOKENS,
    FIRST_WINDOW,
    LARGE,
    LARGEST_WINDOW,
    WINDOW_TOKENS,
    WINDOWS_AT_ONCE,
    Answered,
    Plan,
    at_input,
    finish_time,
    next_count,
    places,
    plan,
    stream,
    window_sizes,
)
from headway.tasks import Encoded


class FakeEngine:
    """Answers each text with its first token id; remembers which batches came, how many at once, and from which threads."""

    config, precision = None, "fake"

    def __init__(self, *, token_budget=12, workers=2, seconds=0.0, fails_at=None):
        self.token_budget, self.workers, self.seconds, self.fails_at = token_budget, workers, seconds, fails_at
        self.batches, self.alone, self.at_once, self.most_at_once = [], [], 0, 0
        self.threads, self.lock = set(), threading.Lock()

    def run(self, sequences, *, alone=False):
        with self.lock:
            self.batches.append([len(sequence) for sequence in sequences])
            self.alone.append(alone)
            self.threads.add(threading.current_thread().name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds)
        if any(sequence.ids[0] == self.fails_at for sequence in sequences):
            raise RuntimeError("the engine broke")
        with self.lock:
            self.at_once -= 1
        return [{"logits": np.array([sequence.ids[0]])} for sequence in sequences]


class FakeTask:
    """Reads the number n as 1 + n % 5 tokens, all of them n. Negative numbers cannot be read, multiples of 1000 not answered.

    A list of numbers is read as one sequence for each, of which 13 cannot be kept.
    """

    def __init__(self):
        self.encoded_at_once = []

    def encode(self, items):
        self.encoded_at_once.append(len(items))
        rows = [item if isinstance(item, list) else [item] for item in items]
        for item in (item for row in rows for item in row):
            if item < 0:
                raise InputError(f"{item} is negative. Use its magnitude.")
        return [Encoded(tuple(TokenSequence([item] * (1 + item % 5)) for item in row), dropped=len(row) - 1) for row in rows]

    def reduce(self, outputs, encoded, *, part):
        found = int(outputs["logits"][0])
        assert encoded.sequences[part].ids[0] == found
        if found == 13 and len(encoded.sequences) > 1:
            raise InputError("13 cannot be kept.")
        return found

    def decode(self, parts, encoded):
        if any(found and found % 1000 == 0 for found in parts):
            raise InputError(f"{parts[0]} has no answer.")
        return "answer " + " ".join(map(str, parts))

    def present(self, answers, call):
        return answers


def answers(items, engine=None, **options):
    return [found.answer for found in stream(items, FakeTask(), engine or FakeEngine(), **options)]


@pytest.mark.parametrize(
    ("lengths", "options", "expected"),
    [
        pytest.param([7], {}, Plan([[0]], alone=True), id="a lone text has all cores"),
        pytest.param([6, 6], {}, Plan([[0], [1]], alone=False), id="two texts are shared out"),
        pytest.param([6, 6, 6], {}, Plan([[0, 1], [2]], alone=False), id="three as evenly as may be"),
        pytest.param([9, 3, 3, 3], {}, Plan([[0], [1, 2, 3]], alone=False), id="by tokens, not by texts"),
        pytest.param([6, 6], {"workers": 1}, Plan([[0, 1]], alone=True), id="one worker takes one batch"),
        pytest.param(
            [6, 6, 6], {"others": True, "token_budget": 18}, Plan([[0, 1, 2]], alone=False), id="full batches in a stream"
        ),
        pytest.param([], {}, Plan([], alone=False), id="nothing"),
        pytest.param([500, 1], {"others": True}, Plan([[0], [1]], alone=False), id="a giant runs alone"),
    ],
)
def test_plan(lengths, options, expected):
    assert plan(lengths, **{"token_budget": 12, "workers": 2} | options) == expected


def test_finish_time_by_hand():
    batches = [[0], [1, 2], [3]]  # lengths 9; 4 and 3; 2
    assert finish_time(batches, [9, 4, 3, 2], workers=2) == max(9 + BATCH_COST, 8 + BATCH_COST + 2 + BATCH_COST)
    assert finish_time(batches, [9, 4, 3, 2], workers=1) == 9 + 8 + 2 + 3 * BATCH_COST


def test_windows_of_a_generator_grow_and_those_of_a_list_need_not():
    assert list(islice(window_sizes(sized=False), 6)) == [64, 128, 256, 512, 1024, 1024]
    assert list(islice(window_sizes(sized=True), 2)) == [LARGEST_WINDOW] * 2


def read_windows(items, *, most_tokens=WINDOW_TOKENS, task=None):
    return schedule.read_windows(items, task or FakeTask(), most_tokens=most_tokens)


def test_windows_are_read_only_when_asked_for():
    source = iter(range(1, 10**9))
    windows = read_windows(source)
    assert len(next(windows).encoded) == FIRST_WINDOW
    assert next(source) == FIRST_WINDOW + 1


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1027, [(1024, False), (3, True)]), (1024, [(1024, True)]), (64, [(64, True)]), (63, [(63, True)]), (0, [])],
)
def test_the_last_window_of_a_list_is_known(number, expected):
    assert [(len(window.encoded), window.last) for window in read_windows([1] * number)] == expected


def test_the_last_window_of_a_generator_is_known_where_it_ended_in_it():
    assert [(len(window.encoded), window.last) for window in read_windows(iter([1] * 65))] == [(64, False), (1, True)]
    assert [(len(window.encoded), window.last) for window in read_windows(iter([1] * 64))] == [(64, False)]


@pytest.mark.parametrize(
    ("read", "tokens", "expected"),
    [
        pytest.param(0, 0, 64, id="few at first"),
        pytest.param(64, 640, 936, id="as many as the texts may be"),
        pytest.param(64, 64_00, 36, id="as many as their tokens may be"),
        pytest.param(64, 9_999, 1, id="one more where there is room for less"),
        pytest.param(64, 10_000, 0, id="full of tokens"),
        pytest.param(1000, 5, 0, id="full of texts"),
        pytest.param(64, 0, 936, id="texts without tokens"),
    ],
)
def test_how_many_inputs_a_window_takes_next(read, tokens, expected):
    assert next_count(read, tokens, size=1000, most_tokens=10_000) == expected


def test_windows_of_long_texts_hold_fewer_of_them():
    task = FakeTask()
    windows = list(read_windows([[4] * 100] * 200, most_tokens=10_000, task=task))  # 500 tokens each
    assert [len(window.encoded) for window in windows] == [64, 64, 64, 8]
    assert task.encoded_at_once == [64, 64, 64, 8]


@pytest.mark.parametrize("number", [0, 1, 2, 7, 64, 65, 1023, 1024, 1025, 2311])
@pytest.mark.parametrize("kind", [list, iter], ids=["list", "generator"])
def test_answers_come_in_the_order_of_the_inputs(number, kind):
    assert answers(kind(range(1, number + 1)) if number < 1000 else kind([item % 997 + 1 for item in range(number)])) == [
        f"answer {item % 997 + 1 if number >= 1000 else item + 1}" for item in range(number)
    ]


def test_token_counts_come_with_the_answers():
    assert list(stream([3, 9], FakeTask(), FakeEngine())) == [Answered("answer 3", 4), Answered("answer 9", 5)]


def test_no_batch_is_larger_than_the_budget_and_like_lengths_stand_together():
    engine = FakeEngine(token_budget=12)
    answers(list(range(1, 300)), engine)
    assert max(len(batch) * max(batch) for batch in engine.batches) <= 12
    padding = sum(max(batch) * len(batch) - sum(batch) for batch in engine.batches)
    assert padding < 0.02 * sum(map(sum, engine.batches))


def test_fewer_tokens_make_smaller_batches_where_the_engine_would_take_large_ones():
    engine = FakeEngine(token_budget=65_536, workers=1)
    answers([4] * 3000, engine, most_tokens=2_000)
    assert max(map(len, engine.batches)) == 400  # of five tokens


@pytest.mark.parametrize("most_tokens", [1, 41, 512, None])
def test_no_number_of_tokens_makes_a_cpus_batches_smaller(most_tokens):
    engine = FakeEngine(token_budget=FEWEST_TOKENS)
    usual = FakeEngine(token_budget=FEWEST_TOKENS)
    answers(list(range(1, 700)), engine, most_tokens=most_tokens)
    answers(list(range(1, 700)), usual)
    assert sorted(engine.batches) == sorted(usual.batches)


def test_a_lone_text_runs_in_the_callers_thread_with_all_cores():
    engine = FakeEngine()
    answers([4], engine)
    assert (engine.alone, engine.threads) == ([True], {threading.current_thread().name})


def test_two_texts_are_shared_out_though_they_would_fit_one_batch():
    engine = FakeEngine(token_budget=12, workers=2)
    answers([4, 9], engine)
    assert engine.batches == [[5], [5]]


def test_many_texts_run_on_as_many_workers_as_the_engine_likes():
    engine = FakeEngine(workers=3, seconds=0.002)
    answers(list(range(1, 200)), engine)
    assert engine.most_at_once == 3
    assert not any(engine.alone)


def test_the_next_window_is_encoded_while_the_one_before_is_computed():
    engine, task, second, waits = FakeEngine(workers=1), FakeTask(), threading.Event(), []
    encode, run = task.encode, engine.run

    def encoding(items):
        if task.encoded_at_once:
            second.set()
        return encode(items)

    def running(sequences, *, alone=False):
        waits.append(second.wait(0 if waits else 60))  # the first batch takes until the second window is there
        return run(sequences, alone=alone)

    task.encode, engine.run = encoding, running
    list(stream(iter(range(1, FIRST_WINDOW + 5)), task, engine))
    assert all(waits)
    assert len(task.encoded_at_once) == 2


def test_only_a_little_is_read_ahead_of_the_answers_taken():
    read = count(1)
    found = stream((item % 997 + 1 for item in read), FakeTask(), FakeEngine())
    for _ in range(3000):
        next(found)
    ahead = next(read) - 3000
    assert ahead <= (WINDOWS_AT_ONCE + 1) * LARGEST_WINDOW
    found.close()


def test_answers_begin_before_a_generator_ends():
    read = count(1)
    found = stream(read, FakeTask(), FakeEngine())
    assert next(found).answer == "answer 1"
    assert next(read) <= FIRST_WINDOW * 3 + 1
    found.close()


@pytest.mark.parametrize(
    "items", [[1, -2, 3], [*range(1, 70), -70, 71], [*range(1, 1030), -5]], ids=["few", "some", "second window"]
)
@pytest.mark.parametrize("kind", [list, iter], ids=["list", "generator"])
def test_an_unreadable_input_raises_at_its_place_and_with_its_number(items, kind):
    before = next(place for place, item in enumerate(items) if item < 0)
    items = [item % 1000 or 1 if item > 0 else item for item in items]
    found = stream(kind(items), FakeTask(), FakeEngine())
    assert [next(found).answer for _ in range(before)] == [f"answer {item}" for item in items[:before]]
    with pytest.raises(InputError, match=rf"^Input {before}: -\d+ is negative"):
        next(found)


def test_a_lone_unreadable_input_needs_no_number():
    with pytest.raises(InputError, match=r"^-1 is negative"):
        list(stream([-1], FakeTask(), FakeEngine(), numbered=False))


def test_an_answer_that_cannot_be_made_raises_at_its_place():
    found = stream([1, 1000, 3], FakeTask(), FakeEngine())
    assert next(found).answer == "answer 1"
    with pytest.raises(InputError, match="Input 1: 1000 has no answer"):
        next(found)


def test_places_go_on_after_an_error():
    found = list(places([1, -2, 1000, 4], FakeTask(), FakeEngine()))
    assert [type(place).__name__ for place in found] == ["Answered", "InputError", "InputError", "Answered"]


def test_only_unreadable_inputs_need_no_engine():
    engine = FakeEngine()
    assert [str(place) for place in places([-1, -2], FakeTask(), engine)] == [
        "-1 is negative. Use its magnitude.",
        "-2 is negative. Use its magnitude.",
    ]
    assert not engine.batches


def test_a_broken_engine_is_heard_of_and_its_threads_end():
    engine = FakeEngine(fails_at=40, seconds=0.001)
    with pytest.raises(RuntimeError, match="the engine broke"):
        answers(list(range(1, 90)), engine)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("headway-batch")]


def test_a_consumer_that_stops_early_leaves_no_threads_and_no_work_behind():
    engine = FakeEngine(seconds=0.2)  # all of them would take four seconds
    found = stream(iter(range(1, 900)), FakeTask(), engine)
    next(found)
    found.close()
    done = len(engine.batches)
    assert done < 30  # of the more than 40 that two windows make
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("headway-batch")]
    time.sleep(0.02)
    assert len(engine.batches) == done


def test_all_inputs_of_a_window_are_encoded_at_once_where_all_can_be_read():
    task = FakeTask()
    list(stream(list(range(1, 501)), task, FakeEngine()))
    assert task.encoded_at_once == [64, 436]


@pytest.mark.parametrize(
    "items", [[[3]], [[], 4, [5, 6]], [[3, 4, 8], 7, [], [1, 2]], [[n, n + 1, n + 2] for n in range(14, 700)]]
)
def test_an_input_of_several_sequences_is_answered_from_all_of_them(items):
    rows = [item if isinstance(item, list) else [item] for item in items]
    found = list(stream(items, FakeTask(), FakeEngine()))
    assert [one.answer for one in found] == ["answer " + " ".join(map(str, row)) for row in rows]
    assert [one.tokens for one in found] == [sum(1 + item % 5 for item in row) for row in rows]
    assert [one.dropped for one in found] == [len(row) - 1 for row in rows]


def test_sequences_of_different_inputs_share_batches():
    engine = FakeEngine(token_budget=10, workers=1)
    assert answers([[1, 4], [6, 9]], engine) == ["answer 1 4", "answer 6 9"]
    assert engine.batches == [[5, 5], [2, 2]]


def test_an_error_in_one_of_several_sequences_is_that_inputs():
    found = list(places([[1, 13], 2, [3, 1000], [5, 6]], FakeTask(), FakeEngine()))
    assert [str(one) if isinstance(one, InputError) else one.answer for one in found] == [
        "13 cannot be kept.", "answer 2", "3 has no answer.", "answer 5 6",
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "ahead"), [(LARGE // 4, 1), (3, WINDOWS_AT_ONCE * LARGEST_WINDOW)], ids=["large", "small"])
def test_what_is_large_becomes_an_answer_only_when_its_turn_comes(count, ahead):
    """As a list, a large array would take eight times the memory, for all that waits for its turn."""

    class Vectors(FakeTask):
        decoded = 0

        def reduce(self, outputs, encoded, *, part):
            return np.zeros(count, np.float32)

        def decode(self, parts, encoded):
            self.decoded += 1
            return parts[0].tolist()

    task, most = Vectors(), 0
    for taken, _ in enumerate(stream(iter([4] * 900), task, FakeEngine(token_budget=50))):
        most = max(most, task.decoded - taken)
    assert most <= ahead
    assert ahead == 1 or most > 1


def test_memory_holds_the_inputs_of_two_windows_however_many_there_are():
    alive, most = weakref.WeakSet(), 0

    class Text(list):
        __hash__ = object.__hash__

    def texts():
        for _ in range(400):
            text = Text([4] * 100)  # 500 tokens
            alive.add(text)
            yield text

    for _ in stream(texts(), FakeTask(), FakeEngine(token_budget=500)):
        most = max(most, len(alive))
    assert most <= (WINDOWS_AT_ONCE + 1) * (WINDOW_TOKENS // 500 + 1)


def test_an_error_at_an_input_keeps_what_it_carries():
    class CarryingError(HeadwayError):
        def __init__(self, message, *, reason):
            super().__init__(message)
            self.reason = reason

    first = CarryingError("It is late.", reason="expired")
    said = at_input(first, 7)
    assert (str(said), said.reason, said.__cause__) == ("Input 7: It is late.", "expired", first)

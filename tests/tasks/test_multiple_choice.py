from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.core.batching import TokenSequence
from headway.errors import DataError, InputError, TaskError
from headway.tasks import Encoded, task
from headway.tasks.choice_scorer import right_place
from headway.tasks.choices import read_question
from headway.tasks.members import joined
from headway.tasks.multiple_choice import read_call

PROMPT, CHOICES = "we saw the film and", ["it was great fun", "two cats", "the plot was boring , very boring"]


@pytest.fixture(scope="module")
def ready(model_folder, _cache):
    return pipeline("multiple-choice", model_folder("multiple-choice"))


@pytest.mark.parametrize(
    ("item", "prompt", "endings", "choices"),
    [
        pytest.param({"prompt": "p", "choices": ["a", "b"]}, "p", ["a", "b"], ["a", "b"], id="plain"),
        pytest.param({"question": "q", "choices": ("a",)}, "q", ["a"], ["a"], id="a question alone is the prompt"),
        pytest.param({"context": "c", "question": "q", "choices": ["a"]}, "c", ["q a"], ["a"], id="context and question"),
        pytest.param(
            {"article": "x", "question": "He _ there .", "options": ["is", "was"], "answer": "B"},
            "x",
            ["He is there .", "He was there ."],
            ["is", "was"],
            id="RACE, with a blank",
        ),
        pytest.param(
            {"sent1": "s", "sent2": "then", "ending0": "a", "ending1": "b", "ending2": "c", "ending3": "d", "label": 2},
            "s",
            ["then a", "then b", "then c", "then d"],
            ["a", "b", "c", "d"],
            id="SWAG",
        ),
        pytest.param(
            {"ctx_a": "s", "ctx_b": "then", "endings": ["a", "b"], "ctx": "s then"},
            "s",
            ["then a", "then b"],
            ["a", "b"],
            id="HellaSwag",
        ),
        pytest.param(
            {"premise": "p", "choice1": "a", "choice2": "b", "question": ""},
            "p",
            ["a", "b"],
            ["a", "b"],
            id="COPA without its word",
        ),
        pytest.param({"goal": "g", "sol1": "a", "sol2": "b"}, "g", ["a", "b"], ["a", "b"], id="PIQA"),
        pytest.param(
            {"prompt": "p", "choice0": "a", "choice1": None, "choice2": "c", "choice3": ""},
            "p",
            ["a", "c"],
            ["a", "c"],
            id="fewer choices in a row",
        ),
    ],
)
def test_questions_of_the_usual_data_sets_are_read(item, prompt, endings, choices):
    found = read_question(item)
    assert (found.prompt, list(found.endings), list(found.choices), found.names) == (prompt, endings, choices, None)


@pytest.mark.parametrize("choices", [np.array(["a", "b"]), np.array(["a", "b"], object), deque(["a", "b"])], ids=repr)
def test_choices_may_be_an_array_as_in_rows_of_data_frames(choices):
    found = read_question({"prompt": "p", "choices": choices})
    named = read_question({"prompt": "p", "choices": {"text": choices, "label": np.array(["A", "B"])}})
    assert (found.choices, named.choices, named.names) == (("a", "b"), ("a", "b"), ("A", "B"))
    assert {type(text) for text in (*found.choices, *named.names)} == {str}


def test_named_choices_keep_their_names():
    found = read_question({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"})
    assert (found.prompt, found.choices, found.names) == ("q", ("a", "b"), ("A", "B"))
    assert read_question({"question": "q", "choices": {"text": ["a", "b"]}}).names is None


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("good", r'An input is a str, where a prompt and its choices belong: {"prompt": …, "choices": \[…\]}\. Give both, or'),
        (None, "An input is None, where a prompt"),
        ({"choices": ["a"]}, r'An input has no prompt \(There is no prompt column.*\) Write {"prompt": …, "choices": \[…\]}'),
        ({"prompt": "p"}, "An input has no choices, so there is nothing to choose from. Give at least one: choices="),
        ({"prompt": "p", "choices": []}, "An input has no choices"),
        ({"prompt": "p", "choices": "a, b"}, r"The choices are a str, but they are a list of texts\. Write choices=\["),
        ({"prompt": "p", "choices": {"a", "b"}}, "The choices are a set, but"),
        ({"prompt": "p", "choices": ["a", 3]}, "An input is int 3, where a text"),
        ({"prompt": 3, "choices": ["a"]}, "An input is int 3, where a text"),
    ],
    ids=str,
)
def test_what_is_no_question_is_refused(item, message):
    with pytest.raises(InputError, match=message):
        read_question(item)


def test_a_call_takes_a_prompt_and_its_choices():
    whole = {"prompt": "p", "choices": ["a"]}
    assert read_call(("p", ["a"]), {"top_k": 2}) == (whole, {"top_k": 2})
    assert read_call(("p",), {"choices": ["a"]}) == read_call((), whole) == read_call((whole,), {}) == (whole, {})
    assert read_call((), {"context": "c", "question": "q", "choices": ["a"]})[0].keys() == {"context", "question", "choices"}
    for arguments, named in [(("p", ["a"]), {"choices": ["b"]}), (("p", ["a"], 3), {"question": "q"})]:
        with pytest.raises(
            TaskError, match=r"A call takes a prompt and its choices, pipe\(prompt, choices\), but (choices|question) came"
        ):
            read_call(arguments, named)
    with pytest.raises(TaskError, match="A call takes one argument"):
        read_call((), {"top_k": 1})


def test_the_model_reads_the_prompt_with_question_and_choice(ready):
    prepared = task("multiple-choice").prepare(ready.facts, task("multiple-choice").choose({}))
    (encoded,) = prepared.encode([{"context": "the film", "question": "it was", "choices": ["fun", "not boring"]}])
    read = [ready.tokenizer.decode(list(sequence.ids)) for sequence in encoded.sequences]
    assert read == ["[CLS] the film [SEP] it was fun [SEP]", "[CLS] the film [SEP] it was not boring [SEP]"]
    assert encoded.tokens == sum(map(len, encoded.sequences)) == 17


def test_scores_are_shares_of_one_over_the_choices(ready):
    prepared = task("multiple-choice").prepare(ready.facts, task("multiple-choice").choose({"top_k": None}))
    (encoded,) = prepared.encode([{"prompt": PROMPT, "choices": CHOICES}])
    assert len(encoded.sequences) == 3
    parts = [prepared.reduce({"logits": np.float32([logit])}, encoded, part=part) for part, logit in enumerate(np.log([2, 5, 3]))]
    assert prepared.decode(parts, encoded) == [
        {"label": "two cats", "index": 1, "score": pytest.approx(0.5)},
        {"label": CHOICES[2], "index": 2, "score": pytest.approx(0.3)},
        {"label": CHOICES[0], "index": 0, "score": pytest.approx(0.2)},
    ]


@pytest.mark.parametrize(("join", "expected"), [("mean", [3, 2]), ("max", [4, 2]), ("first", [2, 2])])
def test_windows_of_a_choice_are_joined_before_choices_are_compared(ready, join, expected):
    prepared = task("multiple-choice").prepare(ready.facts, task("multiple-choice").choose({"top_k": None, "join": join}))
    two = Encoded((TokenSequence([1]), TokenSequence([2])))
    question = read_question({"prompt": "p", "choices": ["a", "b"]})
    (encoded,) = joined([two, Encoded((TokenSequence([3]),))], [2], [question])
    found = prepared.decode([np.float32([2]), np.float32([4]), np.float32([2])], encoded)
    shares = np.exp(expected) / np.exp(expected).sum()
    assert sorted(one["score"] for one in found) == pytest.approx(sorted(shares))


def test_equal_choices_keep_their_order(ready):
    found = ready("p", ["same", "same"], top_k=None)
    assert [one["index"] for one in found] == [0, 1]
    assert ready("p", ["alone"]) == {"label": "alone", "index": 0, "score": 1.0}


def test_all_ways_to_ask_have_the_same_answer(ready):
    best = ready(PROMPT, CHOICES)
    assert CHOICES[best["index"]] == best["label"]
    columns = {f"ending{place}": choice for place, choice in enumerate(CHOICES)}
    for asked in (
        ready(prompt=PROMPT, choices=CHOICES),
        ready({"prompt": PROMPT, "choices": CHOICES}),
        ready([{"prompt": PROMPT, "choices": CHOICES}])[0],
        next(ready(iter([{"sent1": PROMPT, **columns}]))),
    ):
        assert asked == best
    assert ready(PROMPT, CHOICES, top_k=1) == [best]
    assert ready(PROMPT, CHOICES, top_k=None)[0] == best
    assert ready({"question": PROMPT, "choices": {"text": CHOICES, "label": ["A", "B", "C"]}})["name"] == "ABC"[best["index"]]


def test_questions_may_have_different_numbers_of_choices(ready):
    items = [{"prompt": PROMPT, "choices": CHOICES[:count]} for count in (1, 3, 2)]
    together = ready(items, top_k=None)
    assert [len(found) for found in together] == [1, 3, 2]
    for item, found in zip(items, together, strict=True):
        alone = ready(item, top_k=None)
        assert [one["index"] for one in alone] == [one["index"] for one in found]
        assert [one["score"] for one in alone] == pytest.approx([one["score"] for one in found], abs=1e-5)


def test_rows_have_the_same_columns_whether_choices_have_names_or_not(ready):
    one = task("multiple-choice").prepare(ready.facts, task("multiple-choice").choose({}))
    every = task("multiple-choice").prepare(ready.facts, task("multiple-choice").choose({"top_k": None}))
    answer = [{"label": "a", "index": 0, "score": 0.75, "name": "A"}, {"label": "b", "index": 1, "score": 0.25, "name": "B"}]
    assert one.row(answer[:1]) == {"label": "a", "index": 0, "score": 0.75}
    assert [column.name for column in one.columns] == ["label", "index", "score"]
    assert every.row(answer) == {"choices": [{name: found[name] for name in ("label", "index", "score")} for found in answer]}
    assert [(column.name, column.depth) for column in every.columns] == [("choices", 1)]


def test_the_model_says_its_task(model_folder):
    assert pipeline(model=model_folder("multiple-choice")).task == "multiple-choice"


PLAIN = [{"label": text, "index": place, "score": score} for text, place, score in [("b", 1, 0.6), ("a", 0, 0.3), ("7", 2, 0.1)]]
NAMED = [one | {"name": "123"[one["index"]]} for one in PLAIN]


@pytest.mark.parametrize(
    ("answer", "label", "expected"),
    [
        pytest.param(PLAIN, 0, 0, id="number"),
        pytest.param(PLAIN, 2.0, 2, id="a whole number as a fraction"),
        pytest.param(PLAIN, "1", 1, id="number in words"),
        pytest.param(PLAIN, "B", 1, id="letter"),
        pytest.param(PLAIN, "a", 0, id="text before letter"),
        pytest.param(PLAIN, "7", 2, id="text before number"),
        pytest.param(NAMED, "1", 0, id="name before number"),
        pytest.param(NAMED, "3", 2, id="the last name"),
    ],
)
def test_the_right_choice_is_known_by_name_text_number_or_letter(answer, label, expected):
    assert right_place(answer, label) == expected


@pytest.mark.parametrize(("answer", "label"), [(PLAIN, 3), (PLAIN, "D"), (PLAIN, "c d"), (NAMED, "0"), (PLAIN, -1), (PLAIN, "²")])
def test_a_label_that_is_no_choice_is_said(answer, label):
    with pytest.raises(
        DataError, match=r"is none of the 3 choices: neither a number from 0 to 2, nor a letter, nor one of the texts"
    ):
        right_place(answer, label)


def test_choices_are_measured():
    scorer = task("multiple-choice").evaluation.prepare(None, None)
    table = scorer.gather([scorer.observe(PLAIN, {"label": label}) for label in (1, 1, 0, 1)])
    scores = scorer.scores(table)
    assert scores["accuracy"] == 0.75
    assert scores["calibration_error"] == pytest.approx(0.15)  # three of four were right, and 0.6 was said
    (details,) = scorer.details(table)
    assert details.rows == ((0, 1, 0, 0), (1, 3, 4, 3))
    assert scorer.wrongness(PLAIN, {"label": 1}) == 0
    assert scorer.wrongness(PLAIN, {"label": 2}) == pytest.approx(1.5)
    assert scorer.scores(scorer.gather([]))["accuracy"] == 0
    assert scorer.details(scorer.gather([]))[0].rows == ()


@pytest.mark.parametrize(("label", "expected"), [(None, True), ("", True), (-1, True), ("-1", True), (0, False), ("A", False)])
def test_test_sets_do_not_tell_their_choices(ready, label, expected):
    assert task("multiple-choice").evaluation.is_withheld({"label": label}, ready.facts) is expected


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "top_k": st.sampled_from([1, 2, 7, None]),
        "join": st.sampled_from(["mean", "max", "first"]),
        "overflow": st.sampled_from(["truncate", "window"]),
        "max_length": st.none() | st.integers(13, 60),
        "count_dropped": st.booleans(),
    },
)


@settings(max_examples=50)
@given(st.text(max_size=120), st.none() | st.text(max_size=20), st.lists(st.text(max_size=60), min_size=1, max_size=5), OPTIONS)
def test_any_texts_and_options_have_scores_in_range(ready, prompt, question, choices, options):
    found = ready({"prompt": prompt, "question": question, "choices": choices}, **{"top_k": None, **options})
    assert len(found) == min(len(choices), options.get("top_k", None) or len(choices))
    assert all(0 <= one["score"] <= 1 for one in found)
    assert all(choices[one["index"]] == one["label"] for one in found)
    assert sum(one["score"] for one in found) <= 1 + 1e-5

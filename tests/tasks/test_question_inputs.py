"""The ways to hand over questions with their contexts, and what is said of others."""

from types import SimpleNamespace

import numpy as np
import pytest

from headway.errors import InputError, TaskError
from headway.tasks.question_inputs import read_call, read_question, squad_rows

SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": "Dogs",
            "paragraphs": [
                {
                    "context": "A dog barks.",
                    "qas": [
                        {"id": "a", "question": "Who barks?", "answers": [{"text": "A dog", "answer_start": 0}] * 2},
                        {"id": "b", "question": "Who sings?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        },
        {"title": "Cats", "paragraphs": [{"context": "No cat.", "qas": [{"id": "c", "question": "What?"}]}]},
    ],
}
ASKED = [("Who barks?", "A dog barks."), ("Who sings?", "A dog barks."), ("What?", "No cat.")]


def item(question, context):
    return {"question": question, "context": context}


@pytest.mark.parametrize(
    ("arguments", "named", "expected"),
    [
        pytest.param((), item("q", "c"), item("q", "c"), id="by name"),
        pytest.param(("q", "c"), {}, item("q", "c"), id="by position"),
        pytest.param((), item(["q", "r"], "c"), [item("q", "c"), item("r", "c")], id="several questions to one context"),
        pytest.param((), item("q", ("c", "d")), [item("q", "c"), item("q", "d")], id="one question to several contexts"),
        pytest.param((), item(["q", "r"], ["c", "d"]), [item("q", "c"), item("r", "d")], id="several of both"),
        pytest.param((), item(["q"], iter(["c"])), [item("q", "c")], id="a list and a generator"),
        pytest.param((), item([], "c"), [], id="none"),
        pytest.param(
            (), item(np.array(["q", "r"], object), {"c": 0, "d": 0}.keys()), [item("q", "c"), item("r", "d")], id="columns"
        ),
        pytest.param((), item(SimpleNamespace(to_pylist=lambda: ["q"]), "c"), [item("q", "c")], id="a column of Arrow"),
        pytest.param((item("q", "c"),), {}, item("q", "c"), id="a mapping"),
        pytest.param(([item("q", "c")],), {}, [item("q", "c")], id="a list"),
        pytest.param((item("q", "c"), item("r", "d")), {}, [item("q", "c"), item("r", "d")], id="several arguments"),
        pytest.param((), {"data": [item("q", "c")]}, [item("q", "c")], id="data"),
        pytest.param((), {"X": item("q", "c")}, item("q", "c"), id="X"),
        pytest.param((), {"inputs": item("q", "c")}, item("q", "c"), id="inputs"),
    ],
)
def test_a_call_is_understood(arguments, named, expected):
    assert read_call(arguments, {**named, "top_k": 2}) == (expected, {"top_k": 2})


def test_generators_stay_generators():
    def texts():
        yield "q"
        yield "r"

    found, _ = read_call((), {"question": texts(), "context": "c"})
    assert not hasattr(found, "__len__")
    assert list(found) == [item("q", "c"), item("r", "c")]
    found, _ = read_call((), {"question": texts(), "context": texts()})
    assert list(found) == [item("q", "q"), item("r", "r")]


@pytest.mark.parametrize(
    ("arguments", "named", "given"),
    [
        pytest.param((), {}, "nothing", id="nothing"),
        pytest.param((), {"question": "q"}, "question=", id="half"),
        pytest.param(([],), {"question": "q", "context": "c"}, "question=, context=, 1 other", id="both ways"),
        pytest.param(("q",), {"context": "c"}, "context=, 1 other", id="half of each"),
    ],
)
def test_a_call_that_says_too_little_or_too_much_is_refused(arguments, named, given):
    with pytest.raises(TaskError, match=rf"A call takes question= and context=, .* but {given} was given\. Give both texts"):
        read_call(arguments, named)


def test_lists_of_unequal_lengths_are_refused():
    with pytest.raises(InputError, match=r"There are 3 questions for 2 contexts, .* Make the lists equally long"):
        read_call((), {"question": ["a", "b", "c"], "context": ["d", "e"]})
    for questions, contexts in ((iter("ab"), iter("c")), (iter("a"), iter("bc"))):
        found, _ = read_call((), {"question": questions, "context": contexts})
        with pytest.raises(InputError, match=r"Questions and contexts do not end together"):
            list(found)


@pytest.mark.parametrize(
    "inputs", [SQUAD, SQUAD["data"], {"paragraphs": [*SQUAD["data"][0]["paragraphs"], *SQUAD["data"][1]["paragraphs"]]}]
)
def test_squads_own_files_are_questions(inputs):
    found, _ = read_call((inputs,), {})
    assert [read_question(row) for row in found] == ASKED


def test_a_paragraph_of_squad_is_its_questions():
    paragraph = {"qas": SQUAD["data"][0]["paragraphs"][0]["qas"], "context": "A dog barks."}
    assert [row["question"] for row in squad_rows(paragraph)] == ["Who barks?", "Who sings?"]


def test_the_rows_of_squad_are_those_of_the_data_set_of_that_name():
    assert squad_rows(SQUAD) == [
        {
            "id": "a",
            "title": "Dogs",
            "context": "A dog barks.",
            "question": "Who barks?",
            "answers": {"text": ["A dog", "A dog"], "answer_start": [0, 0]},
        },
        {"id": "b", "title": "Dogs", **item("Who sings?", "A dog barks."), "answers": {"text": [], "answer_start": []}},
        {"id": "c", "title": "Cats", **item("What?", "No cat."), "answers": {"text": [], "answer_start": []}},
    ]


@pytest.mark.parametrize(
    "document", [{"data": [{"paragraphs": [{"qas": [{"question": "q"}]}]}]}, {"data": 3}, {"data": ["x"]}, {}]
)
def test_what_only_looks_like_squad_is_refused(document):
    with pytest.raises(
        InputError, match=r"This is no SQuAD file: \w+Error .* while its articles were read\. They are \{\"data\""
    ):
        squad_rows(document)


def test_other_keys_and_examples_of_transformers_are_read():
    assert read_question({"id": 7, "answers": {}, **item("q", "c")}) == ("q", "c")
    assert read_question(SimpleNamespace(question_text="q", context_text="c", qas_id=None)) == ("q", "c")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(
            "q", r"An input is str 'q', where a question with its context \(.*\) belongs\. Give its other half too", id="str"
        ),
        pytest.param(
            ("q", "c"), r"An input is tuple .* belongs\. Give one flat list of questions with their contexts", id="tuple"
        ),
        pytest.param(None, r"An input is None, where a question with its context .* belongs\. Leave it out", id="None"),
        pytest.param(b"q", r"An input is bytes b'q', .* Decode it first", id="bytes"),
        pytest.param(SimpleNamespace, r"An input is type <class 'types.SimpleNamespace'>, where a question", id="class"),
        pytest.param({"question": "q"}, r"An input has the keys 'question', but .* Rename or add them", id="half"),
        pytest.param({}, r"An input has the keys none, but a question with its context has", id="no keys"),
        pytest.param(item(None, "c"), r"An input is None, where the question as a text \(a string\) belongs", id="no question"),
        pytest.param(item("q", 3), r"An input is int 3, where the context as a text \(a string\) belongs", id="number"),
        pytest.param(item("", "c"), r"A question is empty, but a question is answered with words", id="empty question"),
        pytest.param(item("q", ""), r"A context is empty, but a question is answered with words", id="empty context"),
    ],
)
def test_what_is_no_question_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        read_question(wrong)

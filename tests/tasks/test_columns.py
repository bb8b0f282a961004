import pytest

from headway.errors import DataError
from headway.tasks.columns import PAIRS, SINGLE_TEXTS, TEXTS, TableForm, label_table


def columns_of(names, **named):
    """The columns of a text or pair with its label, by role, as they are found in a table."""
    label = label_table().find(names, {role: named.pop(role) for role in list(named) if role == "label"})
    return label | TEXTS.find(names, named, taken=label.values())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["sentence", "label", "idx"], ("sentence", None, "label"), id="sst2"),
        pytest.param(["premise", "hypothesis", "label"], ("premise", "hypothesis", "label"), id="mnli"),
        pytest.param(["question", "sentence", "label"], ("question", "sentence", "label"), id="qnli is a pair"),
        pytest.param(["question", "answer", "label"], ("question", None, "label"), id="a question alone"),
        pytest.param(["text", "intent"], ("text", None, "intent"), id="another label name"),
        pytest.param(["text", "sentiment", "label"], ("text", None, "label"), id="label is the first choice"),
    ],
)
def test_usual_names_are_known(names, expected):
    found = columns_of(names)
    assert tuple(map(found.get, ("text", "text_pair", "label"))) == expected


def test_named_columns_win_over_usual_names():
    assert columns_of(["text", "label", "body", "kind"], text="body", label="kind") == {"text": "body", "label": "kind"}


def test_a_text_named_alone_is_taken_alone():
    assert TEXTS.find(["premise", "hypothesis"], {"text": "hypothesis"}) == {"text": "hypothesis"}


def test_a_pair_named_alone_finds_another_text():
    assert TEXTS.find(["text", "answer"], {"text_pair": "answer"}) == {"text": "text", "text_pair": "answer"}


def test_the_label_column_is_never_the_text():
    with pytest.raises(DataError, match="There is no text column"):
        columns_of(["text"], label="text")


@pytest.mark.parametrize(
    ("names", "named", "message"),
    [
        pytest.param(["body", "label"], {}, r"no text column: none of text, .* is among the columns body, label", id="text"),
        pytest.param(["text;label"], {}, r"no label column.* seems to have ';' between its cells: save it with", id="mark"),
        pytest.param(["text", "stars"], {}, r"no label column: none of label, .* is among the columns text, stars", id="label"),
        pytest.param(["text", "label"], {"text": "body"}, r"no column 'body'; the columns are text, label", id="named text"),
        pytest.param(["text", "label"], {"label": "stars"}, r"no column 'stars'; the columns are text, label", id="named label"),
        pytest.param(["text", "label"], {"text_pair": "b"}, r"no column 'b'; the columns are text", id="named pair"),
        pytest.param([], {}, r"among the columns \(none\)", id="no columns"),
    ],
)
def test_a_missing_column_is_named_beside_those_that_are_there(names, named, message):
    with pytest.raises(DataError, match=message):
        columns_of(names, **named)


QUESTIONS = TableForm(
    roles={"question": ("question", "query"), "context": ("context", "passage"), "id": ("id",)}, optional={"id"}
)


def test_a_task_can_read_roles_of_its_own():
    assert QUESTIONS.find(["passage", "query", "note"]) == {"question": "query", "context": "passage"}
    assert QUESTIONS.find(["id", "context", "q"], {"question": "q"}) == {"question": "q", "context": "context"}
    assert QUESTIONS.find(["context", "question", "id"]) == {"question": "question", "context": "context", "id": "id"}
    with pytest.raises(DataError, match=r"no context column: none of context, passage is among the columns question"):
        QUESTIONS.find(["question"])


def test_a_role_that_a_task_does_not_read_lists_those_that_it_does():
    with pytest.raises(DataError, match=r"'label' is nothing that this task reads; it reads text. Name one of these"):
        SINGLE_TEXTS.find(["text", "label"], {"label": "label"})


def test_half_of_a_usual_pair_is_said_to_lack_the_other_half():
    form = TableForm(roles={"text": ("source",), "text_pair": ("target",)}, together=PAIRS)
    said = (
        r"^There is a column 'sentence2' but no 'sentence1', and this task reads both\. .*--column text=COLUMN text_pair=COLUMN"
    )
    with pytest.raises(DataError, match=said):
        form.find(["id", "sentence2"])
    with pytest.raises(DataError, match=r"^There is no text column: none of source, text, .* is among the columns id"):
        form.find(["id"])


def test_cells_become_a_text_or_a_pair():
    assert TEXTS.item({"text": "a"}) == "a"
    assert TEXTS.item({"text": "a", "text_pair": "b"}) == {"text": "a", "text_pair": "b"}
    assert QUESTIONS.item({"question": "a", "context": "b"}) == {"question": "a", "context": "b"}


def test_a_column_has_one_role():
    form = TableForm(roles={"prompt": ("context", "question"), "question": ("question",)}, optional={"question"})
    assert form.find(["question", "choices"]) == {"prompt": "question"}
    assert form.find(["question", "context"]) == {"prompt": "context", "question": "question"}

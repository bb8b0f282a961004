"""Whatever is thrown at a pipeline is answered rightly or refused clearly, by every task and engine."""

import json

import pytest

from contracts.task_examples import examples
from headway import pipeline
from headway.errors import CheckpointError, InputError, TaskError, TokenizerError, WeightError
from headway.tasks import task as find_task
from headway.tasks import task_names

TASKS = {
    name: found.head for name in task_names() if {*(found := find_task(name)).table.roles} - found.table.optional == {"text"}
}
"""Those that can be asked with a text alone, by name, with their heads."""

ENGINES = ["onnx", pytest.param("torch", marks=pytest.mark.train)]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module", params=TASKS)
def ready(request, model_folder, engine):
    tries = examples(find_task(request.param))
    return pipeline(request.param, model_folder(TASKS[request.param], **tries.settings), engine=engine, **tries.options)


def text_for(ready, text):
    """The text with what the task needs in it."""
    return f"{ready.tokenizer.mask_token} {text}" if ready.task == "fill-mask" else text


@pytest.mark.parametrize("engine", ["onnx"], indirect=True)  # what the engine gets is the same for both
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \t\r\n\u2028 ", id="white space"),
        pytest.param("good " * 100_000, id="100,000 words"),
        pytest.param("x" * 100_000, id="one word of 100,000 letters"),
        pytest.param("lone \ud800 and \udfff surrogates", id="lone surrogates"),
        pytest.param("\x00\x01 control \x7f\ufffd\ufeff", id="control characters"),
        pytest.param("漢字 \N{PILE OF POO} Привет עברית e\u0301", id="many scripts"),
        pytest.param("[CLS] [SEP] [PAD] [UNK]", id="special tokens as text"),
    ],
)
def test_any_string_has_an_answer_that_json_can_hold(ready, text):
    text = text_for(ready, text)
    answers = ready([text_for(ready, "good"), text])
    assert len(answers) == 2
    assert json.loads(json.dumps(answers)) == answers


def test_no_texts_have_no_answers(ready):
    for nothing in ([], (), {}.keys()):
        assert ready(nothing) == []
    assert list(ready(iter([]))) == []


@pytest.mark.parametrize(
    ("item", "said"),
    [
        pytest.param(None, r"An input is None, where a text .* belongs\. Leave it out, or use an empty string", id="None"),
        pytest.param(b"good", r"An input is bytes b'good', where .* Decode it first: text\.decode\(\"utf-8\"\)", id="bytes"),
        pytest.param(5, r"An input is int 5, where .* Convert it with str\(…\)", id="int"),
        pytest.param(float("nan"), r"An input is float nan, where ", id="nan"),
        pytest.param(True, r"An input is bool True, where ", id="bool"),
        pytest.param(object, r"An input is type <class 'object'>", id="a class"),
    ],
)
def test_what_is_no_text_is_refused_alone_and_in_a_list(ready, item, said):
    with pytest.raises(InputError, match=rf"^{said}"):
        ready(item)
    with pytest.raises(InputError, match=rf"^Input 1: {said}"):
        ready([text_for(ready, "good"), item])


@pytest.mark.parametrize("items", [[["a"], ["b"]], [("a", "b")], [[["a", "b", "c"]]], [[]]], ids=str)
def test_lists_in_lists_are_refused_with_the_way_to_write_pairs(ready, items):
    with pytest.raises(
        InputError, match=r"^Input 0: An input is (list|tuple) .* Give the texts as one flat list; a pair of texts is"
    ):
        ready(items)


@pytest.mark.parametrize("item", [{"sentence": "good"}, {"text_pair": "good"}, {}, {"text": "good", "label": 1}], ids=str)
def test_a_mapping_that_is_no_pair_is_refused(ready, item):
    with pytest.raises(InputError, match=r"An input has the keys|An input is dict"):
        ready(item)


def test_a_text_under_its_name_is_that_text(ready):
    text = text_for(ready, "good")
    assert ready([{"text": text}, text_for(ready, "bad")]) == ready([text, text_for(ready, "bad")])


def test_half_of_a_pair_that_is_no_text_is_refused(model_folder):
    ready = pipeline("text-classification", model_folder("sequence-classification"))
    with pytest.raises(InputError, match=r"^An input is int 3, where a text \(a string\) belongs"):
        ready({"text": "good", "text_pair": 3})


def test_a_wrong_task_name_lists_the_right_ones():
    with pytest.raises(TaskError, match=r"There is no task 'sentiment_analysis' among .*: .*fill-mask.*sentiment-analysis"):
        pipeline("sentiment_analysis")


def test_a_wrong_option_lists_the_right_ones_at_the_call_too(ready):
    with pytest.raises(TaskError, match=r"has no option 'colour'\. Its options are max_length, overflow"):
        ready(text_for(ready, "good"), colour="red")


def test_a_folder_without_config_is_no_model(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        pipeline("sentiment-analysis", tmp_path)


def test_a_folder_without_tokenizer_says_so(model_folder, engine):
    folder = model_folder("sequence-classification")
    for path in folder.glob("*token*"):
        path.unlink()
    (folder / "vocab.txt").unlink()
    with pytest.raises(TokenizerError, match="tokenizer"):
        pipeline("sentiment-analysis", folder, engine=engine)


@pytest.mark.parametrize(
    ("task", "saved"), [("text-classification", "base"), ("text-classification", "masked-lm"), ("fill-mask", "base")]
)
def test_a_model_without_the_tasks_head_is_refused_not_guessed(model_folder, engine, task, saved):
    with pytest.raises(WeightError, match=r"classifier\.weight|cls\.predictions"):
        pipeline(task, model_folder(saved), engine=engine)


def test_a_long_text_is_cut_to_its_beginning_and_nothing_else_changes(ready):
    """The rule: as many tokens from the beginning as the model reads; 41 positions here, two of them special tokens."""
    beginning = text_for(ready, "good bad " * 30)
    longer, found = ready(beginning + "awful " * 1000), ready(beginning)
    if ready.task == "zero-shot-classification":  # the answer holds the text
        assert longer.pop("sequence").startswith(found.pop("sequence"))
    assert longer == found
    with pytest.raises(InputError, match=r"A text has \d+ tokens, but the model reads at most 41"):
        ready(beginning, overflow="error")

import json

import numpy as np
import pytest

from headway import evaluate, pipeline
from headway.core.batching import TokenSequence
from headway.errors import ConfigError, DataError, InputError, TaskError
from headway.families import family
from headway.tasks import Call, Encoded, ModelFacts, task
from headway.tasks.zero_shot_classification import Memory, read_call
from headway.text.state import State

TASK = task("zero-shot-classification")
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
TEMPLATE = "a {} film"
LABELS = ["good", "bad", "boring"]


def prepared(tokenizer, *, positions=17, labels=LABELS, id2label=NLI, **options):
    config = family("bert").config(max_position_embeddings=positions, vocab_size=101, id2label=id2label)
    options = {"candidate_labels": labels, "hypothesis_template": TEMPLATE} | options
    return TASK.prepare(ModelFacts(tokenizer=tokenizer, config=config), TASK.choose(options))


def words(tokenizer, encoded):
    return [tokenizer.decode(list(sequence.ids)) for sequence in encoded.sequences]


def answer(tokenizer, logits, *, places=(0, 1, 2), **options):
    """The answer to "dog" where the model gives these logits, a row for each pair of a window and a hypothesis."""
    ready = prepared(tokenizer, **options)
    encoded = Encoded((TokenSequence([2, 3]),) * len(logits), Memory("dog", places))
    parts = [ready.reduce({"logits": np.array(row)}, encoded, part=part) for part, row in enumerate(logits)]
    return ready.decode(parts, encoded)


def test_each_label_makes_a_pair_with_the_text(tiny_tokenizer):
    (found,) = prepared(tiny_tokenizer).encode(["the dog"])
    assert words(tiny_tokenizer, found) == [f"[CLS] the dog [SEP] a {label} film [SEP]" for label in LABELS]
    assert [list(sequence.type_ids) for sequence in found.sequences] == [[0, 0, 0, 0, 1, 1, 1, 1]] * 3


def test_labels_that_are_the_same_to_the_model_are_computed_once(tiny_tokenizer):
    (found,) = prepared(tiny_tokenizer, labels=["Good", "bad", "GOOD", "good"]).encode(["dog"])
    assert len(found.sequences) == 2
    assert found.memory.places == [0, 1, 0, 0]


def test_texts_and_hypotheses_are_tokenised_once(tiny_tokenizer, monkeypatch):
    read, encode = [], State.encode
    monkeypatch.setattr(State, "encode", lambda state, inputs, **options: read.extend(inputs) or encode(state, inputs, **options))
    prepared(tiny_tokenizer).encode(["the dog", "a cat", "the dog"])
    assert sorted(read) == ["a bad film", "a boring film", "a cat", "a good film", "the dog"]


def test_scores_are_shares_of_the_entailment(tiny_tokenizer):
    logits = np.log([[7, 1, 2], [3, 9, 5], [1, 1, 3]])  # entailment 2, 5, 3 of 10
    found = answer(tiny_tokenizer, logits)
    assert found == {"sequence": "dog", "labels": ["bad", "boring", "good"], "scores": pytest.approx([0.5, 0.3, 0.2])}


def test_with_several_labels_each_is_weighed_against_its_contradiction(tiny_tokenizer):
    logits = np.log([[3, 100, 1], [1, 100, 1], [1, 100, 9]])
    for options in ({"multi_label": True}, {"multi_class": True}):
        found = answer(tiny_tokenizer, logits, **options)
        assert found["labels"] == ["boring", "bad", "good"]
        assert found["scores"] == pytest.approx([0.9, 0.5, 0.25])


def test_a_single_label_is_weighed_against_its_contradiction(tiny_tokenizer):
    found = answer(tiny_tokenizer, np.log([[1, 5, 3]]), places=(0,), labels="good")
    assert found == {"sequence": "dog", "labels": ["good"], "scores": pytest.approx([0.75])}


def test_equal_scores_keep_the_order_of_the_labels(tiny_tokenizer):
    assert answer(tiny_tokenizer, np.log([[1, 1, 2], [9, 9, 1]]), places=(1, 0, 0))["labels"] == ["bad", "boring", "good"]


def test_logits_of_any_size_have_scores(tiny_tokenizer):
    logits = [[1e4, 0, -1e4], [-1e4, 0, 1e4], [0, 0, 1e4]]
    assert answer(tiny_tokenizer, logits)["scores"] == pytest.approx([0.5, 0.5, 0])
    assert answer(tiny_tokenizer, logits, multi_label=True)["scores"] == pytest.approx([1, 1, 0])


def test_top_k_labels_come_alone(tiny_tokenizer):
    logits = np.log([[7, 1, 2], [3, 9, 5], [1, 1, 3]])
    assert answer(tiny_tokenizer, logits, top_k=2)["labels"] == ["bad", "boring"]
    assert answer(tiny_tokenizer, logits, top_k=99)["scores"] == pytest.approx([0.5, 0.3, 0.2])


def test_only_the_text_is_cut_for_each_label_as_far_as_that_needs(tiny_tokenizer):
    (found,) = prepared(tiny_tokenizer, labels=["good", "not very good"]).encode(["the dog " * 50])  # 14 beside special tokens
    first, second = words(tiny_tokenizer, found)
    assert first == "[CLS] " + "the dog " * 5 + "the [SEP] a good film [SEP]"
    assert second == "[CLS] " + "the dog " * 4 + "the [SEP] a not very good film [SEP]"


def test_the_text_is_cut_even_where_the_sentence_is_the_longer(tiny_tokenizer):
    (found,) = prepared(tiny_tokenizer, labels=["very " * 9]).encode(["a dog and a cat"])  # 14 beside special tokens
    assert words(tiny_tokenizer, found) == ["[CLS] a dog and [SEP] a " + "very " * 9 + "film [SEP]"]


def test_a_long_text_is_read_in_the_same_windows_for_all_labels(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, labels=["good", "not very good"], overflow="window", stride=2)
    (found,) = ready.encode(["a b c d e f g h i j k l m n o p"])  # 16; 9 beside the longer sentence
    assert words(tiny_tokenizer, found) == [
        f"[CLS] {window} [SEP] a {label} film [SEP]"
        for window in ("a b c d e f g h i", "h i j k l m n o p")
        for label in ("good", "not very good")
    ]


def test_windows_share_a_quarter_of_what_they_hold_by_default(tiny_tokenizer):
    (found,) = prepared(tiny_tokenizer, labels=["good"], overflow="window").encode(["a " * 29])  # 11 a window, 2 shared
    assert [len(sequence) for sequence in found.sequences] == [17, 17, 17]


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        pytest.param("mean", [("good", 0.4), ("bad", 0.35), ("boring", 0.25)], id="mean"),
        pytest.param("max", [("good", 0.6), ("bad", 0.5), ("boring", 0.3)], id="max"),
        pytest.param("first", [("bad", 0.5), ("boring", 0.3), ("good", 0.2)], id="first"),
    ],
)
def test_windows_are_joined_as_asked(tiny_tokenizer, join, expected):
    logits = np.log([[1, 1, 2], [1, 1, 5], [1, 1, 3], [1, 1, 6], [1, 1, 2], [1, 1, 2]])
    found = answer(tiny_tokenizer, logits, overflow="window", join=join)
    assert list(zip(found["labels"], found["scores"], strict=True)) == [
        (label, pytest.approx(score)) for label, score in expected
    ]


def test_a_text_that_is_too_long_is_refused_where_that_is_asked_for(tiny_tokenizer):
    with pytest.raises(InputError, match='A text has 106 tokens, but the model reads at most 17, and overflow="error"'):
        prepared(tiny_tokenizer, overflow="error").encode(["dog", "the dog " * 50])
    (found,) = prepared(tiny_tokenizer, overflow="error").encode(["the dog"])
    assert len(found.sequences) == 3


@pytest.mark.parametrize("overflow", ["truncate", "window"])
def test_a_label_that_leaves_no_room_for_the_text_is_refused_by_name(tiny_tokenizer, overflow):
    ready = prepared(tiny_tokenizer, labels=["good", "very " * 12], overflow=overflow)
    with pytest.raises(
        InputError,
        match=r"^The candidate label 'very very .*' makes 14 tokens, so nothing of the text would be read: the model reads 14 of "
        r"both together, .* Use a shorter label or hypothesis_template, or a larger max_length\.$",
    ):
        ready.encode(["dog"])
    assert len(ready.encode([""])[0].sequences[1]) == 17  # nothing is lost of an empty text
    with pytest.raises(InputError, match=r"^The candidate label '(very ){12}…' makes 15 tokens"):
        prepared(tiny_tokenizer, labels=["good", "very " * 13], overflow=overflow).encode([""])


def test_tokens_left_out_are_those_that_no_label_is_read_with(tiny_tokenizer):
    texts = ["the dog " * 10, "dog"]  # of 20 tokens 11 and 9 are read
    ready = prepared(tiny_tokenizer, labels=["good", "not very good"], count_dropped=True)
    assert [found.dropped for found in ready.encode(texts)] == [9, 0]
    windows = prepared(tiny_tokenizer, labels=["good"], count_dropped=True, overflow="window")
    assert [found.dropped for found in windows.encode(texts)] == [0, 0]
    assert [found.dropped for found in prepared(tiny_tokenizer).encode(texts)] == [0, 0]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param("good, bad,, not very good ,", ["good", "bad", "not very good"], id="text with commas"),
        pytest.param([" good ", "a, b"], [" good ", "a, b"], id="a list stays as it is"),
        pytest.param(("good",), ["good"], id="tuple"),
        pytest.param({"good": 1, "bad": 2}.keys(), ["good", "bad"], id="keys"),
        pytest.param(np.array(["good", "bad"]), ["good", "bad"], id="array"),
    ],
)
def test_labels_come_as_a_list_or_as_text(tiny_tokenizer, labels, expected):
    assert list(prepared(tiny_tokenizer, labels=labels).labels) == expected
    assert json.loads(json.dumps(TASK.choose({"candidate_labels": labels}).to_dict()))["candidate_labels"] in (
        [*expected],
        "good, bad,, not very good ,",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"candidate_labels": []}, r"There are no candidate labels, .* Name them: candidate_labels=\[", id="no labels"
        ),
        pytest.param({"candidate_labels": " , "}, r"There are no candidate labels", id="nothing but commas"),
        pytest.param({"candidate_labels": 5}, r"candidate_labels is 5, where a list of labels belongs\. Write \[", id="number"),
        pytest.param({"candidate_labels": b"good"}, r"candidate_labels is b'good', where a list", id="bytes"),
        pytest.param({"candidate_labels": {"good": 1}}, r"candidate_labels is \{'good': 1\}, where a list", id="mapping"),
        pytest.param({"candidate_labels": iter("ab")}, r"candidate_labels is <str_.*>, where a list", id="iterator"),
        pytest.param(
            {"candidate_labels": ["good", 3]}, r"The candidate label 3 is a int, but labels are words", id="a number in it"
        ),
        pytest.param({"candidate_labels": ["good", None]}, r"The candidate label None is a NoneType", id="None in it"),
        pytest.param(
            {"hypothesis_template": "This is so."}, r"which has no place for the label, .* Put \{\} where", id="no place"
        ),
        pytest.param({"hypothesis_template": ""}, r"hypothesis_template is '', which has no place", id="empty"),
        pytest.param({"hypothesis_template": "{{}}"}, r"hypothesis_template is '\{\{\}\}', which has no place", id="braces only"),
        pytest.param(
            {"hypothesis_template": "{} or {}"}, r"one thing to fill in, the label\. Write \{\} for it once", id="two places"
        ),
        pytest.param({"hypothesis_template": "{label}"}, r"one thing to fill in", id="a name"),
        pytest.param({"hypothesis_template": "{0.upper}"}, r"one thing to fill in", id="an attribute"),
        pytest.param({"hypothesis_template": "{:>9999}"}, r"one thing to fill in", id="a format"),
        pytest.param({"hypothesis_template": "{!r}"}, r"one thing to fill in", id="a conversion"),
        pytest.param({"hypothesis_template": "{} and {0}"}, r"one thing to fill in", id="mixed"),
        pytest.param(
            {"hypothesis_template": "this {"}, r"which cannot be filled in \(.*\)\. Write \{\} for the label, and", id="open"
        ),
        pytest.param({"hypothesis_template": None}, r"hypothesis_template is None, where a text belongs, such as", id="None"),
        pytest.param({"multi_label": "false"}, r"multi_label is 'false', but it is on or off\. Use True or False", id="a word"),
        pytest.param({"top_k": 0}, r"top_k is 0, but it counts answers", id="top_k"),
        pytest.param({"join": "sum"}, r"join is 'sum', which is no choice of this task's; known are mean, max, first", id="join"),
    ],
)
def test_a_wrong_option_says_what_is_wrong(options, message):
    with pytest.raises(TaskError, match=message):
        TASK.choose(options)


def test_a_label_may_stand_in_a_sentence_twice_and_hold_braces(tiny_tokenizer):
    (found,) = prepared(tiny_tokenizer, labels=["{}"], hypothesis_template="{0} , {{{0}}}").encode(["dog"])
    assert words(tiny_tokenizer, found) == ["[CLS] dog [SEP] [UNK] [UNK], [UNK] [UNK] [UNK] [UNK] [SEP]"]


def test_without_labels_there_is_nothing_to_choose_from(tiny_tokenizer):
    with pytest.raises(TaskError, match=r"There are no candidate labels, so there is nothing to choose from\. Name them: "):
        prepared(tiny_tokenizer, labels=None).encode(["dog"])
    with pytest.raises(TaskError, match=r"There are no candidate labels"):
        prepared(tiny_tokenizer, labels=None).columns  # noqa: B018


@pytest.mark.parametrize("stride", [-1, 2.5, True])
def test_a_stride_that_counts_no_tokens_is_refused(tiny_tokenizer, stride):
    with pytest.raises(ConfigError, match=r"stride is .*, but it counts the tokens that windows share"):
        prepared(tiny_tokenizer, overflow="window", stride=stride).encode(["dog"])


def test_a_stride_that_is_a_whole_window_is_refused(tiny_tokenizer):
    with pytest.raises(InputError, match=r"stride \(11\) has to be less than the 11 tokens"):
        prepared(tiny_tokenizer, overflow="window", stride=11).encode(["dog " * 20])


@pytest.mark.parametrize(
    ("arguments", "named", "expected"),
    [
        pytest.param(("a", "x, y"), {}, ("a", {"candidate_labels": "x, y"}), id="both by position"),
        pytest.param((["a", "b"],), {"candidate_labels": ["x"]}, (["a", "b"], {"candidate_labels": ["x"]}), id="labels by name"),
        pytest.param((), {"sequences": "a", "top_k": 2}, ("a", {"top_k": 2}), id="all by name"),
        pytest.param((), {"inputs": "a"}, ("a", {}), id="inputs"),
    ],
)
def test_calls_are_those_of_transformers(arguments, named, expected):
    assert read_call(arguments, named) == expected


def test_multi_label_has_an_old_name_which_wins_in_the_same_call_but_not_from_an_earlier_one():
    def chosen(pipeline, call):
        return TASK.choose({**pipeline, **read_call(("dog",), call)[1]}).multi_label

    assert chosen({"multi_class": True}, {}) is True
    assert chosen({"multi_class": True}, {"multi_label": False}) is False
    assert chosen({"multi_label": True}, {"multi_class": False}) is False
    assert chosen({}, {"multi_class": True, "multi_label": False}) is True  # as in transformers
    assert chosen({"multi_label": True}, {"multi_class": None}) is True


@pytest.mark.parametrize(("arguments", "named"), [((), {}), (("a", "b", "c"), {}), (("a", "b"), {"candidate_labels": "c"})])
def test_a_call_with_too_much_or_too_little_is_refused(arguments, named):
    with pytest.raises(TaskError, match=r"A call takes one argument, a text or an iterable of texts, but \d were given"):
        read_call(arguments, named)


def test_answers_come_alone_or_in_a_list(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    assert ready.present([{"labels": []}], Call("text")) == {"labels": []}
    assert ready.present([{"labels": []}], Call("list")) == [{"labels": []}]


def test_answers_become_rows(tiny_tokenizer):
    found = {"sequence": "dog", "labels": ["good", "bad"], "scores": [0.75, 0.25]}
    records = [{"label": "good", "score": 0.75}, {"label": "bad", "score": 0.25}]
    ready, best = prepared(tiny_tokenizer), prepared(tiny_tokenizer, top_k=1)
    assert ready.row(found) == {"labels": records}
    assert [(column.name, column.depth) for column in ready.columns] == [("labels", 1)]
    assert best.row({"sequence": "dog", "labels": ["good"], "scores": [0.75]}) == records[0]
    assert [column.name for column in best.columns] == ["label", "score"]


def scorer(**options):
    return TASK.evaluation.prepare(None, TASK.choose({"candidate_labels": LABELS, **options}))


def test_answers_are_measured_against_the_candidate_labels():
    answer = {"sequence": "dog", "labels": ["bad", "good", "boring"], "scores": [0.5, 0.3, 0.2]}
    for label in ("bad", "BAD", 1):
        assert scorer().observe(answer, {"label": label}) == (1, 1, 0.5)
    assert scorer().observe(answer, {"label": "boring"}) == (2, 1, 0.5)
    assert list(scorer(multi_label=True).observe(answer, {"label": ["good", "boring"]})) == [1, 0, 1]
    with pytest.raises(DataError, match=r"The label 'sad' is none of the model's: good, bad, boring"):
        scorer().observe(answer, {"label": "sad"})
    with pytest.raises(TaskError, match="There are no candidate labels"):
        scorer(candidate_labels=None)


@pytest.mark.parametrize(("label", "expected"), [(None, True), ("", True), (-1, True), ("-1", True), (0, False), ([], False)])
def test_rows_without_a_label_are_left_out(label, expected):
    assert TASK.evaluation.is_withheld({"label": label}, None) is expected


def test_the_pairs_of_all_texts_share_batches(model_folder, monkeypatch):
    pipe = pipeline("zero-shot-classification", model_folder("sequence-classification", num_labels=3, id2label=NLI), threads=2)
    batches, run = [], pipe.engine.run
    monkeypatch.setattr(pipe.engine, "run", lambda sequences, **options: batches.append(sequences) or run(sequences, **options))
    pipe(["a dog", "the cat", "film", "good"] * 5, LABELS)
    assert sum(map(len, batches)) == 60
    assert len(batches) < 20


def test_rows_are_measured_from_end_to_end(model_folder):
    pipe = pipeline("zero-shot-classification", model_folder("sequence-classification", num_labels=3, id2label=NLI))
    rows = [
        {"text": text, "label": label} for text, label in (("a dog", 0), ("the film", "bad"), ("boring !", "Boring"), ("x", -1))
    ]
    report = evaluate(pipe, rows, candidate_labels=LABELS, resamples=0)
    best = [answer["labels"][0] for answer in pipe([row["text"] for row in rows[:3]], LABELS)]
    assert report.scores["accuracy"] == np.mean([label == found for label, found in zip(LABELS, best, strict=True)])
    assert (report.rows, report.left_out) == (3, 1)

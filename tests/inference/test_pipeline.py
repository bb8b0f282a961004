"""``pipeline()`` as people call it: forms of input, options, threads, names, refusals."""

import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import headway
from headway import pipeline
from headway.errors import CheckpointError, ConfigError, EngineError, InputError, MissingExtraError, TaskError
from headway.inference.schedule import WINDOW_TOKENS
from headway.tasks import task_names

TEXTS = ["this movie was great fun !", "boring", "we hate it ; really , it is not good", "a dog", "two cats and a song"]


@pytest.fixture(scope="module")
def classifier(model_folder):
    return pipeline("sentiment-analysis", model_folder("sequence-classification", num_labels=3))


@pytest.fixture(scope="module")
def answers(classifier):
    """The answer to each text, asked for alone."""
    return [classifier(text)[0] for text in TEXTS]


def same(ours, theirs):
    assert [one["label"] for one in ours] == [one["label"] for one in theirs]
    assert [one["score"] for one in ours] == pytest.approx([one["score"] for one in theirs], abs=1e-5)


@pytest.mark.parametrize(
    "make", [list, tuple, np.array, lambda texts: dict.fromkeys(texts).keys()], ids=["list", "tuple", "array", "keys"]
)
def test_collections_are_answered_with_a_list(classifier, answers, make):
    found = classifier(make(TEXTS))
    assert isinstance(found, list)
    same(found, answers)


@pytest.mark.parametrize(
    "make", [iter, lambda texts: (text for text in texts), lambda texts: map(str, texts)], ids=["iterator", "generator", "map"]
)
def test_streams_are_answered_with_a_generator(classifier, answers, make):
    found = classifier(make(TEXTS))
    assert iter(found) is found
    same(list(found), answers)


def test_an_endless_stream_is_answered_as_it_comes(classifier, answers):
    found = classifier(itertools.cycle(TEXTS))
    same([next(found) for _ in range(500)], answers * 100)
    found.close()


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_batch_size_changes_no_answer(classifier, answers, batch_size):
    same(classifier(TEXTS, batch_size=batch_size), answers)


def test_several_threads_may_use_one_pipeline(classifier, answers):
    jobs = [TEXTS, *TEXTS] * 8
    with ThreadPoolExecutor(6) as pool:
        for job, found in zip(jobs, pool.map(lambda job: classifier(job, top_k=1), jobs), strict=True):
            expected = answers if isinstance(job, list) else [answers[TEXTS.index(job)]]
            same([one[0] for one in found] if isinstance(job, list) else found, expected)


def test_answers_are_the_models_own(classifier, model_folder):
    """By hand: softmax over the logits that the engine gives for the tokens that the tokenizer gives."""
    tokens = classifier.tokenizer.encode_sequences([TEXTS[0]])
    logits = classifier.engine.run(tokens)[0]["logits"]
    shares = np.exp(logits) / np.exp(logits).sum()
    assert [one["score"] for one in classifier(TEXTS[0], top_k=None)] == pytest.approx(sorted(shares, reverse=True), abs=1e-6)
    assert classifier(TEXTS[0])[0]["label"] == f"LABEL_{logits.argmax()}"


def test_options_of_a_call_win_over_those_of_the_pipeline(classifier, model_folder, cache):
    two = pipeline("text-classification", model_folder("sequence-classification", num_labels=3), top_k=2)
    assert len(two(TEXTS[:1])[0]) == 2
    assert len(two(TEXTS[:1], top_k=3)[0]) == 3
    assert len(two(TEXTS[:1])[0]) == 2


def test_sentiment_analysis_needs_no_model_named(classifier, model_folder, monkeypatch, cache):
    folder = model_folder("sequence-classification", num_labels=3)
    monkeypatch.setattr("headway.checkpoints.location.shipped_models", lambda: {"sentiment": folder})
    same(pipeline("sentiment-analysis")(TEXTS), classifier(TEXTS))


def test_without_a_task_it_is_the_models_own(model_folder, cache):
    for head, expected in (
        ("sequence-classification", "text-classification"),
        ("masked-lm", "fill-mask"),
        ("base", "feature-extraction"),
    ):
        assert pipeline(model=model_folder(head)).task == expected


def test_a_pipeline_says_what_it_is(classifier):
    assert repr(classifier) == "Pipeline(task='text-classification', model_type='bert', precision='fp32')"


def test_another_tokenizer_may_be_given_by_object_or_name(classifier, model_folder, answers, cache):
    folder = model_folder("sequence-classification", num_labels=3)
    for tokenizer in (classifier.tokenizer, model_folder("base")):
        same(pipeline("sentiment-analysis", folder, tokenizer=tokenizer)(TEXTS), answers)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(
            {"task": "sentiment"},
            TaskError,
            "There is no task 'sentiment' among those that Headway does. Known tasks: .* Did you mean 'sentiment-analysis'\\?",
            id="task",
        ),
        pytest.param({}, TaskError, "Neither a task nor a model is named. Name a task", id="nothing"),
        pytest.param(
            {"task": "multiple-choice" if "multiple-choice" in task_names() else "sentiment"},
            TaskError,
            "There is no (usual model for multiple-choice, so one has to be named|task 'sentiment')",
            id="no default",
        ),
        pytest.param(
            {"task": "fill-mask", "model": "FOLDER", "topk": 1},
            TaskError,
            "fill-mask has no option 'topk'. Its options",
            id="option",
        ),
        pytest.param(
            {"task": "fill-mask", "model": "FOLDER", "top_k": 0}, TaskError, "top_k is 0, but it counts answers", id="value"
        ),
        pytest.param(
            {"model": "FOLDER", "engine": "tf"},
            EngineError,
            "engine is 'tf', which is none that Headway has; known are auto, onnx, torch",
            id="engine",
        ),
        pytest.param({"model": "FOLDER", "batch_size": 0}, ConfigError, "batch_size is 0, but it counts texts", id="batch size"),
        pytest.param({"model": "FOLDER", "threads": 0}, ConfigError, "threads is 0, but it counts threads", id="threads"),
        pytest.param({"model": "FOLDER/nowhere"}, CheckpointError, "nowhere", id="no such folder"),
        pytest.param({"model": 7}, TaskError, "model is of the type int. Give a folder", id="no model"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_loaded(model_folder, arguments, error, message, cache):
    if str(arguments.get("model", "")).startswith("FOLDER"):
        arguments = arguments | {"model": arguments["model"].replace("FOLDER", str(model_folder("masked-lm")))}
    with pytest.raises(error, match=message):
        pipeline(**arguments)


def test_errors_of_a_list_say_which_input_it_was_and_those_of_a_text_need_not(classifier):
    with pytest.raises(InputError, match=r"^Input 2: An input is None"):
        classifier([*TEXTS[:2], None, 5])
    with pytest.raises(InputError, match=r"^An input is None"):
        classifier(None)


def test_a_stream_gives_every_answer_before_a_bad_input(classifier, answers):
    found = classifier(iter([*TEXTS, b"bytes"]))
    same([next(found) for _ in TEXTS], answers)
    with pytest.raises(InputError, match=r"^Input 5: An input is bytes"):
        next(found)


@pytest.mark.train
def test_a_model_in_memory_answers_as_from_its_folder(model_folder, classifier, answers):
    folder = model_folder("sequence-classification", num_labels=3)
    model = headway.AutoModelForSequenceClassification.from_pretrained(folder)
    with pytest.raises(TaskError, match=r"has no tokenizer with it. Pass tokenizer="):
        pipeline(model=model)
    ready = pipeline(model=model, tokenizer=headway.AutoTokenizer.from_pretrained(folder))
    assert ready.task == "text-classification"
    same(ready(TEXTS), answers)
    with pytest.raises(
        TaskError, match=r"fill-mask needs a model with the head 'masked-lm'; this one has 'sequence-classification'"
    ):
        pipeline("fill-mask", model, tokenizer=classifier.tokenizer)
    with pytest.raises(EngineError, match=r"engine='onnx' runs models from files"):
        pipeline(model=model, tokenizer=classifier.tokenizer, engine="onnx")


def test_without_torch_its_engine_says_what_to_install(model_folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    with pytest.raises(
        MissingExtraError, match=r"engine='torch' \(bf16\) needs the package 'torch'.*pip install 'headway\[train\]'"
    ):
        pipeline("fill-mask", model_folder("masked-lm"), precision="bf16")


@pytest.mark.train
def test_bf16_is_torchs_and_near(model_folder, classifier, cache):
    ready = pipeline("sentiment-analysis", model_folder("sequence-classification", num_labels=3), precision="bf16")
    assert (ready.engine.precision, type(ready.engine).__name__) == ("bf16", "TorchEngine")
    ours, theirs = ready(TEXTS, top_k=None), classifier(TEXTS, top_k=None)
    for one, other in zip(ours, theirs, strict=True):
        ours_by_label = {found["label"]: found["score"] for found in one}
        assert ours_by_label == {found["label"]: pytest.approx(found["score"], abs=0.02) for found in other}


def test_the_rows_of_a_stream_carry_their_tokens(classifier):
    found = list(classifier.stream(TEXTS))
    assert [one.tokens for one in found] == [len(classifier.tokenizer.encode_sequences([text])[0]) for text in TEXTS]
    assert all(isinstance(one.answer, list) for one in found)


def test_many_threads_with_different_options_get_the_answers_of_one(classifier):
    """32 threads, each with options of its own, several times over."""
    choices = [
        {"top_k": count, "max_length": length, "function_to_apply": function}
        for count in (1, 2, 3, None)
        for length in (5, 7, 11, 41)
        for function in ("softmax", "sigmoid")
    ]
    assert len(choices) == 32
    expected = [classifier(TEXTS, **options) for options in choices]
    with ThreadPoolExecutor(32) as pool:
        for _ in range(3):
            found = list(pool.map(lambda options: classifier(TEXTS, **options), choices))
            for ours, theirs in zip(found, expected, strict=True):
                for one, other in zip(ours, theirs, strict=True):
                    same(one, other)


class Counting:
    """Texts without end, and how many of them were taken."""

    def __init__(self, text):
        self.text, self.taken = text, 0

    def __iter__(self):
        while True:
            self.taken += 1
            yield self.text


def test_a_stream_reads_as_many_texts_ahead_as_two_windows_hold(classifier):
    texts = Counting("a good film " * 40)  # 41 tokens each, once they are cut
    found = classifier(iter(texts))
    for taken in range(1, 1800):
        next(found)
        assert texts.taken - taken <= 3 * -(-WINDOW_TOKENS // 41)
    found.close()


def test_texts_are_tokenised_only_as_they_are_read_from_a_long_list(classifier, answers):
    """A collection that counts: nothing makes a list of it first."""

    class Column:
        def __init__(self):
            self.read = 0

        def __len__(self):
            return 10_000

        def __iter__(self):
            for place in range(len(self)):
                self.read += 1
                yield TEXTS[place % len(TEXTS)]

    column = Column()
    found = classifier.stream(column)
    same([next(found).answer[0] for _ in TEXTS], answers)
    assert column.read < 4000
    found.close()


def test_an_option_that_nobody_knows_names_the_nearest_and_what_pipeline_takes(model_folder):
    with pytest.raises(
        TaskError,
        match=r"text-classification has no option 'topk'\. Its options are .*Did you mean 'top_k'\? pipeline\(\) itself takes "
        r"task, model, tokenizer, device, engine, precision, batch_size",
    ):
        pipeline("text-classification", model_folder("sequence-classification"), topk=1)


def test_an_argument_of_pipeline_with_a_typing_error_names_the_right_one(model_folder):
    with pytest.raises(TaskError, match=r"has no option 'modl'\. .*pipeline\(\) itself takes task, .* Did you mean 'model'\?$"):
        pipeline("text-classification", model_folder("sequence-classification"), modl="x")


def test_what_changes_nothing_may_be_said_at_the_call_too(classifier, answers):
    same(classifier(TEXTS, num_workers=2, batch_size=4, padding=True, truncation=True), answers)
    same([found.answer[0] for found in classifier.stream(TEXTS, num_workers=0)], answers)


@pytest.mark.parametrize(
    ("arguments", "precision"),
    [({"dtype": "float32"}, "fp32"), ({"torch_dtype": "auto", "device": -1}, "fp32"), ({"precision": "int8"}, "int8")],
    ids=str,
)
def test_precision_and_device_may_be_asked_for_as_in_transformers(model_folder, cache, arguments, precision):
    ready = pipeline("text-classification", model_folder("sequence-classification"), **arguments)
    assert (ready.engine.precision, type(ready.engine).__name__) == (precision, "OnnxEngine")


@pytest.mark.train
@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda:77", r"device is 'cuda:77', which torch cannot use here \(.*\); it sees \d+ GPUs\. Leave device out"),
        (77, r"device is 'cuda:77', which torch cannot use here"),
        ("gpu", r"device is 'gpu', which torch cannot use here"),
    ],
)
def test_a_device_that_is_not_there_is_refused(model_folder, device, message):
    with pytest.raises(EngineError, match=message):
        pipeline("text-classification", model_folder("sequence-classification"), device=device)
    model = headway.AutoModelForSequenceClassification.from_pretrained(model_folder("sequence-classification"))
    with pytest.raises(EngineError, match=message):
        pipeline(model=model, tokenizer=model_folder("sequence-classification"), device=device)


def test_a_folder_of_sentence_transformers_makes_sentence_vectors(model_folder, tmp_path, cache):
    base, classifier = (shutil.copytree(model_folder(head), tmp_path / head) for head in ("base", "sequence-classification"))
    assert pipeline(model=base).task == "feature-extraction"
    for folder in (base, classifier):
        (folder / "modules.json").write_text(
            json.dumps([{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}])
        )
    assert pipeline(model=base).task == "sentence-embeddings"
    assert pipeline(model=classifier).task == "text-classification"  # a cross-encoder is one with a head


def test_a_tokenizer_may_come_with_settings_or_not_be_one(model_folder, classifier, cache):
    folder = model_folder("sequence-classification", num_labels=3)
    ready = pipeline("sentiment-analysis", folder, tokenizer=(folder, {"model_max_length": 7}))
    assert next(ready.stream(["good " * 50])).tokens == 7
    with pytest.raises(
        TaskError, match=r"tokenizer is of the type dict. Give a folder, a Hub repository, or a tokenizer that Headway"
    ):
        pipeline("sentiment-analysis", folder, tokenizer={})


def test_tokens_left_out_are_told_by_stream(classifier):
    found = list(classifier.stream(["good " * 50, "good"], count_dropped=True))
    assert [(one.tokens, one.dropped) for one in found] == [(41, 11), (3, 0)]


def test_a_model_from_the_cache_answers_though_the_cache_moves_before_its_first_call(model_folder, tmp_path, monkeypatch):
    ready = pipeline("text-classification", model_folder("sequence-classification"), precision="fp32")
    monkeypatch.setenv("HEADWAY_CACHE", str(tmp_path))
    assert ready("great")[0]["label"].startswith("LABEL")

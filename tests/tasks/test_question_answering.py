"""Question answering with logits set by hand, and with whatever text there is."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

import vocabularies
from headway import pipeline
from headway.errors import ConfigError, InputError, TaskError
from headway.evaluation import evaluate
from headway.families import family
from headway.tasks import Call, ModelFacts, task
from headway.text import Tokenizer

TASK = task("question-answering")
ITEM = {"question": "was it good", "context": "the unlovely film , the FUN Film"}
NOTHING = {"start": 0, "end": 0, "answer": ""}


def prepared(tokenizer, *, positions=41, **options):
    config = family("bert").config(max_position_embeddings=positions, vocab_size=101)
    return TASK.prepare(ModelFacts(tokenizer=tokenizer, config=config), TASK.choose(options))


def logits(length, begins, ends):
    """The model's outputs with these shares of begins and ends by token, all others next to nothing."""
    outputs = {}
    for name, shares in (("start_logits", begins), ("end_logits", ends)):
        outputs[name] = np.full(length, -80, np.float32)
        for place, share in shares.items():
            outputs[name][place] = np.log(share)
    return outputs


def answers(tokenizer, begins, ends, **options):
    ready = prepared(tokenizer, **options)
    (encoded,) = ready.encode([ITEM])
    return ready.decode([ready.reduce(logits(len(encoded.sequences[0]), begins, ends), encoded, part=0)], encoded)


def plain(found):
    return [(answer["answer"], pytest.approx(answer["score"], abs=1e-6)) for answer in found]


def test_the_tokens_stand_where_these_tests_think(tiny_tokenizer):
    (encoded,) = prepared(tiny_tokenizer).encode([ITEM])
    tokens = tiny_tokenizer.convert_ids_to_tokens(list(encoded.sequences[0].ids))
    assert tokens[5:] == "the u ##n ##l ##o ##v ##e ##ly film , the fun film [SEP]".split()


def test_the_best_span_is_the_answer_with_its_place(tiny_tokenizer):
    found = answers(tiny_tokenizer, {13: 0.25, 16: 0.75}, {13: 0.125, 16: 0.875})
    assert found == [{"score": pytest.approx(0.75 * 0.875), "start": 24, "end": 27, "answer": "FUN"}]


def test_an_answer_is_whole_words_unless_that_is_not_wanted(tiny_tokenizer):
    shares = {8: 0.5, 0: 0.5}, {10: 0.5, 0: 0.5}
    assert plain(answers(tiny_tokenizer, *shares)) == [("unlovely", 0.25)]
    assert plain(answers(tiny_tokenizer, *shares, align_to_words=False)) == [("lov", 0.25)]


def test_an_answer_is_no_longer_than_asked_for(tiny_tokenizer):
    shares = {13: 0.75, 16: 0.25}, {17: 1.0}
    assert plain(answers(tiny_tokenizer, *shares)) == [("film , the FUN Film", 0.75)]
    assert plain(answers(tiny_tokenizer, *shares, max_answer_len=5)) == [("film , the FUN Film", 0.75)]
    assert plain(answers(tiny_tokenizer, *shares, max_answer_len=4)) == [("FUN Film", 0.25)]


def test_the_question_is_never_an_answer(tiny_tokenizer):
    assert plain(answers(tiny_tokenizer, {2: 0.5, 13: 0.5}, {3: 0.5, 13: 0.5})) == [("film", 1.0)]


@pytest.mark.parametrize("name", ["top_k", "topk"])
def test_equal_words_are_one_of_several_answers(tiny_tokenizer, name):
    shares = {13: 0.5, 16: 0.25, 17: 0.25}, {13: 0.5, 16: 0.25, 17: 0.25}
    found = answers(tiny_tokenizer, *shares, **{name: 2})
    assert plain(found) == [("film", 0.5 * 0.5 + 0.25 * 0.25), ("film , the FUN", 0.125)]
    assert [answer["start"] for answer in found] == [13, 13]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [("film", 0.0625)], id="an answer is wanted"),
        pytest.param({"handle_impossible_answer": True}, [("", 0.5625)], id="none is likelier"),
        pytest.param({"no_answer_threshold": 0.5}, [("film", 0.0625)], id="but not by more than this"),
        pytest.param({"no_answer_threshold": 0.4375}, [("", 0.5625)], id="by more than this"),
        pytest.param({"no_answer_threshold": 1, "top_k": 2}, [("film", 0.0625), ("", 0.5625)], id="it comes second at best"),
        pytest.param({"handle_impossible_answer": True, "top_k": 2}, [("", 0.5625), ("film", 0.0625)], id="both"),
    ],
)
def test_there_may_be_no_answer(tiny_tokenizer, options, expected):
    found = answers(tiny_tokenizer, {0: 0.75, 13: 0.25}, {0: 0.75, 13: 0.25}, **options)
    assert plain(found)[: len(expected)] == expected


def test_no_answer_stands_nowhere(tiny_tokenizer):
    found = answers(tiny_tokenizer, {0: 1.0}, {0: 1.0}, handle_impossible_answer=True)
    assert found == [{"score": pytest.approx(1.0), **NOTHING}]


def test_the_scores_that_a_threshold_is_chosen_by_come_with_the_answer(tiny_tokenizer):
    shares = {0: 0.75, 13: 0.25}, {0: 0.75, 13: 0.25}
    (found,) = answers(tiny_tokenizer, *shares, no_answer_score=True, handle_impossible_answer=True)
    assert found == {
        "score": pytest.approx(0.5625),
        **NOTHING,
        "no_answer_score": pytest.approx(0.5625),
        "best_answer": "film",
        "best_score": pytest.approx(0.0625),
    }


def test_windows_give_one_list_of_answers_and_the_least_score_of_none(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, max_seq_len=14, doc_stride=1, top_k=3, handle_impossible_answer=True)
    (encoded,) = ready.encode([{"question": "was it good", "context": "a good film , a fun play and a bad Film !"}])
    first, second = encoded.memory.windows
    assert [(window.start, window.count) for window in (first, second)] == [(0, 8), (7, 5)]
    parts = [
        ready.reduce(logits(14, {0: 0.75, 7: 0.25}, {0: 0.5, 7: 0.5}), encoded, part=0),  # film: 0.125
        ready.reduce(logits(11, {0: 0.5, 7: 0.25, 8: 0.25}, {0: 0.5, 7: 0.125, 8: 0.375}), encoded, part=1),  # bad … Film
    ]
    found = ready.decode(parts, encoded)
    assert plain(found) == [("", 0.25), ("film", 0.125 + 0.25 * 0.375), ("bad Film", 0.25 * 0.375)]
    assert [(answer["start"], answer["end"]) for answer in found] == [(0, 0), (7, 11), (31, 39)]


def test_windows_that_are_sure_of_the_same_words_are_not_surer_than_certain(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, max_seq_len=9, doc_stride=0)
    (encoded,) = ready.encode([{"question": "was it good", "context": "film good bad film good bad"}])
    parts = [ready.reduce(logits(9, {5: 1.0}, {5: 1.0}), encoded, part=part) for part in (0, 1)]
    assert ready.decode(parts, encoded) == [{"score": 1.0, "start": 0, "end": 4, "answer": "film"}]


def test_a_context_without_tokens_has_an_empty_answer(tiny_tokenizer):
    for options, score in (({}, 0.0), ({"handle_impossible_answer": True}, 1.0), ({"no_answer_threshold": 0.5}, 1.0)):
        ready = prepared(tiny_tokenizer, **options)
        (encoded,) = ready.encode([{"question": "was it good", "context": " \n "}])
        outputs = logits(6, {0: 0.5, 3: 0.5}, {0: 0.5, 3: 0.5})
        assert ready.decode([ready.reduce(outputs, encoded, part=0)], encoded) == [{"score": score, **NOTHING}]


ONE, TWO = {"score": 0.5, **NOTHING}, {"score": 0.25, **NOTHING}


@pytest.mark.parametrize(
    ("found", "call", "shown"),
    [
        pytest.param([[ONE]], Call("item"), ONE, id="one answer"),
        pytest.param([[ONE, TWO]], Call("item"), [ONE, TWO], id="several answers"),
        pytest.param([[ONE]], Call("list"), ONE, id="a list of one question"),
        pytest.param([[ONE], [TWO]], Call("list"), [ONE, TWO], id="several questions"),
        pytest.param([[ONE, TWO], [TWO]], Call("list"), [[ONE, TWO], TWO], id="of different numbers"),
    ],
)
def test_answers_nest_as_in_transformers(tiny_tokenizer, found, call, shown):
    assert prepared(tiny_tokenizer).present(found, call) == shown


def test_answers_become_rows(tiny_tokenizer):
    one, many = prepared(tiny_tokenizer), prepared(tiny_tokenizer, top_k=2)
    assert one.row([ONE]) == ONE
    assert [column.name for column in one.columns] == ["answer", "score", "start", "end"]
    assert many.row([ONE, TWO]) == {"answers": [ONE, TWO]}
    assert [(column.name, column.depth) for column in many.columns] == [("answers", 1)]
    names = [column.name for column in prepared(tiny_tokenizer, no_answer_score=True).columns]
    assert names[4:] == ["no_answer_score", "best_answer", "best_score"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["id", "title", "context", "question", "answers"], {"question": "question", "context": "context"}),
        (["query", "passage"], {"question": "query", "context": "passage"}),
        (["question", "text"], {"question": "question", "context": "text"}),
    ],
)
def test_usual_columns_are_known(names, found):
    assert TASK.table.find(names) == found


def test_transformers_names_are_ours_and_none_is_the_default():
    theirs = {"max_seq_len": 30, "doc_stride": 7, "topk": 3, "padding": True, "max_answer_len": None, "top_k": None}
    assert TASK.choose(theirs) == TASK.choose({"max_length": 30, "stride": 7, "top_k": 3})
    assert TASK.choose({"truncation": True}).overflow == "truncate"
    assert TASK.choose({}).overflow == "window"


def test_the_limit_is_the_models_or_384_or_what_is_asked_for(tiny_tokenizer):
    assert prepared(tiny_tokenizer).limits.tokens == 41
    assert prepared(tiny_tokenizer, max_seq_len=100).limits.tokens == 41
    assert prepared(tiny_tokenizer, max_seq_len=20).limits.tokens == 20
    long = Tokenizer.from_tokenizers(tiny_tokenizer.backend, model_max_length=512)
    assert prepared(long, positions=512).limits.tokens == 384
    assert prepared(long, positions=512, max_seq_len=500).limits.tokens == 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"top_k": 0}, r"top_k is 0, but it counts answers\. Use a whole number from 1 on", id="no answers"),
        pytest.param({"max_answer_len": 0}, r"max_answer_len is 0, but it counts tokens\. Use .* from 1 on", id="no tokens"),
        pytest.param({"max_question_len": "9"}, r"max_question_len is '9', but it counts tokens", id="text"),
        pytest.param({"max_seq_len": True}, r"max_length is True, but it counts tokens", id="truth"),
        pytest.param({"doc_stride": -1}, r"stride is -1, but it counts tokens\. Use a whole number from 0 on", id="negative"),
        pytest.param(
            {"no_answer_threshold": "x"}, r"no_answer_threshold is 'x', but it is a difference of scores", id="no number"
        ),
        pytest.param({"align_to_words": "no"}, r"align_to_words is 'no', but it is on or off", id="no truth"),
        pytest.param({"overflow": "windows"}, r"overflow is 'windows', .* known are truncate, window, error", id="overflow"),
    ],
)
def test_a_wrong_option_says_what_is_right(options, message):
    with pytest.raises(TaskError, match=message):
        TASK.choose(options)


def test_too_short_sequences_are_refused(tiny_tokenizer):
    with pytest.raises(ConfigError, match=r"max_seq_len is 4, but a question with its context needs room for 3 special tokens"):
        prepared(tiny_tokenizer, max_seq_len=4)


# Whatever text there is.

TEXTS = [
    "She said: “no”, he’d gone – to 東京 in 1873!",
    "naïve coöperation at the Café; ¿qué?",
    "the cat and the dog , THE END .",
] * 9
ANY = st.characters(exclude_categories=())  # lone surrogates too
WORDS = st.lists(
    st.sampled_from(["film", "the", "[CLS]", "[SEP]", "ﬁne", "e\u0301", "東京", "\u00a0", "\x00", "İ", "x" * 40, "don't"])
)
TEXT = st.one_of(st.text(ANY, min_size=1), WORDS.map(" ".join).filter(bool), WORDS.map("".join).filter(bool))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "top_k": st.integers(1, 9),
        "max_answer_len": st.integers(1, 50),
        "max_question_len": st.integers(1, 70),
        "max_seq_len": st.integers(6, 50),
        "doc_stride": st.integers(0, 9),
        "handle_impossible_answer": st.booleans(),
        "align_to_words": st.booleans(),
        "no_answer_threshold": st.sampled_from([None, -1, -0.25, 0.0, 0.5]),
        "overflow": st.sampled_from(["window", "truncate", "error"]),
        "no_answer_score": st.booleans(),
    },
)


@pytest.fixture(scope="module")
def tokenizers(tiny_tokenizer):
    """One of each kind of vocabulary."""
    pieces = Backend(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["[CLS]", "[SEP]", "[UNK]"]
    pieces.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=301, initial_alphabet=alphabet, special_tokens=special, show_progress=False)
    )
    unigram = Backend(models.Unigram())
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.model = vocabularies.unigram(unigram, TEXTS, size=101, special=special, unknown="[UNK]")
    unigram.add_special_tokens(special)
    frame = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    pieces.post_processor = processors.Sequence([processors.ByteLevel(), frame])
    unigram.post_processor = frame
    settings = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "model_max_length": 41}
    return [
        tiny_tokenizer,
        Tokenizer.from_tokenizers(pieces, **settings),
        Tokenizer.from_tokenizers(unigram, **settings),
        Tokenizer.from_tokenizers(pieces, **settings, padding_side="left", truncation_side="left"),
    ]


@pytest.mark.parametrize("which", range(4), ids=["WordPiece", "BPE", "Unigram", "left"])
@hypothesis.settings(max_examples=90)
@hypothesis.given(question=TEXT, context=TEXT, options=OPTIONS, times=st.sampled_from([1, 1, 30]), seed=st.integers(0, 99))
def test_whatever_the_text_answers_are_words_of_the_context(tokenizers, which, question, context, options, times, seed):
    ready, context = prepared(tokenizers[which], **options), context * times
    try:
        (encoded,) = ready.encode([{"question": question, "context": context}])
    except InputError as error:
        if not says_why(error):
            raise
        return
    assert all(len(sequence) <= ready.limits.tokens for sequence in encoded.sequences)
    generator = np.random.default_rng(seed)
    parts = []
    for part, sequence in enumerate(encoded.sequences):
        outputs = {name: generator.normal(0, 9, len(sequence)).astype(np.float32) for name in ("start_logits", "end_logits")}
        parts.append(ready.reduce(outputs, encoded, part=part))
    found = ready.decode(parts, encoded)
    check(found, context, options)


def says_why(error):
    """Whether it is one of the two refusals that options can ask for."""
    return "stride (" in str(error) or 'overflow="error"' in str(error)


def check(found, context, options):
    assert json.loads(json.dumps(found)) == found
    assert 1 <= len(found) <= options.get("top_k", 1)
    for answer in found:
        assert 0 <= answer["start"] <= answer["end"] <= len(context)
        assert answer["answer"] == context[answer["start"] : answer["end"]]
        assert 0 <= answer["score"] <= 1
    assert len({(answer["answer"].lower(), answer["start"]) for answer in found}) >= len(found) - 1


@pytest.fixture(scope="module")
def pipe(model_folder):
    return pipeline("question-answering", model_folder("question-answering", num_labels=2))


@hypothesis.settings(max_examples=40)
@hypothesis.given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3), options=OPTIONS)
def test_a_pipeline_answers_whatever_it_is_asked(pipe, pairs, options):
    questions, contexts = map(list, zip(*pairs, strict=True))
    try:
        found = pipe(question=questions, context=contexts, **options)
    except InputError as error:
        if not says_why(error):
            raise
        return
    for answer, context in zip([found] if len(pairs) == 1 else found, contexts, strict=True):
        check(answer if isinstance(answer, list) else [answer], context, options)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" \t\r\n\u2028 ", id="white space"),
        pytest.param("good " * 7_000, id="7,000 words"),
        pytest.param("x" * 100_000, id="one word of 100,000 letters"),
        pytest.param("lone \ud800 and \udfff surrogates", id="lone surrogates"),
        pytest.param("\x00\x01 control \x7f\ufffd\ufeff", id="control characters"),
        pytest.param("漢字 \N{PILE OF POO} Привет עברית e\u0301", id="many scripts"),
        pytest.param("[CLS] [SEP] [PAD] [UNK]", id="special tokens as text"),
    ],
)
def test_any_string_is_answered_and_any_string_answers(pipe, text):
    for question, context in ((text, "the film was fun ."), ("was it fun", text)):
        check([pipe(question=question, context=context)], context, {})


def test_the_task_of_a_model_with_this_head_is_known(pipe, model_folder):
    folder = model_folder("question-answering", num_labels=2)
    assert pipeline(model=folder).task == "question-answering"
    assert pipe(**ITEM)["answer"] in ITEM["context"]


def test_questions_with_right_answers_are_measured(pipe):
    contexts = ["the film was fun .", "a dog and two cats", "she had a play"]
    best = [answer["answer"] for answer in pipe(question=["what", "who", "what"], context=contexts)]
    right = [{"text": ["x", best[0]], "answer_start": [0, 0]}, [best[1]], "zebra"]
    rows = [
        {"question": question, "context": context, "answers": answers}
        for question, context, answers in zip(["what", "who", "what"], contexts, right, strict=True)
    ]
    found = evaluate(pipe, rows, worst=1, resamples=7)
    assert found.scores == {"f1": pytest.approx(2 / 3), "exact_match": pytest.approx(2 / 3)}
    assert [mistake.row for mistake in found.worst] == [3]
    found = evaluate(pipe, [*rows, {**rows[0], "answers": []}, {**rows[0], "answers": None}], resamples=7)
    assert (found.rows, found.left_out) == (4, 1)
    assert {"best_f1", "best_f1_threshold", "no_answer_accuracy"} < found.scores.keys()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError, TaskError
from headway.families import family
from headway.tasks import Call, Encoded, ModelFacts, task
from headway.tasks.members import Members, joined
from headway.tasks.pooling import POOLINGS
from headway.tasks.sentence_similarity import read_call, read_comparison
from headway.tasks.similarities import SIMILARITIES

SOURCE, OTHERS = np.float32([3, 4]), np.float32([[3, 4], [-4, 3], [-6, -8], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cosine", [1, 0, -1, 0.8, 0]),
        ("dot", [25, 0, -50, 4, 0]),
        ("euclidean", [0, -(50**0.5), -15, -(18**0.5), -5]),
        ("manhattan", [0, -8, -21, -6, -7]),
    ],
)
def test_similarities_by_hand(name, expected):
    np.testing.assert_allclose(SIMILARITIES[name](SOURCE, OTHERS), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("item", "source", "others", "is_pair"),
    [
        ({"source_sentence": "a", "sentences": ["b", "c"]}, "a", ("b", "c"), False),
        ({"source_sentence": "a", "sentences": ("b",)}, "a", ("b",), False),
        ({"source_sentence": "a", "sentences": []}, "a", (), False),
        ({"source_sentence": "a", "sentences": np.array(["b", "c"])}, "a", ("b", "c"), False),
        ({"source_sentence": "a", "sentences": "b"}, "a", ("b",), True),
        ({"text": "a", "text_pair": "b"}, "a", ("b",), True),
    ],
    ids=str,
)
def test_what_is_compared(item, source, others, is_pair):
    found = read_comparison(item)
    assert (found.source, found.others, found.is_pair) == (source, others, is_pair)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("good", r'An input is a str, where a text belongs that others are compared with: {"source_sentence": …, "sentences"'),
        (None, "An input is None, where a text belongs that others"),
        ({"text": "a"}, r'An input has the keys \'text\', but .* "source_sentence" and "sentences", and a pair has "text" and'),
        ({}, "An input has the keys none, but"),
        ({"source_sentence": "a", "sentences": np.array("b")}, "sentences is a ndarray, but the texts"),
        ({"source_sentence": "a", "sentences": {"b", "c"}}, "sentences is a set, but the texts"),
        ({"source_sentence": "a", "sentences": 3}, r"sentences is a int, but the texts to compare with are a list. Use"),
        ({"source_sentence": ["a"], "sentences": ["b"]}, r"An input is list \['a'\], where a text"),
        ({"source_sentence": "a", "sentences": ["b", None]}, "An input is None, where a text"),
        ({"text": "a", "text_pair": 3}, "An input is int 3, where a text"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused(item, message):
    with pytest.raises(InputError, match=message):
        read_comparison(item)


def test_a_call_takes_a_text_and_those_to_compare_it_with():
    whole = {"source_sentence": "a", "sentences": ["b"]}
    assert read_call(("a", ["b"]), {}) == (whole, {})
    assert read_call(("a",), {"sentences": ["b"], "similarity": "dot"}) == (whole, {"similarity": "dot"})
    assert read_call((), {**whole, "pooling": "cls"}) == (whole, {"pooling": "cls"})
    assert read_call((whole,), {}) == read_call((), {"inputs": whole}) == (whole, {})
    assert read_call(([whole, whole],), {"pooling": "cls"}) == ([whole, whole], {"pooling": "cls"})
    for arguments, named in [(("a",), {"source_sentence": "b", "sentences": ["c"]}), ((), {"sentences": ["c"]})]:
        with pytest.raises(
            TaskError, match=r"A call takes a text and those to compare it with, pipe\(source_sentence, sentences\)"
        ):
            read_call(arguments, named)
    with pytest.raises(TaskError, match="A call takes one argument"):
        read_call(("a", "b", "c"), {})


def test_members_keep_what_belongs_together():
    texts = [Encoded((TokenSequence([1]), TokenSequence([2]))), Encoded((TokenSequence([3]),), dropped=5), Encoded(())]
    first, second, third = joined(texts, [2, 0, 1], ["x", "y", "z"])
    assert [sequence.ids for sequence in first.sequences] == [[1], [2], [3]]
    assert first.memory == Members((0, 2, 3), "x")
    assert first.dropped == 5
    assert first.memory.split(["a", "b", "c"]) == [["a", "b"], ["c"]]
    assert (second.sequences, second.memory.split([])) == ((), [])
    assert third.memory == Members((0, 0), "z")


def prepared(tokenizer, **options):
    config = family("bert").config(vocab_size=len(tokenizer), max_position_embeddings=11)
    found = task("sentence-similarity")
    return found.prepare(ModelFacts(tokenizer=tokenizer, config=config, folder=None), found.choose(options))


def test_the_source_is_read_once(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    several, pair, none = ready.encode(
        [
            {"source_sentence": "fun", "sentences": ["dog", "cat", "dog"]},
            {"text": "he", "text_pair": "she"},
            {"source_sentence": "fun", "sentences": []},
        ]
    )
    assert [len(found.sequences) for found in (several, pair, none)] == [4, 2, 0]
    assert ready.decode([], none) == []


def test_scores_come_in_the_order_of_the_sentences(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, similarity="dot", overflow="window")
    encoded = joined([Encoded((TokenSequence([1]),))] * 3, [3], [False])[0]
    parts = [
        ready.reduce({"last_hidden_state": np.float32([state])}, encoded, part=place)
        for place, state in enumerate([[1, 2], [3, 4], [5, 6]])
    ]
    assert ready.decode(parts, encoded) == [11, 17]


def test_windows_of_a_text_are_one_vector(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, similarity="dot", overflow="window")
    sequences = (TokenSequence([1, 2, 3]), TokenSequence([4]))
    (encoded,) = joined([Encoded(sequences), Encoded((TokenSequence([5]),))], [2], [True])
    parts = [np.float32([1, 0]), np.float32([5, 0]), np.float32([7, 1])]
    assert ready.decode(parts, encoded) == 14  # (3 * 1 + 5) / 4 = 2


def test_pairs_are_rows_and_tables_have_both_texts():
    found = task("sentence-similarity")
    columns = found.table.find(["id", "sentence1", "sentence2", "label"], taken=["label"])
    assert columns == {"text": "sentence1", "text_pair": "sentence2"}
    assert found.table.item({"text": "a", "text_pair": "b"}) == {"text": "a", "text_pair": "b"}
    assert found.evaluation.table.find(["sentence1", "sentence2", "score"]) == {"label": "score"}
    assert found.evaluation.prepare(None, None).observe(0.5, {"label": 4}) == (4, 0.5)


def test_one_input_is_answered_alone_and_a_list_with_a_list(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    assert ready.present([[0.5, 0.25]], Call("item")) == [0.5, 0.25]
    assert ready.present([0.5], Call("item")) == 0.5
    assert ready.present([0.5], Call("list")) == [0.5]
    assert ready.row(0.5) == {"score": 0.5}
    assert [(column.name, column.kind) for column in ready.columns] == [("score", "number")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"similarity": "angle"}, "similarity is 'angle', which is no choice of this task's; known are cosine, dot, euclidean"),
        ({"pooling": "none"}, "pooling is 'none', which is no choice of this task's; known are auto, mean, cls"),
        ({"output_precision": "binary"}, "sentence-similarity has no option 'output_precision'"),
    ],
)
def test_wrong_options_say_the_right_ones(options, message):
    with pytest.raises(TaskError, match=message):
        task("sentence-similarity").choose(options)


@pytest.fixture(scope="module")
def ready(model_folder):
    return pipeline("sentence-similarity", model_folder("base"))


def test_a_folders_similarity_is_used_or_refused(ready, model_folder, tiny_tokenizer):
    folder = model_folder("base")
    (folder / "modules.json").write_text('[{"type": "x.Transformer", "path": ""}]')
    found = task("sentence-similarity")
    facts = ModelFacts(tokenizer=tiny_tokenizer, config=ready.config, folder=folder)
    (folder / "config_sentence_transformers.json").write_text('{"similarity_fn_name": "manhattan"}')
    assert found.prepare(facts, found.choose({})).similarity == "manhattan"
    assert found.prepare(facts, found.choose({"similarity": "dot"})).similarity == "dot"
    assert found.prepare(facts, found.choose({"pooling": "cls"})).similarity == "cosine"
    (folder / "config_sentence_transformers.json").write_text('{"similarity_fn_name": "angle"}')
    with pytest.raises(
        TaskError, match=r"asks for the similarity 'angle', which is not computed here. Choose one: similarity='cos"
    ):
        found.prepare(facts, found.choose({}))


def test_all_ways_to_ask_have_the_same_answer(ready):
    scores = ready("a film", ["a movie", "two cats"])
    assert ready(source_sentence="a film", sentences=["a movie", "two cats"]) == scores
    assert ready({"source_sentence": "a film", "sentences": ["a movie", "two cats"]}) == scores
    pairs = [{"text": "a film", "text_pair": "a movie"}, {"source_sentence": "a film", "sentences": "two cats"}]
    assert ready(pairs) == pytest.approx(scores, abs=1e-6)
    assert ready("a film", []) == []
    assert ready("a film", ["a film"]) == [pytest.approx(1)]


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "similarity": st.sampled_from([None, *SIMILARITIES]),
        "pooling": st.sampled_from(["auto", *POOLINGS]),
        "normalize": st.sampled_from([None, True, False]),
        "truncate_dim": st.none() | st.integers(1, 40),
        "prompt": st.none() | st.text(max_size=9),
        "overflow": st.sampled_from(["truncate", "window"]),
        "stride": st.none() | st.integers(0, 60),
        "max_length": st.none() | st.integers(3, 60),
        "count_dropped": st.booleans(),
    },
)


@settings(max_examples=60)
@given(st.text(max_size=120), st.lists(st.text(max_size=120), max_size=4), OPTIONS)
def test_any_texts_and_options_have_scores_in_range(ready, source, sentences, options):
    try:
        scores = ready(source, sentences, **options)
    except ConfigError as error:
        assert "stride" in str(error)  # noqa: PT017
        return
    assert len(scores) == len(sentences)
    assert all(np.isfinite(scores))
    name = options.get("similarity") or "cosine"
    if name == "cosine":
        assert all(-1 <= score <= 1 for score in scores)
    if name in ("euclidean", "manhattan"):
        assert all(score <= 0 for score in scores)

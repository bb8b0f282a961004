"""Token classification: what is a word, where entities stand, how windows are joined, what is refused."""

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors

from headway.errors import ConfigError, InputError, TaskError
from headway.families import family
from headway.tasks import ModelFacts, task
from headway.tasks.entity_windows import merged
from headway.tasks.entity_words import for_split_words
from headway.text import Tokenizer
from tasks.entity_models import LABELS, byte_level, unigram, wordpiece

TASK = task("ner")
PRE_SPLIT = {"is_split_into_words": True}


@pytest.fixture(scope="module")
def tokenizers(tiny_tokenizer):
    made = {"wordpiece": wordpiece(), "byte-level": byte_level(), "unigram": unigram()}
    roles = {name: {role: token for role, token in found[1].items() if role.endswith("_token")} for name, found in made.items()}
    return {name: Tokenizer.from_tokenizers(made[name][0], **roles[name]) for name in made} | {"lower-casing": tiny_tokenizer}


def prepared(tokenizer, *, labels=LABELS, positions=41, **options):
    config = family("bert").config(max_position_embeddings=positions, vocab_size=997, id2label=dict(enumerate(labels)))
    return TASK.prepare(ModelFacts(tokenizer=tokenizer, config=config), TASK.choose(options))


def answer(tokenizer, item, wanted=None, *, labels=LABELS, **options):
    """The answer where the model wants this label for each token of the text, or the word that stands at a place of the text."""
    ready = prepared(tokenizer, labels=labels, **options)
    (encoded,) = ready.encode([item])
    parts = []
    for part, sequence in enumerate(encoded.sequences):
        window = encoded.memory.windows[part]
        logits = np.zeros((len(sequence), len(labels)), np.float32)
        for place, row in enumerate(window.places):
            start = window.span(place, place)[0]
            label = wanted[place] if isinstance(wanted, list) else (wanted or {}).get(start, "O")
            logits[row, labels.index(label)] = 3
        parts.append(ready.reduce({"logits": logits}, encoded, part=part))
    return ready.decode(parts, encoded)


def words(found):
    return [entity["word"] for entity in found]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("wordpiece", "U.N. in Zürich's", ["U", ".", "N", ".", "in", "Zürich", "'", "s"]),
        ("byte-level", "John Smith, isn't in Zürich's", ["John", "Smith", ",", "isn", "'t", "in", "Zürich", "'s"]),
        ("byte-level", "in  New\n\nYork ", ["in", "New", "York"]),  # white space alone is no word
        ("unigram", "John Smith, isn't in 北京", ["John", "Smith,", "isn't", "in", "北京"]),
        ("lower-casing", "un E\u0301tat fo\x00o", ["un", "E\u0301tat", "fo\x00o"]),
        ("unigram", " \u2003 ", []),
        ("byte-level", "", []),
    ],
)
def test_words_are_what_the_tokenizer_numbers_as_such(tokenizers, kind, text, expected):
    found = answer(tokenizers[kind], text, each_word=True)
    assert [text[word["start"] : word["end"]] for word in found] == words(found) == expected


@pytest.mark.parametrize("kind", ["wordpiece", "byte-level", "unigram"])
def test_words_that_were_split_are_the_words(tokenizers, kind):
    split = ["U.N.", "New York", "", " ", "Zürich's"]
    found = answer(tokenizers[kind], split, each_word=True, **PRE_SPLIT)
    assert words(found) == split
    assert [entity["start"] for entity in found] == [0, 5, 14, 15, 17]
    assert found[2] == {"entity": "O", "score": None, "word": "", "start": 14, "end": 14}
    found = answer(tokenizers[kind], split, {0: "B-LOC"}, aggregation_strategy="first", delimiter="__", **PRE_SPLIT)
    assert [(entity["entity_group"], entity["start"], entity["end"]) for entity in found] == [("LOC", 0, 4)]


def test_where_a_tokenizer_splits_nothing_a_space_ends_a_word():
    pieces = [("[UNK]", 0.0), ("▁New", -3.0), ("▁", -3.0), *((letter, -5.0) for letter in "NewYork")]
    backend = Backend(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    tokenizer = Tokenizer.from_tokenizers(backend, unk_token="[UNK]")
    assert words(answer(tokenizer, "New New  York", each_word=True)) == ["New", "New", "York"]


@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
@pytest.mark.parametrize("kind", ["wordpiece", "byte-level", "unigram"])
def test_no_entity_holds_the_space_before_it(tokenizers, kind, strategy):
    text = "of  John Smith in New York"
    wanted = {4: "B-PER", 9: "I-PER", 18: "B-LOC", 22: "I-LOC"}
    for entity in answer(tokenizers[kind], text, wanted, aggregation_strategy=strategy):
        part = text[entity["start"] : entity["end"]]
        assert part.strip() == part
        assert part or strategy == "none"  # a token of white space


def test_words_are_written_once_with_the_spaces_between_them(tokenizers):
    text = "in New Zürich"
    for kind, expected in (("wordpiece", "New Zürich"), ("byte-level", " New Zürich"), ("unigram", "New Zürich")):
        found = answer(tokenizers[kind], text, {3: "B-LOC", 7: "I-LOC"}, aggregation_strategy="first")
        assert found == [{"entity_group": "LOC", "score": found[0]["score"], "word": expected, "start": 3, "end": 13}]


@pytest.mark.parametrize("strategy", ["none", "simple", "first"])
@pytest.mark.parametrize("kind", ["wordpiece", "byte-level", "unigram"])
def test_a_lone_surrogate_is_written_as_what_it_is_read_as(tokenizers, kind, strategy):
    found = answer(tokenizers[kind], "\ud800", {0: "B-LOC"}, aggregation_strategy=strategy)
    assert {(entity["start"], entity["end"]) for entity in found} <= {(0, 1), (0, 0)}
    assert strategy != "first" or kind == "wordpiece" or [entity["word"].strip() for entity in found] == ["\ufffd"]
    assert "\ud800" not in "".join(entity["word"] for entity in found)


def test_a_words_label_is_that_of_its_first_token_of_the_average_or_of_the_surest(tiny_tokenizer):
    ready = {name: prepared(tiny_tokenizer, aggregation_strategy=name) for name in ("first", "average", "max")}
    (encoded,) = ready["first"].encode(["xyz"])  # three letters
    scores = np.array([[0.4, 0.3, 0.3, 0, 0, 0, 0], [0, 0.6, 0, 0.4, 0, 0, 0], [0.1, 0, 0, 0.7, 0, 0, 0.2]])
    found = {name: one.decode([scores], encoded) for name, one in ready.items()}
    assert found["first"] == []
    assert [(entity["entity_group"], entity["score"]) for entity in found["average"]] == [("LOC", pytest.approx(1.1 / 3))]
    assert [(entity["entity_group"], entity["score"]) for entity in found["max"]] == [("LOC", pytest.approx(0.7))]


def test_entities_end_where_another_begins(tiny_tokenizer):
    text = "a b c d e f"
    wanted = ["B-PER", "I-PER", "B-PER", "I-LOC", "O", "I-LOC"]
    found = answer(tiny_tokenizer, text, wanted, aggregation_strategy="simple")
    assert [(entity["entity_group"], entity["word"]) for entity in found] == [
        ("PER", "a b"),
        ("PER", "c"),
        ("LOC", "d"),
        ("LOC", "f"),
    ]
    kept = answer(tiny_tokenizer, text, wanted, aggregation_strategy="simple", ignore_labels=["PER"])
    assert [entity["entity_group"] for entity in kept] == ["LOC", "O", "LOC"]


def test_bioes_and_whole_names(tiny_tokenizer):
    bioes = ("O", "B-X", "I-X", "E-X", "S-X")
    found = answer(tiny_tokenizer, "a b c d e", ["B-X", "E-X", "S-X", "S-X", "O"], labels=bioes, aggregation_strategy="simple")
    assert words(found) == ["a b", "c", "d"]
    names = ("O", "E-MAIL", "PHONE")
    found = answer(tiny_tokenizer, "a b c", ["E-MAIL", "E-MAIL", "PHONE"], labels=names, aggregation_strategy="simple")
    assert [(entity["entity_group"], entity["word"]) for entity in found] == [("E-MAIL", "a b"), ("PHONE", "c")]
    found = answer(tiny_tokenizer, "a b", ["B-PER", "B-PER"], scheme="IO", aggregation_strategy="simple")
    assert [(entity["entity_group"], entity["word"]) for entity in found] == [("B-PER", "a b")]


def test_constrained_decoding_keeps_the_scheme(tiny_tokenizer):
    scores = np.array([[0.3, 0.25, 0.4, 0.05, 0, 0, 0], [0.1, 0.1, 0.8, 0, 0, 0, 0], [0.3, 0, 0, 0, 0.6, 0, 0.1]])
    free, constrained = (prepared(tiny_tokenizer, decoding=name) for name in ("argmax", "constrained"))
    (encoded,) = free.encode(["a b c"])
    assert [token["entity"] for token in free.decode([scores], encoded)] == ["I-PER", "I-PER", "I-LOC"]
    found = constrained.decode([scores], encoded)
    assert [(token["entity"], token["score"]) for token in found] == [("B-PER", 0.25), ("I-PER", 0.8)]


def test_labels_that_no_text_could_have_are_refused(tiny_tokenizer):
    with pytest.raises(
        TaskError, match=r"No text could have labels that keep to BIO, because none of the model's \(I-X, I-Y\) may"
    ):
        prepared(tiny_tokenizer, labels=("I-X", "I-Y"), scheme="BIO", decoding="constrained")
    assert prepared(tiny_tokenizer, labels=("I-X", "I-Y"), decoding="constrained").labels.scheme == "IOB1"


def test_in_windows_each_token_is_read_where_it_has_most_context(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, positions=7, overflow="window", stride=3, each_word=True)
    (encoded,) = ready.encode(["a b c d e f g"])  # windows abcde and cdefg
    assert len(encoded.sequences) == 2
    first, second = (np.full((5, 7), 0.1 * (1 + part)) for part in range(2))
    scores = [round(word["score"], 1) for word in ready.decode([first, second], encoded)]
    assert scores == [0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2]  # d is in the middle of both: the earlier counts


def test_windows_find_what_truncation_leaves_out(tiny_tokenizer):
    text = "a film " * 30 + "the cat and she"
    wanted = {text.index("cat"): "B-PER"}
    assert answer(tiny_tokenizer, text, wanted) == []
    (found,) = answer(tiny_tokenizer, text, wanted, overflow="window")
    assert (found["word"], text[found["start"] : found["end"]], found["index"]) == ("cat", "cat", 62)
    (found,) = answer(tiny_tokenizer, text, wanted, stride=5, aggregation_strategy="simple")
    assert text[found["start"] : found["end"]] == "cat"


def test_what_is_left_out_is_counted_refused_or_said_of_each_word(tiny_tokenizer):
    split = ["film"] * 13
    ready = prepared(tiny_tokenizer, max_length=7, count_dropped=True, **PRE_SPLIT)
    assert ready.encode([split])[0].dropped == 8
    assert (
        prepared(tiny_tokenizer, max_length=7, overflow="window", count_dropped=True, **PRE_SPLIT).encode([split])[0].dropped == 0
    )
    with pytest.raises(InputError, match="A text has 15 tokens, but the model reads at most 7"):
        prepared(tiny_tokenizer, max_length=7, overflow="error", **PRE_SPLIT).encode([split])
    found = answer(tiny_tokenizer, split, dict.fromkeys(range(0, 99, 5), "B-LOC"), max_length=7, each_word=True, **PRE_SPLIT)
    assert [(word["entity"], word["score"] is None) for word in found] == [("B-LOC", False)] * 5 + [("O", True)] * 8


def test_of_overlapping_entities_the_longest_stays_then_the_surest():
    places = [(0, 4, 0.5), (2, 9, 0.1), (8, 9, 0.9), (9, 12, 0.3), (9, 12, 0.4), (20, 21, 0.2)]
    entities = [{"start": start, "end": end, "score": score} for start, end, score in places[::-1]]
    assert [(one["start"], one["score"]) for one in merged(entities)] == [(2, 0.1), (9, 0.4), (20, 0.2)]
    assert merged([]) == []


@pytest.mark.parametrize(
    ("item", "options", "message"),
    [
        (["a", "b"], {}, r"An input is list \['a', 'b'\], where a text .* A list of words is one input with is_split_into_words"),
        ("a b", PRE_SPLIT, "An input is str 'a b', where a list of words belongs. Split it, or leave is_split_into_words out"),
        (["a", None], PRE_SPLIT, r"words\[1\] is None, but only strings can be turned into tokens"),
        ({"words": "a"}, {}, "An input is str 'a', where a list of words belongs"),
        ({"text": "a", "words": ["a"]}, {}, r"An input has the keys 'text', 'words', but it holds \"text\", or \"words\""),
        ({"text": ["a"]}, {}, "An input is list"),
        (7, PRE_SPLIT, "An input is int 7, where a list of words belongs"),
    ],
)
def test_what_is_no_input_is_refused(tiny_tokenizer, item, options, message):
    with pytest.raises(InputError, match=message):
        prepared(tiny_tokenizer, **options).encode([item])


def test_texts_and_words_may_stand_together(tiny_tokenizer):
    items = ["good film", {"words": ["good", "film"]}, {"text": "good film"}, {"tokens": ("good", "film")}]
    assert len({tuple(found.sequences[0].ids) for found in prepared(tiny_tokenizer).encode(items)}) == 1
    items = [["good", "film"], {"text": "good film"}]
    assert len({tuple(found.sequences[0].ids) for found in prepared(tiny_tokenizer, **PRE_SPLIT).encode(items)}) == 1


def test_split_words_are_read_with_the_space_before_them(tokenizers):
    for tokenizer in tokenizers.values():
        assert for_split_words(tokenizer, len(tokenizer)) is tokenizer
    backend = byte_level()[0]
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    plain = Tokenizer.from_tokenizers(backend, unk_token="<unk>")
    split = ["John", "of", "York"]
    with_space, theirs = (prepared(one, **PRE_SPLIT).encode([split])[0] for one in (plain, tokenizers["byte-level"]))
    assert list(with_space.sequences[0].ids) == list(theirs.sequences[0].ids)
    assert words(answer(plain, split, each_word=True, **PRE_SPLIT)) == split
    assert list(prepared(plain).encode(["John of York"])[0].sequences[0].ids) != list(theirs.sequences[0].ids)


def test_a_tokenizer_that_cannot_read_split_words_as_in_texts_is_refused():
    pieces = [("[UNK]", 0.0), ("▁", -3.0), ("a", -5.0), ("b", -5.0), ("▁a", -2.0)]
    backend = Backend(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer = Tokenizer.from_tokenizers(backend, unk_token="[UNK]")
    with pytest.raises(TaskError, match=r"reads a word after a space differently .* Give texts instead of words"):
        prepared(tokenizer).encode([{"words": ["a", "b"]}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 3}, 'Choose an aggregation_strategy other than "none", or use overflow="window"'),
        ({"stride": 3, "aggregation_strategy": "first", "each_word": True}, "stride by itself joins the entities"),
        ({"ignore_labels": "O"}, r"ignore_labels is 'O', but it lists names of labels\. Use a list such as \['O'\]"),
        ({"ignore_labels": [0]}, r"ignore_labels is \(0,\), but it lists names"),
        ({"delimiter": 3}, "delimiter is 3, but it is what stands between words"),
        ({"aggregation_strategy": "median"}, "aggregation_strategy is 'median', which is no choice .* none, simple, first"),
        ({"scheme": "BILOU"}, "scheme is 'BILOU', which is no choice"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises((TaskError, ConfigError), match=message):
        TASK.choose(options)


def test_options_of_transformers_are_understood():
    assert TASK.choose({"grouped_entities": True}).aggregation_strategy == "simple"
    assert TASK.choose({"grouped_entities": True, "ignore_subwords": True}).aggregation_strategy == "first"
    assert TASK.choose({"ignore_subwords": True, "aggregation_strategy": "max"}).aggregation_strategy == "none"
    assert TASK.choose({"aggregation_strategy": "AVERAGE"}).aggregation_strategy == "average"
    nothing = dict.fromkeys(
        ["aggregation_strategy", "ignore_labels", "delimiter", "stride", "grouped_entities", "ignore_subwords"]
    )
    assert TASK.choose(nothing) == TASK.choose({})


def test_one_list_of_words_is_one_input_and_columns_hold_texts_or_words():
    assert TASK.read_call((["a", "b"],), PRE_SPLIT) == ([["a", "b"]], PRE_SPLIT)
    assert TASK.read_call(([["a"], ["b"]],), PRE_SPLIT) == ([["a"], ["b"]], PRE_SPLIT)
    assert TASK.read_call((["a", "b"],), {}) == (["a", "b"], {})
    assert TASK.table.find(["id", "text", "tokens"]) == {"text": "tokens"}
    assert TASK.table.item({"text": "a b"}) == "a b"
    assert TASK.table.item({"text": ["a", "b"]}) == {"words": ["a", "b"]}


def test_rows_hold_the_list_under_its_name(tiny_tokenizer):
    assert prepared(tiny_tokenizer).row([{"entity": "B-PER"}]) == {"entities": [{"entity": "B-PER"}]}
    assert [column.name for column in prepared(tiny_tokenizer, each_word=True).columns] == ["words"]
    kinds = {name: prepared(tiny_tokenizer, aggregation_strategy=name).columns[0].kind for name in ("none", "max")}
    assert [column.name for column in kinds["none"]] == ["entity", "score", "index", "word", "start", "end"]
    assert [column.name for column in kinds["max"]] == ["entity_group", "score", "word", "start", "end"]

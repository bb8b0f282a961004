"""Token classification against transformers' pipeline: the same entities, from the same folder.

Where transformers is wrong, ours differs: each difference is one function or class below, and the page on the task in docs shows
the cases. White space that some tokenizers count to the word behind it is in no entity of ours (``without_white_space``); words
are what the tokenizer numbers as such, or what the caller split, and pieces are joined once (``ByWordNumbers``). For WordPiece
all is equal as it stands, but for words that were split and for letters whose marks stand apart.
"""

import random
from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers

import headway
from conftest import make_random_weights
from headway.tasks import task
from reference.hard_texts import HARD
from tasks.entity_models import KINDS, LABELS, LINES, save_model

PLAIN = ["John Smith lives in New York", "The Johnson library of Zealand", "", "York", "Kraków", "the movie was great fun"]
HARDER = HARD[::3]
TEXTS = [*LINES, *PLAIN, "in  Paris,\n(New York)  was he.", " lead and trail ", "漢字 ⟐ x⟐y", "Cafe\u0301 n\u0303o fo\x00o"]
WORDS = [["John", "Smith", "lives", "in", "U.N.", "Zürich's", "1996-08-30"], ["York"], ["New", "York", ",", "all-rounder", "."]]
LONG = [" ".join(LINES), " ".join(LINES * 2), LINES[0]]
GROUPING = ["simple", "first", "average", "max"]
ENGINES = ["onnx", "torch"]
TASK = task("ner")

pytestmark = pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")


class ByWordNumbers(transformers.TokenClassificationPipeline):
    """transformers' pipeline with one change: tokens are of one word where the tokenizer gives them one number."""

    def preprocess(self, sentence, offset_mapping=None, **params):
        windows = super().preprocess(sentence, offset_mapping, **params)
        if params["is_split_into_words"]:
            yield from windows
            return
        self.sentence, options = sentence, params.get("tokenizer_params", {})
        found = self.tokenizer(sentence, truncation=True, **options)
        for number, window in enumerate(windows):
            yield {**window, "word_ids": found.word_ids(number)}

    def gather_pre_entities(self, sentence, *arguments, word_ids=None, word_to_chars_map=None):
        found = super().gather_pre_entities(sentence, *arguments, word_ids=word_ids, word_to_chars_map=word_to_chars_map)
        for entity in found:
            entity["number"] = word_ids[entity["index"]]
        for before, entity in pairwise(found):
            entity["is_subword"] = before["number"] == entity["number"]
        if word_to_chars_map is not None or arguments[4] in ("none", "simple"):
            return found
        named = {entity["number"] for entity in found if sentence[entity["start"] : entity["end"]].strip()}
        return [entity for entity in found if entity["number"] in named]

    def aggregate_overlapping_entities(self, entities):
        return super().aggregate_overlapping_entities(without_white_space(entities, self.sentence))

    def aggregate_word(self, entities, strategy):
        return {**super().aggregate_word(entities, strategy), "pieces": [entity["word"] for entity in entities]}

    def group_sub_entities(self, entities):
        pieces = [piece for entity in entities for piece in entity.get("pieces", [entity["word"]])]
        return {**super().group_sub_entities(entities), "word": self.tokenizer.convert_tokens_to_string(pieces)}


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    """``trio(kind, engine)``: ours, theirs, and theirs by word numbers."""
    folders, made = {}, {}

    def make(kind, engine="onnx"):
        if kind not in folders:
            folders[kind] = save_model(tmp_path_factory.mktemp(kind), kind)
            made[kind] = theirs_from(folders[kind])
        if (kind, engine) not in made:
            made[kind, engine] = headway.pipeline("ner", folders[kind], engine=engine, precision="fp32")
        return made[kind, engine], *made[kind]

    return make


def theirs_from(folder):
    theirs = transformers.pipeline("ner", str(folder), device="cpu")
    return theirs, ByWordNumbers(model=theirs.model, tokenizer=theirs.tokenizer, device="cpu")


def without_white_space(entities, text):
    """Their entities as ours: without white space at their ends, and no group of white space alone."""
    found = []
    for entity in entities:
        part = text[entity["start"] : entity["end"]]
        start = entity["end"] - len(part.lstrip())
        if part.strip() or "index" in entity:
            found.append({**entity, "start": start, "end": start + len(part.strip())})
    return found


def assert_same(ours, theirs, *, spaces_count=True):
    """Equal but for rounding; perhaps also but for spaces in words, which stand for white space between them."""
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert list(our) == list(their)
        assert type(our["score"]) is float
        assert our["score"] == pytest.approx(float(their["score"]), abs=1e-4)
        words = (our["word"], their["word"]) if spaces_count else ["".join(one["word"].split()) for one in (our, their)]
        assert words[0] == words[1]
        assert all(our[name] == their[name] for name in our if name not in ("score", "word"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_and_their_groups(trio, kind, engine):
    ours, theirs, _ = trio(kind, engine)
    for options in ({"ignore_labels": []}, {"aggregation_strategy": "simple", "ignore_labels": ["O", "LOC"]}):
        expected = theirs([*TEXTS, *HARDER], **options)
        for text, our, their in zip([*TEXTS, *HARDER], ours([*TEXTS, *HARDER], **options), expected, strict=True):
            assert_same(our, without_white_space(their, text))


@pytest.mark.parametrize("strategy", GROUPING[1:])
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_words_of_wordpiece_are_theirs(trio, kind, strategy):
    ours, theirs, _ = trio(kind)
    texts = [*TEXTS, *HARDER]
    for our, their in zip(ours(texts, aggregation_strategy=strategy), theirs(texts, aggregation_strategy=strategy), strict=True):
        assert_same(our, their)


@pytest.mark.parametrize("strategy", GROUPING[1:])
@pytest.mark.parametrize("kind", ["roberta", "deberta-v2"])
def test_words_between_single_spaces_are_theirs_whatever_the_tokenizer(trio, kind, strategy):
    ours, theirs, _ = trio(kind)
    words = [word for word in " ".join(LINES).split() if word.isalpha() and word.isascii()]
    whole = [word for word in words if not {"Ġ", "▁"} & {*ours.tokenizer.tokenize(f"of {word}")}]  # to theirs a word of its own
    texts = [" ".join(whole[start : start + 5]) for start in range(len(whole) - 4)]
    assert len(texts) > 5
    for text, our, their in zip(
        texts, ours(texts, aggregation_strategy=strategy), theirs(texts, aggregation_strategy=strategy), strict=True
    ):
        assert_same(our, without_white_space(their, text), spaces_count=kind == "roberta")


@pytest.mark.parametrize("strategy", GROUPING[1:])
@pytest.mark.parametrize("kind", ["roberta", "deberta-v2"])
def test_all_else_is_theirs_once_words_are_those_of_the_tokenizer(trio, kind, strategy):
    ours, _, theirs = trio(kind)
    texts = [*TEXTS, *HARDER]
    expected = theirs(texts, aggregation_strategy=strategy, ignore_labels=["LOC"])
    found = ours(texts, aggregation_strategy=strategy, ignore_labels=["LOC"])
    for text, our, their in zip(texts, found, expected, strict=True):
        assert_same(our, without_white_space(their, text), spaces_count=not set(text) & set("\t\n\r\u2028") and "  " not in text)


@pytest.mark.parametrize("strategy", ["simple", "average"])
@pytest.mark.parametrize("kind", KINDS)
def test_stride_reads_long_texts_in_windows_and_merges_their_entities(trio, kind, strategy):
    ours, _, theirs = trio(kind)
    for stride in (0, 11):
        expected = theirs(LONG, aggregation_strategy=strategy, stride=stride)
        found = ours(LONG, aggregation_strategy=strategy, stride=stride)
        for text, our, their in zip(LONG, found, expected, strict=True):
            assert_same(our, without_white_space(their, text))
    assert any(entity["end"] > 500 for entity in found[1])


@pytest.mark.parametrize("strategy", ["none", *GROUPING])
@pytest.mark.parametrize("kind", KINDS)
def test_words_that_were_split(trio, kind, strategy):
    ours, theirs, by_numbers = trio(kind)
    theirs = theirs if strategy in ("none", "simple") else by_numbers
    for delimiter in (None, "", " / "):
        options = {"is_split_into_words": True, "delimiter": delimiter, "aggregation_strategy": strategy}
        texts = [(" " if delimiter is None else delimiter).join(words) for words in WORDS]
        for inputs in (WORDS, WORDS[0]):
            found, expected = ours(inputs, **options), theirs(inputs, **options)
            for text, our, their in zip(texts, found, expected, strict=False):
                assert_same(our, without_white_space(their, text))
            assert len(found) == len(expected)


def test_forms_of_answers(trio):
    ours, theirs, _ = trio("bert")
    for inputs in (TEXTS[0], TEXTS[:1], TEXTS[:3], "", [""]):
        assert shape(ours(inputs)) == shape(theirs(inputs))
    assert shape(list(ours(iter(TEXTS)))) == shape(list(theirs(text for text in TEXTS)))
    for options in ({"grouped_entities": True, "ignore_subwords": True}, {"grouped_entities": False}, {"ignore_subwords": True}):
        with pytest.warns():
            expected = theirs(TEXTS[0], **options)
        assert_same(ours(TEXTS[0], **options), expected)


def shape(answer):
    return [shape(one) for one in answer] if isinstance(answer, list) else list(answer)


@pytest.fixture(scope="module")
def conll(data_folder):
    """301 sentences of CoNLL-2003, as words."""
    blocks = (data_folder / "conll2003" / "validation.txt").read_text(encoding="utf-8").strip().split("\n\n")
    sentences = [[line.split()[0] for line in block.splitlines()] for block in blocks]
    return random.Random(0).sample([words for words in sentences if words[0] != "-DOCSTART-"], 301)


def by_strategy(theirs, texts, names=("none", *GROUPING)):
    """Their answers with each strategy, for which the model runs once."""
    windows = [next(iter(theirs.preprocess(text, is_split_into_words=False))) for text in texts]
    order, logits = sorted(range(len(texts)), key=lambda place: windows[place]["input_ids"].shape[-1]), {}
    for start in range(0, len(order), 16):
        chosen = order[start : start + 16]
        lengths = [windows[place]["input_ids"].shape[-1] for place in chosen]
        batch = theirs.tokenizer.pad({"input_ids": [windows[place]["input_ids"][0] for place in chosen]}, return_tensors="pt")
        with torch.inference_mode():
            rows = theirs.model(**batch).logits
        logits |= {place: row[None, :length] for place, row, length in zip(chosen, rows, lengths, strict=True)}
    outputs = [[{"word_ids": None, **window, "logits": logits[place]}] for place, window in enumerate(windows)]
    strategies = {name: transformers.pipelines.token_classification.AggregationStrategy(name) for name in names}
    return {name: [theirs.postprocess(found, strategy) for found in outputs] for name, strategy in strategies.items()}


def ours_by_strategy(pipe, texts):
    """Our answers in the same way."""
    ready = {name: TASK.prepare(pipe.facts, TASK.choose({"aggregation_strategy": name})) for name in ("none", *GROUPING)}
    encoded = ready["none"].encode(texts)
    outputs = [pipe.engine.run(found.sequences)[0] for found in encoded]
    parts = [ready["none"].reduce(output, found, part=0) for output, found in zip(outputs, encoded, strict=True)]
    return {name: [one.decode([part], found) for part, found in zip(parts, encoded, strict=True)] for name, one in ready.items()}


@pytest.mark.data
def test_real_texts_with_the_real_minilm(minilm_folder, conll, tmp_path):
    model = transformers.BertForTokenClassification.from_pretrained(
        minilm_folder, id2label=dict(enumerate(LABELS)), label2id={label: index for index, label in enumerate(LABELS)}
    )
    with torch.no_grad():
        for name, values in make_random_weights({"weight": (7, 384), "bias": (7,)}).items():
            getattr(model.classifier, name).copy_(torch.from_numpy(values))
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(minilm_folder).save_pretrained(tmp_path)
    ours, (theirs, _) = headway.pipeline("ner", tmp_path, precision="fp32"), theirs_from(tmp_path)
    texts = [" ".join(words) for words in conll]
    by_ours = ours_by_strategy(ours, texts)
    for strategy, expected in by_strategy(theirs, texts).items():
        found = by_ours[strategy]
        assert sum(map(len, found)) > 1000
        for our, their in zip(found, expected, strict=True):
            assert_same(our, their)
    assert_same(*(pipe(" ".join(texts[:43]), aggregation_strategy="average", stride=64) for pipe in (ours, theirs)))


@pytest.mark.data
@pytest.mark.parametrize("kind", KINDS)
def test_real_texts_with_four_families(trio, conll, kind):
    ours, theirs, by_numbers = trio(kind)
    texts = [" ".join(words) for words in conll]
    assert len(texts) == 301
    by_ours = ours_by_strategy(ours, texts)
    pipe = theirs if kind in ("bert", "distilbert") else by_numbers
    for strategy, expected in by_strategy(pipe, texts, ("simple", "average")).items():
        assert sum(map(len, expected)) > 400
        for text, our, their in zip(texts, by_ours[strategy], expected, strict=True):
            assert_same(our, without_white_space(their, text))


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:.*byte fallback option")
@pytest.mark.parametrize("kind", ["roberta", "deberta-v2"])
def test_real_texts_with_the_real_vocabularies(data_folder, conll, tmp_path, kind):
    names = {"roberta": "roberta-base", "deberta-v2": "deberta-v3"}
    files = {path.name: path for path in (data_folder / "vocab" / names[kind]).iterdir()}
    if kind == "roberta":
        tokenizer = transformers.RobertaTokenizerFast(str(files["vocab.json"]), str(files["merges.txt"]))
    else:
        tokenizer = transformers.DebertaV2TokenizerFast(str(files["spm.model"]), split_by_punct=False)
    save_model(tmp_path, kind, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    tokenizer.model_max_length = 41
    tokenizer.save_pretrained(tmp_path)
    ours, (theirs, by_numbers) = headway.pipeline("ner", tmp_path, precision="fp32"), theirs_from(tmp_path)
    texts = [" ".join(words) for words in conll[:101]]
    plain, numbered = by_strategy(theirs, texts), by_strategy(by_numbers, texts)
    for strategy, found in ours_by_strategy(ours, texts).items():
        expected = (plain if strategy in ("none", "simple") else numbered)[strategy]
        assert sum(map(len, found)) > 300
        for text, our, their in zip(texts, found, expected, strict=True):
            assert_same(our, without_white_space(their, text))


CASES = [
    # kind, input, labels by where their token begins (O elsewhere), theirs, ours: with the strategy "first"
    pytest.param("roberta", "of Zürich, York", {3: "B-LOC"}, [(" Zürich,", 3, 10)], [(" Zürich", 3, 9)], id="comma"),
    pytest.param("roberta", "John's York", {0: "B-PER"}, [(" John's", 0, 6)], [(" John", 0, 4)], id="genitive"),
    pytest.param("roberta", "of\nJohn", {0: "B-LOC"}, [(" of\nJohn", 0, 7)], [(" of", 0, 2)], id="a line that ends"),
    pytest.param("deberta-v2", "of New York", {3: "B-LOC", 7: "I-LOC"}, [("NewYork", 2, 11)], [("New York", 3, 11)], id="spaces"),
    pytest.param("deberta-v2", "in John⟐", {3: "B-PER"}, [("John", 2, 7)], [("John⟐", 3, 8)], id="an unknown letter"),
    pytest.param("bert", "we fi\u00adlm", {0: "B-LOC"}, [("we film", 0, 8)], [("we", 0, 2)], id="a soft hyphen"),
    pytest.param("bert", ["U.N.", "film"], {0: "B-ORG"}, [("u", 0, 1)], [("u. n.", 0, 4)], id="words that were split"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "item", "wanted", "expected", "right"), CASES)
def test_the_cases_of_the_documentation(trio, kind, item, wanted, expected, right):
    ours, theirs, _ = trio(kind)
    is_split = {"is_split_into_words": isinstance(item, list)}
    ready = TASK.prepare(ours.facts, TASK.choose({"aggregation_strategy": "first", **is_split}))
    (encoded,) = ready.encode([item])
    (tokens,) = encoded.memory.windows
    logits = np.zeros((len(tokens.pieces), len(LABELS)), np.float32)
    for place, row in enumerate(tokens.places):
        logits[row, LABELS.index(wanted.get(tokens.span(place, place)[0], "O"))] = 9
    (window,) = theirs.preprocess(item, **is_split, **({"delimiter": " "} if is_split["is_split_into_words"] else {}))
    strategy = transformers.pipelines.token_classification.AggregationStrategy.FIRST
    found = theirs.postprocess([{"word_ids": None, **window, "logits": torch.from_numpy(logits)[None]}], strategy)
    assert [(entity["word"], entity["start"], entity["end"]) for entity in found] == expected
    found = ready.decode([ready.reduce({"logits": logits}, encoded, part=0)], encoded)
    assert [(entity["word"], entity["start"], entity["end"]) for entity in found] == right

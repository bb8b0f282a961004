import json

import numpy as np
import pytest

from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError, TaskError
from headway.families import family
from headway.tasks import Call, Encoded, ModelFacts, task
from headway.tasks.ranking_inputs import read_call, read_ranking
from headway.tasks.reranking import Memory
from headway.text.state import State

TASK = task("reranking")
LOGITS = [np.log(3), 0, np.log(9), 0]  # sigmoid 3/4, 1/2, 9/10, 1/2


def facts(tokenizer, *, folder=None, positions=17, num_labels=1, **config):
    settings = {"num_labels": num_labels, **config}
    bert = family("bert").config(max_position_embeddings=positions, vocab_size=101, **settings)
    return ModelFacts(tokenizer=tokenizer, config=bert, folder=folder)


def prepared(tokenizer, *, model=None, **options):
    return TASK.prepare(facts(tokenizer, **model or {}), TASK.choose(options))


def words(tokenizer, encoded):
    return [tokenizer.decode(list(sequence.ids)) for sequence in encoded.sequences]


def answer(tokenizer, logits=LOGITS, *, parts=None, model=None, **options):
    """The answer for documents a, b, c … with one logit each, or with those of the ``parts``."""
    ready = prepared(tokenizer, model=model, **options)
    parts = parts or [range(place, place + 1) for place in range(len(logits))]
    memory = Memory("abcdefg"[: len(parts)], parts)
    encoded = Encoded((TokenSequence([2, 3]),) * len(logits), memory)
    found = [ready.reduce({"logits": np.array([logit])}, encoded, part=part) for part, logit in enumerate(logits)]
    return ready.decode(found, encoded)


def test_each_document_makes_a_pair_with_its_query(tiny_tokenizer):
    items = [{"query": "the dog", "documents": ["a cat", "good"]}, {"query": "this", "documents": ["a cat"]}]
    first, second = prepared(tiny_tokenizer).encode(items)
    assert words(tiny_tokenizer, first) == ["[CLS] the dog [SEP] a cat [SEP]", "[CLS] the dog [SEP] good [SEP]"]
    assert words(tiny_tokenizer, second) == ["[CLS] this [SEP] a cat [SEP]"]
    assert list(first.sequences[1].type_ids) == [0, 0, 0, 0, 1, 1]


def test_every_text_is_tokenised_once_and_equal_documents_are_computed_once(tiny_tokenizer, monkeypatch):
    read, encode = [], State.encode
    monkeypatch.setattr(State, "encode", lambda state, inputs, **options: read.extend(inputs) or encode(state, inputs, **options))
    items = [{"query": "dog", "documents": ["a cat", "good", "a cat", "A Cat"]}, {"query": "this", "documents": ["good"]}]
    first, _ = prepared(tiny_tokenizer).encode(items)
    assert sorted(read) == ["A Cat", "a cat", "dog", "good", "this"]
    assert len(first.sequences) == 2
    assert first.memory.parts == [range(1), range(1, 2), range(1), range(1)]


def test_documents_come_best_first_and_equal_ones_in_their_order(tiny_tokenizer):
    found = answer(tiny_tokenizer)
    assert [one["corpus_id"] for one in found] == [2, 0, 1, 3]
    assert [one["score"] for one in found] == pytest.approx([0.9, 0.75, 0.5, 0.5])


def test_top_k_documents_come_with_their_texts_where_that_is_asked_for(tiny_tokenizer):
    found = answer(tiny_tokenizer, top_k=2, return_documents=True)
    assert found == [
        {"corpus_id": 2, "score": pytest.approx(0.9), "text": "c"},
        {"corpus_id": 0, "score": pytest.approx(0.75), "text": "a"},
    ]
    assert len(answer(tiny_tokenizer, top_k=99)) == 4


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        pytest.param({}, {}, 0.75, id="sigmoid"),
        pytest.param({}, {"function_to_apply": "none"}, np.log(3), id="as asked"),
        pytest.param(
            {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, {}, np.log(3), id="config"
        ),
        pytest.param({"sentence_transformers": {"version": "4.0.1"}}, {}, 0.75, id="config without a function"),
        pytest.param(
            {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, {}, np.log(3), id="old config"
        ),
        pytest.param(
            {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}
            | {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"},
            {},
            0.75,
            id="the present form wins",
        ),
        pytest.param({"problem_type": "regression"}, {}, 0.75, id="as sentence-transformers, whatever the problem type"),
        pytest.param(
            {"sbert_ce_default_activation_function": "own.Function"}, {"function_to_apply": "sigmoid"}, 0.75, id="asked, not read"
        ),
    ],
)
def test_logits_become_scores_as_the_models_files_say(tiny_tokenizer, model, options, expected):
    assert answer(tiny_tokenizer, [np.log(3)], model=model, **options)[0]["score"] == pytest.approx(expected)


def test_a_folders_own_file_says_more_than_its_configuration(tiny_tokenizer, tmp_path):
    said = {"activation_fn": "torch.nn.modules.linear.Identity", "prompts": {"ask": "the "}, "default_prompt_name": "ask"}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(said))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 7, "do_lower_case": True}))
    model = {"folder": tmp_path, "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}}
    assert answer(tiny_tokenizer, [np.log(3)], model=model)[0]["score"] == pytest.approx(np.log(3))
    (encoded,) = prepared(tiny_tokenizer, model=model).encode([{"query": "DOG", "documents": "a good cat"}])
    assert words(tiny_tokenizer, encoded) == ["[CLS] the dog [SEP] a good [SEP]"]
    assert encoded.memory.documents == ("a good cat",)


def test_a_prompt_stands_before_the_query_only(tiny_tokenizer, tmp_path):
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"ask": "the ", "other": None}}))
    item = {"query": "dog", "documents": ["cat"]}
    for options, expected in (
        ({}, "dog"),
        ({"prompt": "a "}, "a dog"),
        ({"prompt_name": "ask"}, "the dog"),
        ({"prompt_name": "other"}, "dog"),
    ):
        (encoded,) = prepared(tiny_tokenizer, model={"folder": tmp_path}, **options).encode([item])
        assert words(tiny_tokenizer, encoded) == [f"[CLS] {expected} [SEP] cat [SEP]"]
    with pytest.raises(TaskError, match=r"prompt_name is 'asks', but the model's prompts are ask, other\. Name one of them"):
        prepared(tiny_tokenizer, model={"folder": tmp_path}, prompt_name="asks")
    with pytest.raises(TaskError, match=r"prompt_name is 'ask', but the model's prompts are \(none\)"):
        prepared(tiny_tokenizer, prompt_name="ask")


def test_a_function_that_is_not_computed_here_is_refused_with_the_way_out(tiny_tokenizer):
    with pytest.raises(TaskError, match=r"name 'torch\.nn\.Tanh' as what turns logits into scores.* function_to_apply='sigmoid'"):
        prepared(tiny_tokenizer, model={"sbert_ce_default_activation_function": "torch.nn.Tanh"})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"label": "yes"}, 0.6, id="softmax"),
        pytest.param({"label": "no"}, 0.1, id="another label"),
        pytest.param({"label": "yes", "function_to_apply": "sigmoid"}, 6 / 7, id="sigmoid"),
    ],
)
def test_of_several_labels_one_can_be_named(tiny_tokenizer, options, expected):
    ready = prepared(tiny_tokenizer, model={"num_labels": 3, "id2label": {0: "no", 1: "perhaps", 2: "yes"}}, **options)
    logits = np.log([1, 3, 6])
    assert ready.reduce({"logits": logits}, Encoded((TokenSequence([2, 3]),)), part=0) == pytest.approx(expected)


def test_a_model_of_several_labels_needs_one_named(tiny_tokenizer):
    model = {"num_labels": 2, "id2label": {0: "no", 1: "yes"}}
    with pytest.raises(TaskError, match=r"This model has 2 labels \(no, yes\), so .* Name the label, label='yes', or choose"):
        prepared(tiny_tokenizer, model=model)
    with pytest.raises(TaskError, match=r"label is 'perhaps', which is none of the model's: no, yes\. Name one of these"):
        prepared(tiny_tokenizer, model=model, label="perhaps")
    assert prepared(tiny_tokenizer, model={"id2label": {0: "relevance"}}, label="relevance").place == 0


def test_a_softmax_over_one_label_is_refused(tiny_tokenizer):
    with pytest.raises(TaskError, match=r"has a single label, whose score would always be 1\. Use 'sigmoid' or 'none'"):
        prepared(tiny_tokenizer, function_to_apply="softmax")


@pytest.mark.parametrize(
    ("query", "document", "expected"),
    [
        pytest.param("dog", "cat " * 99, "dog [SEP] " + "cat " * 13, id="a long document"),
        pytest.param("dog " * 99, "cat", "dog " * 13 + "[SEP] cat ", id="a long query"),
        pytest.param("dog " * 99, "cat " * 98, "dog " * 7 + "[SEP] " + "cat " * 7, id="both"),
    ],
)
def test_what_is_too_long_is_cut_from_the_longer_first(tiny_tokenizer, query, document, expected):
    (encoded,) = prepared(tiny_tokenizer).encode([{"query": query, "documents": [document]}])
    assert words(tiny_tokenizer, encoded) == [f"[CLS] {expected}[SEP]"]


def test_a_long_document_is_read_in_windows_beside_the_whole_query(tiny_tokenizer):
    item = {"query": "a b", "documents": ["cat", "a b c d e f g h i j k l m n o p q r s t"]}  # 12 a window
    (encoded,) = prepared(tiny_tokenizer, overflow="window", stride=4).encode([item])
    assert words(tiny_tokenizer, encoded) == [
        "[CLS] a b [SEP] cat [SEP]",
        "[CLS] a b [SEP] a b c d e f g h i j k l [SEP]",
        "[CLS] a b [SEP] i j k l m n o p q r s t [SEP]",
    ]
    assert encoded.memory.parts == [range(1), range(1, 3)]


def test_a_long_query_keeps_half_of_a_window(tiny_tokenizer):
    item = {"query": "dog " * 50, "documents": ["cat " * 18]}
    (encoded,) = prepared(tiny_tokenizer, overflow="window").encode([item])  # a quarter of 7 is shared
    assert words(tiny_tokenizer, encoded)[0] == "[CLS] " + "dog " * 7 + "[SEP] " + "cat " * 7 + "[SEP]"
    assert [len(sequence) for sequence in encoded.sequences] == [17, 17, 16]


@pytest.mark.parametrize(("join", "expected"), [("max", 0.9), ("mean", 0.825), ("first", 0.75)])
def test_windows_are_joined_as_asked(tiny_tokenizer, join, expected):
    found = answer(tiny_tokenizer, [0, np.log(3), np.log(9)], parts=[range(1), range(1, 3)], join=join)
    assert found[0] == {"corpus_id": 1, "score": pytest.approx(expected)}
    assert found[1] == {"corpus_id": 0, "score": pytest.approx(0.5)}


def test_texts_that_are_too_long_are_refused_where_that_is_asked_for(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, overflow="error")
    with pytest.raises(InputError, match='A text has 24 tokens, but the model reads at most 17, and overflow="error"'):
        ready.encode([{"query": "dog", "documents": ["cat", "cat " * 20]}])
    assert len(ready.encode([{"query": "dog", "documents": ["cat " * 13]}])[0].sequences[0]) == 17


def test_tokens_left_out_are_those_that_no_pair_holds(tiny_tokenizer):
    items = [
        {"query": "dog", "documents": ["cat " * 20, "cat", "cat " * 20]},
        {"query": "dog " * 20, "documents": ["cat " * 30, "a b"]},
        {"query": "dog " * 20, "documents": []},
    ]
    assert [found.dropped for found in prepared(tiny_tokenizer, count_dropped=True).encode(items)] == [14, 23 + 8, 0]
    windows = prepared(tiny_tokenizer, count_dropped=True, overflow="window")
    assert [found.dropped for found in windows.encode(items)] == [0, 8, 0]
    assert [found.dropped for found in prepared(tiny_tokenizer).encode(items)] == [0, 0, 0]


def test_a_query_without_documents_has_an_empty_ranking(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    (encoded,) = ready.encode([{"query": "dog", "documents": []}])
    assert encoded.sequences == ()
    assert ready.decode([], encoded) == []
    assert ready.row([]) == {"score": None, "ranking": []}


@pytest.mark.parametrize("stride", [-1, 2.5, True])
def test_a_stride_that_counts_no_tokens_is_refused(tiny_tokenizer, stride):
    with pytest.raises(ConfigError, match=r"stride is .*, but it counts the tokens that windows share"):
        prepared(tiny_tokenizer, overflow="window", stride=stride).encode([{"query": "dog", "documents": ["cat"]}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"top_k": 0}, r"top_k is 0, but it counts answers", id="top_k"),
        pytest.param({"return_documents": "no"}, r"return_documents is 'no', but it is on or off", id="a word"),
        pytest.param({"join": "sum"}, r"join is 'sum', which is no choice of this task's; known are max, mean, first", id="join"),
        pytest.param({"prompt": "a", "prompt_name": "b"}, r"both say what to put before a query\. Give one", id="two prompts"),
        pytest.param({"prompt": 5}, r"prompt is 5, but it is put before each query, so it is a text", id="a prompt of numbers"),
        pytest.param({"topk": 5}, r"text-ranking has no option 'topk'", id="name"),
    ],
)
def test_a_wrong_option_says_what_is_wrong(options, message):
    with pytest.raises(TaskError, match=message):
        TASK.choose(options)


def test_options_of_sentence_transformers_that_change_nothing_are_accepted():
    assert TASK.choose({"show_progress_bar": True, "convert_to_numpy": False, "top_k": 2}) == TASK.choose({"top_k": 2})


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({"query": "a", "documents": ["b", "c"]}, ("a", ("b", "c")), id="documents"),
        pytest.param({"query": "a", "texts": ("b",)}, ("a", ("b",)), id="texts"),
        pytest.param({"documents": "b", "query": {"text": "a"}}, ("a", ("b",)), id="a lone document"),
        pytest.param({"query": "a", "documents": [{"text": "b"}, "c"]}, ("a", ("b", "c")), id="texts by name"),
        pytest.param({"query": "a", "documents": {"text": "b"}}, ("a", ("b",)), id="a lone text by name"),
        pytest.param({"query": "a", "documents": np.array(["b", "c"])}, ("a", ("b", "c")), id="array"),
        pytest.param({"query": "", "documents": []}, ("", ()), id="nothing"),
    ],
)
def test_a_query_comes_with_its_documents(item, expected):
    assert read_ranking(item) == expected


@pytest.mark.parametrize(
    ("item", "message"),
    [
        pytest.param(
            "a", r"An input is str 'a', where a query with its documents \(.*\) belongs\. Give its documents too", id="text"
        ),
        pytest.param(("a", "b"), r"An input is tuple .* For one query, write rank\(\"query\", \[\"document\", …\]\)", id="tuple"),
        pytest.param(None, r"An input is None, where a query with its documents .* Leave it out\.", id="None"),
        pytest.param(
            {"query": "a"}, r"An input has the keys 'query', but a query has \"query\" and \"documents\"", id="no documents"
        ),
        pytest.param({"query": "a", "documents": [], "texts": []}, r"has the keys 'query', 'documents', 'texts'", id="twice"),
        pytest.param({"query": "a", "documents": [], "id": 1}, r"has the keys 'query', 'documents', 'id'", id="more"),
        pytest.param({}, r"An input has the keys none", id="empty"),
        pytest.param({"query": 3, "documents": []}, r"An input is int 3, where a text", id="a number asks"),
        pytest.param({"query": "a", "documents": ["b", None]}, r"An input is None, where a text", id="a document that is none"),
        pytest.param({"query": "a", "documents": [["b"]]}, r"An input is list \['b'\], where a text", id="lists in the list"),
        pytest.param({"query": "a", "documents": None}, r"An input is None, where a list of documents .* empty list", id="None"),
        pytest.param({"query": "a", "documents": 7}, r"An input is int 7, where a list of documents", id="a number"),
        pytest.param({"query": "a", "documents": b"b"}, r"An input is bytes b'b', where a list of .* Decode it", id="bytes"),
        pytest.param({"query": "a", "documents": (b for b in "b")}, r"is generator .* Make it a list: list\(", id="generator"),
    ],
)
def test_what_is_no_query_with_documents_is_refused(item, message):
    with pytest.raises(InputError, match=message):
        read_ranking(item)


PAIR = {"query": "a", "documents": ["b"]}


@pytest.mark.parametrize(
    ("arguments", "named", "expected"),
    [
        pytest.param(("a", ["b"]), {"top_k": 3}, (PAIR, {"top_k": 3}), id="both by position"),
        pytest.param((), {"query": "a", "documents": ["b"]}, (PAIR, {}), id="both by name"),
        pytest.param((), {"query": "a", "texts": ["b"]}, ({"query": "a", "texts": ["b"]}, {}), id="texts"),
        pytest.param(("a",), {"documents": ["b"]}, (PAIR, {}), id="documents by name"),
        pytest.param((["b"],), {"query": "a"}, (PAIR, {}), id="the query by name"),
        pytest.param((PAIR,), {}, (PAIR, {}), id="a mapping"),
        pytest.param(([PAIR, PAIR],), {}, ([PAIR, PAIR], {}), id="a list"),
        pytest.param((), {"inputs": PAIR, "top_k": 2}, (PAIR, {"top_k": 2}), id="inputs"),
    ],
)
def test_calls_give_a_query_and_documents_in_many_ways(arguments, named, expected):
    assert read_call(arguments, named) == expected


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("a", ["b"], 3), {}),
        (("a", ["b"]), {"query": "c"}),
        (("a", ["b"]), {"documents": ["c"]}),
        ((), {"query": "a"}),
        ((), {"documents": ["b"]}),
        (("a",), {"documents": ["b"], "texts": ["c"]}),
        ((), {"query": "a", "documents": ["b"], "texts": ["c"]}),
        ((), {"query": "a", "documents": ["b"], "inputs": PAIR}),
    ],
)
def test_a_call_with_too_much_or_too_little_is_refused(arguments, named):
    with pytest.raises(
        TaskError, match=r"A call takes a query and its documents, but .* Write rank\(query, documents, top_k=5\)"
    ):
        read_call(arguments, named)


def test_a_call_with_nothing_is_refused():
    with pytest.raises(TaskError, match=r"A call takes one argument"):
        read_call((), {"top_k": 2})


def test_rows_hold_a_query_and_one_document_or_a_list():
    find = TASK.table.find
    assert find(["id", "query", "passage"]) == {"query": "query", "documents": "passage"}
    assert find(["question", "documents", "text"]) == {"query": "question", "documents": "documents"}
    assert TASK.table.item({"query": "a", "documents": "b"}) == {"query": "a", "documents": "b"}


def test_answers_become_rows(tiny_tokenizer):
    found = [{"corpus_id": 1, "score": 0.75, "text": "b"}]
    ready = prepared(tiny_tokenizer, return_documents=True)
    assert ready.row(found) == {"score": 0.75, "ranking": found}
    score, ranking = ready.columns
    assert (score.name, ranking.name, ranking.depth) == ("score", "ranking", 1)
    assert [column.name for column in ranking.kind] == ["corpus_id", "score", "text"]
    assert [column.name for column in prepared(tiny_tokenizer).columns[1].kind] == ["corpus_id", "score"]


def test_answers_come_alone_or_in_a_list(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    assert ready.present([[1]], Call("item")) == [1]
    assert ready.present([[1]], Call("list")) == [[1]]

"""Question answering against transformers' pipeline, which has it until 5.3: the same weights, the same answers.

Where ours differ on purpose is said by ``expected`` and at the end of this file, and in docs/tasks/question-answering.md.
"""

import io
import json
from pathlib import Path

import pytest
import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, trainers

from conftest import ROOT, make_random_weights
from headway import Pipeline, pipeline
from headway.tasks import task
from headway.tasks.question_inputs import squad_rows
from headway.text import Tokenizer, train_wordpiece

pytestmark = [
    pytest.mark.filterwarnings("ignore:The sentencepiece tokenizer that you are converting:UserWarning"),
    pytest.mark.filterwarnings("ignore:topk parameter is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing .* to the pipeline is deprecated:FutureWarning"),
]

LINES = (ROOT / "examples" / "corpus.txt").read_text(encoding="utf-8").splitlines()[:60]
OTHERS = (
    "Zürich, the “old” Café (est. 1873): £4.50 – naïve coöperation? 東京タワー は 333 m; Привет, мир! "
    "e\u0301te\u0301 \N{LATIN SMALL LIGATURE FI}ne \N{GRINNING FACE} end."
)
SIZES = {"num_hidden_layers": 2, "hidden_size": 28, "num_attention_heads": 4, "intermediate_size": 37}
FAMILIES = {
    "bert": ("Bert", {**SIZES, "max_position_embeddings": 79}),
    "roberta": ("Roberta", {**SIZES, "max_position_embeddings": 81, "type_vocab_size": 1}),
    "deberta-v2": (
        "DebertaV2",
        {**SIZES, "max_position_embeddings": 79, "type_vocab_size": 0, "relative_attention": True, "pos_att_type": "c2p|p2c"}
        | {"position_buckets": 7, "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False},
    ),
    "distilbert": ("DistilBert", {"dim": 28, "n_layers": 2, "n_heads": 4, "hidden_dim": 37, "max_position_embeddings": 79}),
}


def write_vocabulary(folder: Path, family: str) -> None:
    """What old checkpoints of the family have for a tokenizer."""
    texts = [*LINES, *[OTHERS] * 3]
    if family == "roberta":
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=401, initial_alphabet=alphabet, special_tokens=special, show_progress=False)
        backend.train_from_iterator(texts, trainer)
        backend.model.save(str(folder))
    elif family == "deberta-v2":
        names = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
        places = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "byte_fallback": True}
        usual = {"vocab_size": 401, "hard_vocab_limit": False, "num_threads": 1, "minloglevel": 2}
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=written, **usual, **places, **names)
        (folder / "spm.model").write_bytes(written.getvalue())
    else:
        (folder / "lines.txt").write_text("\n".join(texts), encoding="utf-8")
        vocabulary = train_wordpiece([folder / "lines.txt"], vocab_size=401, progress=False).get_vocab()
        pieces = "".join(f"{piece}\n" for piece in sorted(vocabulary, key=vocabulary.__getitem__))
        (folder / "vocab.txt").write_text(pieces, encoding="utf-8")


def write_model(folder: Path, family: str, *, seed: int) -> None:
    """Random weights; those of the last layer are large, so that few spans are nearly equal."""
    name, settings = FAMILIES[family]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 79
    tokenizer.save_pretrained(folder)
    config = getattr(transformers, f"{name}Config")(**settings, vocab_size=len(tokenizer))
    model = getattr(transformers, f"{name}ForQuestionAnswering")(config)
    shapes = {weight: tuple(values.shape) for weight, values in model.named_parameters()}
    with torch.no_grad():
        for weight, values in make_random_weights(shapes, seed).items():
            scale = 4 if weight == "qa_outputs.weight" else 1
            model.get_parameter(weight).copy_(torch.from_numpy(values * scale))
    model.save_pretrained(folder)


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, tmp_path_factory):
    """Our pipeline and theirs on one folder."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "config.json").write_text(json.dumps({"model_type": request.param}))
    write_vocabulary(folder, request.param)
    write_model(folder, request.param, seed=len(request.param))
    return pipeline("question-answering", folder, precision="fp32"), their_pipeline(folder)


def their_pipeline(folder, **options):
    return transformers.pipeline("question-answering", str(folder), framework="pt", device="cpu", **options)


def expected(theirs):
    """transformers' answers to one question, with what is wrong in them mended, as a list.

    Where a window has fewer spans than are looked at, theirs has spans that end before they begin or are too long, with a score
    of 0. A score that several windows add up to may be more than 1.
    """
    real = [answer for answer in as_list(theirs) if answer["score"] > 0] or [{"score": 0.0, "start": 0, "end": 0, "answer": ""}]
    return [{**answer, "score": min(answer["score"], 1.0)} for answer in real]


def as_list(answers):
    return answers if isinstance(answers, list) else [answers]


def assert_same(ours, theirs, tolerance=1e-4):
    """Equal words and places, scores up to rounding."""
    wanted = expected(theirs)
    ours = as_list(ours)
    assert [{**answer, "score": 0} for answer in ours] == [{**answer, "score": 0} for answer in wanted]
    assert [answer["score"] for answer in ours] == pytest.approx([answer["score"] for answer in wanted], abs=tolerance)


LONG = " ".join(LINES[30:40])[:700]
PAIRS = [
    ("What did she say?", "She said: we went home. The dog, THE DOG, the Dog and two cats came in the evening!"),
    ("where", OTHERS),
    ("Who came in the evening, and why?", LONG),
    ("How much is the café?", f"{OTHERS} {LINES[50][:200]} {OTHERS}"),
]
QUESTIONS, CONTEXTS = map(list, zip(*PAIRS, strict=True))
OPTIONS = [
    {},
    {"top_k": 3},
    {"top_k": 7, "max_answer_len": 3},
    {"topk": 2, "align_to_words": False},
    {"align_to_words": False},
    {"handle_impossible_answer": True, "top_k": 5},
    {"handle_impossible_answer": True},
    {"doc_stride": 5, "max_seq_len": 50},
    {"doc_stride": 0, "max_seq_len": 61, "top_k": 4, "handle_impossible_answer": True},
    {"max_seq_len": 51, "doc_stride": 3, "max_answer_len": 1, "padding": True, "max_question_len": None},
    {"max_answer_len": 200, "top_k": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_answers_are_those_of_transformers(both, options):
    ours, theirs = both
    found = ours(question=QUESTIONS, context=CONTEXTS, **options)
    for mine, their in zip(found, theirs(question=QUESTIONS, context=CONTEXTS, **options), strict=True):
        assert_same(mine, their)


def test_options_of_the_pipeline_are_those_of_its_calls(both):
    ours, theirs = both
    options = {"top_k": 2, "max_seq_len": 47, "doc_stride": 7, "handle_impossible_answer": True}
    set_before = Pipeline(task("question-answering"), ours.engine, ours.tokenizer, **options)
    their_own = transformers.pipeline("question-answering", theirs.model, tokenizer=theirs.tokenizer, device="cpu", **options)
    question = dict(zip(("question", "context"), PAIRS[2], strict=True))
    assert_same(set_before(**question), their_own(**question))
    assert_same(set_before(**question, top_k=1), their_own(**question, top_k=1))


ITEMS = [{"question": question, "context": context} for question, context in PAIRS]
EXAMPLE = transformers.QuestionAnsweringPipeline.create_sample(*PAIRS[0])
CALLS = {
    "two texts by name": ((), ITEMS[0]),
    "two texts by position": (PAIRS[0], {}),
    "a mapping": ((ITEMS[0],), {}),
    "a list of one": ((ITEMS[:1],), {}),
    "a list": ((ITEMS,), {}),
    "several mappings": ((*ITEMS[:3],), {}),
    "two lists": ((), {"question": QUESTIONS, "context": CONTEXTS}),
    "lists of one": ((), {"question": QUESTIONS[:1], "context": CONTEXTS[:1]}),
    "questions to one context": ((), {"question": QUESTIONS, "context": CONTEXTS[0]}),
    "data": ((), {"data": ITEMS}),
    "X": ((), {"X": ITEMS[0]}),
    "examples": (([EXAMPLE, ITEMS[1]],), {}),
    "nothing": (([],), {}),
}


@pytest.mark.parametrize("both", ["bert"], indirect=True)
@pytest.mark.parametrize("top_k", [None, 2])
@pytest.mark.parametrize(("arguments", "named"), CALLS.values(), ids=CALLS)
def test_calls_are_understood_and_answers_nest_as_in_transformers(both, arguments, named, top_k):
    ours, theirs = both
    options = {} if top_k is None else {"top_k": top_k}
    found, their = ours(*arguments, **named, **options), theirs(*arguments, **named, **options)
    assert_same_nesting(found, their)


def assert_same_nesting(ours, theirs):
    assert type(ours) is type(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for mine, their in zip(ours, theirs, strict=True):
            assert_same_nesting(mine, their)
    else:
        assert list(ours) == list(theirs)
        assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in theirs.items()}
        assert_same(ours, theirs)


@pytest.mark.parametrize("both", ["bert"], indirect=True)
def test_a_generator_is_answered_question_by_question(both):
    ours, theirs = both
    rows = [{"id": "7", **item, "answers": {}} for item in ITEMS]
    for options in ({}, {"top_k": 2}):
        found = ours((row for row in rows), **options)
        for mine, their in zip(found, theirs((row for row in rows), **options), strict=True):
            assert_same_nesting(mine, their)


@pytest.mark.parametrize("both", ["deberta-v2"], indirect=True)
def test_torch_gives_the_same_answers(both):
    _, theirs = both
    torch_one = pipeline("question-answering", theirs.model.name_or_path, engine="torch")
    for mine, their in zip(torch_one(ITEMS, top_k=3), theirs(ITEMS, top_k=3), strict=True):
        assert_same(mine, their)


# Where ours differ on purpose.


@pytest.mark.parametrize("both", ["roberta"], indirect=True)
def test_a_long_question_is_cut_as_the_option_says_where_transformers_does_not(both):
    ours, theirs = both
    options = {"max_question_len": 4, "top_k": 2}
    question, context = "In which of the streets did he live?", CONTEXTS[0]
    tokens = theirs.tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)
    beginning = question[: tokens["offset_mapping"][3][1]]
    assert_same(ours(question=question, context=context, **options), theirs(question=beginning, context=context, top_k=2))
    uncut = theirs(question=question, context=context, top_k=2)
    assert_same(theirs(question=question, context=context, **options), uncut)  # theirs is the same with and without the option
    with pytest.raises(Exception, match="Truncation error"):
        theirs(question=question * 20, context=context)
    assert ours(question=question * 20, context=context)["answer"]


@pytest.mark.parametrize("both", ["bert"], indirect=True)
def test_windows_go_on_where_the_usual_stride_leaves_theirs_no_room(both):
    ours, theirs = both
    question = {"question": "Who came in the evening to the club, " * 3, "context": LONG, "max_seq_len": 60}
    with pytest.raises(BaseException, match="must be strictly less than"):
        theirs(**question)
    assert ours(**question)["answer"] in LONG


@pytest.mark.parametrize("both", ["distilbert"], indirect=True)
def test_windows_that_share_an_answer_do_not_make_it_surer_than_certain(both):
    ours, theirs = both
    options = {"max_seq_len": 23, "doc_stride": 12, "max_answer_len": 3}
    name = "Zürich"
    question = {"question": "where", "context": f"{name} " * 60}
    assert theirs(**question, **options)["score"] > 1
    assert ours(**question, **options)["score"] == 1
    assert_same(ours(**question, **options), theirs(**question, **options))


@pytest.mark.parametrize("both", ["bert"], indirect=True)
def test_spans_are_never_outside_the_context_as_theirs_are_for_a_short_one(both):
    ours, theirs = both
    short = {"question": "who", "context": "She", "top_k": 9}
    assert any(not answer["score"] for answer in theirs(**short))
    assert [answer["answer"] for answer in as_list(ours(**short))] == ["She"]


@pytest.mark.parametrize("both", ["bert"], indirect=True)
def test_a_special_token_in_a_question_is_no_place_for_an_answer_as_it_is_in_theirs(both):
    ours, theirs = both
    question, context = "[CLS] who [CLS]", "She said: we went home."
    found = ours(question=question, context=context, align_to_words=False)
    wanted = best_by_hand(theirs, first=question, second=context, owner=1)
    assert found == {**wanted, "score": pytest.approx(wanted["score"], abs=1e-4)}
    assert theirs(question=question, context=context, align_to_words=False)["score"] != pytest.approx(found["score"], abs=1e-3)


@pytest.mark.parametrize("both", ["bert", "roberta"], indirect=True)
def test_a_tokenizer_that_pads_at_the_left_has_the_context_first_and_answers_from_it_alone(both):
    ours, theirs = both
    left = Tokenizer.from_pretrained(theirs.model.name_or_path, padding_side="left")
    pipe = Pipeline(task("question-answering"), ours.engine, left)
    question, context = PAIRS[0]
    found = pipe(question=question, context=context, align_to_words=False)
    wanted = best_by_hand(theirs, first=context, second=question, owner=0)
    assert found == {**wanted, "score": pytest.approx(wanted["score"], abs=1e-4)}
    assert len(pipe(question=QUESTIONS, context=CONTEXTS)) == len(PAIRS)


def best_by_hand(theirs, *, first, second, owner, longest=15):
    """The best span of the text that is the ``owner``-th of the pair, found by trying all."""
    encoded = theirs.tokenizer(first, second, return_tensors="pt", return_offsets_mapping=True)
    offsets, owners = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
    text = (first, second)[owner]
    with torch.no_grad():
        outputs = theirs.model(**{name: encoded[name] for name in theirs.tokenizer.model_input_names})
    allowed = [0, *(place for place, one in enumerate(owners) if one == owner)]
    begin, end = (
        dict(zip(allowed, torch.softmax(logits[0, allowed], 0).tolist(), strict=True))
        for logits in (outputs.start_logits, outputs.end_logits)
    )
    spans = [(begin[i] * end[j], i, j) for i in allowed[1:] for j in allowed[1:] if i <= j < i + longest]
    score, i, j = max(spans)
    start, stop = offsets[i][0], offsets[j][1]
    return {"score": score, "start": start, "end": stop, "answer": text[start:stop]}


@pytest.mark.data
def test_real_questions_are_answered_as_by_transformers_by_four_families(both, data_folder):
    ours, theirs = both
    document = json.loads((data_folder / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))
    rows = [row for row in squad_rows(document) if len(row["context"]) < 350 and len(row["question"]) < 60]
    rows = sorted(rows, key=lambda row: len(row["context"]))[:301]
    asked = {name: [row[name] for row in rows] for name in ("question", "context")}
    options = {"max_seq_len": 79, "doc_stride": 7, "top_k": 2, "handle_impossible_answer": True}
    assert len(rows) == 301
    for mine, their in zip(ours(**asked, **options), theirs(**asked, **options, batch_size=32), strict=True):
        assert_same(mine, their)


@pytest.fixture(scope="module")
def minilm(minilm_folder, tmp_path_factory):
    """The real all-MiniLM-L6-v2 with a random last layer: our pipeline and theirs."""
    folder = tmp_path_factory.mktemp("minilm")
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(minilm_folder)
    with torch.no_grad():
        values = make_random_weights({"weight": (2, model.config.hidden_size)}, seed=3)["weight"]
        model.qa_outputs.weight.copy_(torch.from_numpy(values * 2))
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(minilm_folder).save_pretrained(folder)
    return pipeline("question-answering", folder, precision="fp32"), their_pipeline(folder)


@pytest.mark.data
@pytest.mark.parametrize(
    ("lengths", "count", "options"),
    [
        pytest.param(range(330), 301, {}, id="one answer"),
        pytest.param(
            range(1200, 5000),
            11,
            {"max_seq_len": 128, "doc_stride": 32, "top_k": 3, "handle_impossible_answer": True},
            id="windows",
        ),
    ],
)
def test_real_questions_are_answered_as_by_transformers(minilm, data_folder, lengths, count, options):
    ours, theirs = minilm
    document = json.loads((data_folder / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))
    rows = [row for row in squad_rows(document) if len(row["context"]) in lengths]
    rows = rows[:: len(rows) // count][:count]
    asked = {name: [row[name] for row in rows] for name in ("question", "context")}
    assert len(rows) == count
    for mine, their in zip(ours(**asked, **options), theirs(**asked, **options), strict=True):
        assert_same(mine, their)

"""Pipelines against those of transformers: the same answers in the same form, from the same folder."""

import numpy as np
import pytest
import transformers

import headway
from reference.comparing import assert_same

TEXTS = ["this movie was great fun !", "boring", "the film is not very good , we hate it ; really", "", "Zürich und die Märkte"]
PAIRS = [
    {"text": "a film", "text_pair": "not a movie"},
    {"text": "good", "text_pair": "the"},
    {"text": "bad", "text_pair": "awful , boring"},
]
MASKED = ["the [MASK] was good", "[MASK]", "we [MASK] this boring movie and not that one !"]
ENGINES = ["torch", "onnx"]


@pytest.fixture(scope="module")
def both(model_folder):
    """``both(task, **model settings)``: our pipeline and theirs on one folder, made once for each choice."""
    made = {}

    def make(task, engine, *, head, **settings):
        key = (task, engine, head, repr(settings))
        if key not in made:
            folder = model_folder(head, **settings)
            ours = headway.pipeline(task, folder, engine=engine, precision="fp32")
            theirs = transformers.pipeline(task, str(folder), framework="pt", device="cpu")
            made[key] = ours, theirs
        return made[key]

    return make


@pytest.mark.parametrize("engine", ["torch"])  # the other one is asked in the file about the task, like that of fill-mask
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"num_labels": 3}, id="softmax"),
        pytest.param({"num_labels": 5, "problem_type": "multi_label_classification"}, id="multi-label"),
        pytest.param({"num_labels": 1}, id="one label"),
        pytest.param({"num_labels": 1, "problem_type": "regression"}, id="regression"),
        pytest.param({"num_labels": 2, "id2label": {0: "NEGATIVE", 1: "POSITIVE"}}, id="named labels"),
    ],
)
@pytest.mark.parametrize(
    "inputs",
    [TEXTS[0], TEXTS[3], TEXTS, TEXTS[:1], PAIRS[0], PAIRS, [*TEXTS, *PAIRS], []],
    ids=["text", "empty text", "texts", "list of one", "pair", "pairs", "texts and pairs", "empty list"],
)
def test_text_classification(both, engine, settings, inputs):
    ours, theirs = both("text-classification", engine, head="sequence-classification", **settings)
    assert_same(ours(inputs), theirs(inputs))


@pytest.mark.parametrize(
    "options",
    [{"top_k": 1}, {"top_k": 2}, {"top_k": None}, {"function_to_apply": "sigmoid"}, {"function_to_apply": "none", "top_k": 3}],
)
@pytest.mark.parametrize("inputs", [TEXTS[0], TEXTS[:3], PAIRS[0], TEXTS[:1]], ids=["text", "texts", "pair", "list of one"])
def test_classification_options_at_the_call_and_at_the_pipeline(both, options, inputs):
    ours, theirs = both("text-classification", "torch", head="sequence-classification", num_labels=3)
    assert_same(ours(inputs, **options), theirs(inputs, **options))
    engine, tokenizer = ours.engine, ours.tokenizer
    ours_set = headway.Pipeline(ours._task, engine, tokenizer, **options)
    theirs_set = transformers.pipeline("text-classification", theirs.model, tokenizer=theirs.tokenizer, device="cpu", **options)
    assert_same(ours_set(inputs), theirs_set(inputs))


def test_a_generator_is_answered_item_by_item(both):
    ours, theirs = both("text-classification", "torch", head="sequence-classification", num_labels=3)
    for options in ({}, {"top_k": 2}):
        assert_same(list(ours((text for text in TEXTS), **options)), list(theirs((text for text in TEXTS), **options)))


@pytest.mark.parametrize("engine", ["torch"])
@pytest.mark.parametrize(
    "inputs",
    [MASKED[0], MASKED, MASKED[:1], "[MASK] film , [MASK] [MASK]", ["[MASK] and [MASK]", "a [MASK]"]],
    ids=["text", "texts", "list of one", "three masks", "different numbers of masks"],
)
@pytest.mark.parametrize(
    "options", [{}, {"top_k": 2}, {"targets": ["good", "bad", "awful"]}, {"targets": "film", "top_k": 3}], ids=str
)
def test_fill_mask(both, engine, inputs, options):
    ours, theirs = both("fill-mask", engine, head="masked-lm")
    assert_same(ours(inputs, **options), theirs(inputs, **options))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("head", ["base", "masked-lm", "sequence-classification"])
@pytest.mark.parametrize("inputs", [TEXTS[0], TEXTS, TEXTS[:1]], ids=["text", "texts", "list of one"])
def test_feature_extraction(both, engine, head, inputs):
    ours, theirs = both("feature-extraction", engine, head=head, seed=7)
    assert_same(ours(inputs), theirs(inputs))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_alone_and_in_company_agree(both, engine):
    for task, head, texts in (("text-classification", "sequence-classification", TEXTS), ("fill-mask", "masked-lm", MASKED)):
        ours, _ = both(task, engine, head=head)
        for text, together in zip(texts, ours(texts, top_k=3), strict=True):
            assert_same(ours(text, top_k=3), together, tolerance=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_sentence_embeddings_equal_those_of_sentence_transformers(model_folder, tmp_path, engine):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    base = Transformer(str(model_folder("base")), max_seq_length=9)
    pooling = Pooling(base.get_embedding_dimension(), pooling_mode=("cls", "mean", "max"))
    theirs = SentenceTransformer(modules=[base, pooling, Normalize()], device="cpu")
    theirs.save(str(tmp_path / "st"))
    ours = headway.pipeline("sentence-embeddings", tmp_path / "st", engine=engine)
    np.testing.assert_allclose(ours(TEXTS), theirs.encode(TEXTS), atol=1e-5)

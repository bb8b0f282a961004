"""Sentence vectors and their similarity against sentence-transformers: prompts, modules, sizes, numbers."""

import itertools
import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import LayerNorm, Normalize, Pooling, Transformer
from sentence_transformers.util.quantization import quantize_embeddings

import headway
from reference.real_texts import COUNT, real_texts

TEXTS = ["this movie was great fun !", "boring", "the film is not very good , we hate it ; really", "", "Zürich und die Märkte"]
PROMPTS = {"query": "we love ", "document": "", "title": "story and plot"}


@pytest.fixture(scope="module")
def both(model_folder, tmp_path_factory):
    """``both("name")``: their model and the folder where they saved it, for each of the forms below, made once."""
    made = {}

    def make(form):
        if form not in made:
            base = Transformer(str(model_folder("base")), max_seq_length=11)
            theirs = SentenceTransformer(modules=[base, *FORMS[form]()], device="cpu", prompts=PROMPTS)
            folder = tmp_path_factory.mktemp("sentences") / "model"
            theirs.save(str(folder))
            made[form] = theirs, folder
        return made[form]

    return make


def dense(size_in, size_out, activation, *, bias=True):
    generator = torch.Generator().manual_seed(size_out)
    weight, shift = (torch.randn(shape, generator=generator) for shape in ((size_out, size_in), (size_out,)))
    return Dense(size_in, size_out, bias=bias, activation_function=activation, init_weight=weight, init_bias=shift)


def norm(size):
    found = LayerNorm(size)
    torch.nn.init.normal_(found.norm.weight, 1, 0.2, generator=torch.Generator().manual_seed(3))
    torch.nn.init.normal_(found.norm.bias, 0, 0.2, generator=torch.Generator().manual_seed(5))
    return found


POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
FORMS = {
    "mean": lambda: [Pooling(28, pooling_mode="mean")],
    "mean without the prompt": lambda: [Pooling(28, pooling_mode=POOLINGS, include_prompt=False)],
    "tanh": lambda: [Pooling(28, pooling_mode="mean"), dense(28, 17, torch.nn.Tanh())],
    "unit length after tanh": lambda: [Pooling(28, pooling_mode="cls"), dense(28, 17, torch.nn.Tanh()), Normalize()],
    "two dense layers": lambda: [
        Pooling(28, pooling_mode=("mean", "max")),
        dense(56, 31, torch.nn.GELU(), bias=False),
        dense(31, 13, torch.nn.Identity()),
        Normalize(),
    ],
    "silu": lambda: [Pooling(28, pooling_mode="mean"), dense(28, 5, torch.nn.SiLU())],
    "relu": lambda: [Pooling(28, pooling_mode="mean"), dense(28, 5, torch.nn.ReLU())],
    "sigmoid": lambda: [Pooling(28, pooling_mode="mean"), dense(28, 5, torch.nn.Sigmoid())],
    "norm": lambda: [Pooling(28, pooling_mode="mean"), norm(28), Normalize()],
}
CHOICES = [
    pytest.param({}, {}, id="plain"),
    pytest.param({"prompt_name": "query"}, {"prompt_name": "query"}, id="prompt by name"),
    pytest.param({"prompt": "story and plot"}, {"prompt": "story and plot"}, id="prompt"),
    pytest.param({"truncate_dim": 3}, {"truncate_dim": 3}, id="shorter"),
    pytest.param({"normalize_embeddings": True, "truncate_dim": 3}, {"normalize": True, "truncate_dim": 3}, id="shorter, scaled"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("theirs_of", "ours_of"), CHOICES)
def test_vectors_are_those_of_sentence_transformers(both, form, theirs_of, ours_of):
    theirs, folder = both(form)
    expected = theirs.encode(TEXTS, **theirs_of)
    found = np.array(headway.pipeline("sentence-embeddings", folder, precision="fp32")(TEXTS, **ours_of))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_both_engines_and_a_text_alone(both):
    theirs, folder = both("unit length after tanh")
    for engine in ("torch", "onnx"):
        ready = headway.pipeline("sentence-embeddings", folder, engine=engine, precision="fp32")
        np.testing.assert_allclose(ready(TEXTS[0]), theirs.encode(TEXTS[0]), atol=1e-5)


def test_a_module_that_was_pickled_is_read_too(both, tmp_path):
    import shutil

    from safetensors.torch import load_file

    theirs, folder = both("tanh")
    copy = tmp_path / "pickled"
    shutil.copytree(folder, copy)
    weights = load_file(copy / "2_Dense" / "model.safetensors")
    torch.save(weights, copy / "2_Dense" / "pytorch_model.bin")
    (copy / "2_Dense" / "model.safetensors").unlink()
    found = headway.pipeline("sentence-embeddings", copy, precision="fp32")(TEXTS)
    np.testing.assert_allclose(found, theirs.encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize("numbers", ["float32", "int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("size", [28, 11])
def test_numbers_are_those_of_sentence_transformers(both, numbers, size):
    """From the same vectors: quantising is discontinuous, and those of the two differ in their last digits."""
    theirs, folder = both("mean")
    ready = headway.pipeline("sentence-embeddings", folder, precision="fp32")
    vectors = np.stack(ready(TEXTS, truncate_dim=size, convert_to_numpy=True))
    ranges = np.stack([vectors.min(0) * 0.9, vectors.max(0) * 0.9])
    found = np.stack(ready(TEXTS, truncate_dim=size, precision=numbers, ranges=ranges, return_tensors="np"))
    expected = quantize_embeddings(vectors, numbers, ranges=ranges)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if numbers.endswith("binary"):
        np.testing.assert_array_equal(found, theirs.encode(TEXTS, truncate_dim=size, precision=numbers))


@pytest.mark.parametrize(
    "options", [{"return_tensors": True}, {"tokenize_kwargs": {"truncation": True, "max_length": 5}}], ids=str
)
def test_feature_extraction_takes_transformers_options(model_folder, options):
    import transformers

    folder = model_folder("base", seed=3)
    ours = headway.pipeline("feature-extraction", folder, precision="fp32")
    theirs = transformers.pipeline("feature-extraction", str(folder), framework="pt", device="cpu")
    for text, expected in zip(TEXTS, theirs(TEXTS, **options), strict=True):
        found = ours(text, **options)
        assert type(found) is type(expected)
        np.testing.assert_allclose(torch.as_tensor(found).numpy(), torch.as_tensor(expected).numpy(), atol=1e-4)


def test_what_they_save_says_what_we_read(both):
    """The files that these tests are about are there, under the names that the reader knows."""
    _, folder = both("norm")
    said = json.loads((folder / "modules.json").read_text())
    assert [module["type"].rpartition(".")[2] for module in said] == ["Transformer", "Pooling", "LayerNorm", "Normalize"]


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "manhattan", None])
@pytest.mark.parametrize("form", ["mean", "unit length after tanh"])
def test_similarities_are_those_of_sentence_transformers(both, similarity, form):
    """None is what their folder says, which is the cosine unless it was changed before it was saved."""
    theirs, folder = both(form)
    vectors = theirs.encode(TEXTS)
    theirs.similarity_fn_name = similarity
    ready = headway.pipeline("sentence-similarity", folder, precision="fp32", similarity=similarity)
    expected = theirs.similarity(vectors[:1], vectors[1:])[0].tolist()
    assert ready(TEXTS[0], TEXTS[1:]) == pytest.approx(expected, abs=1e-4)
    pairs = [{"text": first, "text_pair": second} for first, second in zip(TEXTS, TEXTS[::-1], strict=True)]
    assert ready(pairs) == pytest.approx(theirs.similarity_pairwise(vectors, vectors[::-1].copy()).tolist(), abs=1e-4)


def test_the_similarity_of_a_folder_is_that_of_its_model(both, tmp_path):
    theirs, _ = both("tanh")
    theirs.similarity_fn_name = "manhattan"
    theirs.save(str(tmp_path / "manhattan"))
    found = headway.pipeline("sentence-similarity", tmp_path / "manhattan", precision="fp32")(TEXTS[0], TEXTS[1:])
    vectors = theirs.encode(TEXTS)
    assert found == pytest.approx(theirs.similarity(vectors[:1], vectors[1:])[0].tolist(), abs=1e-4)


FOUR = pytest.mark.parametrize("name", ["bert", "roberta", "deberta-v2", "distilbert"])


def make_family(folder, name):
    """Their model of a family, on word-like ids of a vocabulary that all of them share; the tokenizer is BERT's."""
    from conftest import write_tokenizer
    from reference.family_cases import CASES, transformers_model

    case = next(case for case in CASES if case.name == name)
    transformers_model(case, "base").save_pretrained(folder)
    write_tokenizer(folder)
    base = Transformer(str(folder), max_seq_length=29)
    base.tokenizer.model_input_names = ["input_ids", "attention_mask"]  # DistilBERT takes no token types
    return SentenceTransformer(modules=[base, Pooling(28, pooling_mode="mean")], device="cpu")


@FOUR
@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_four_families_agree(name, engine, tmp_path):
    theirs = make_family(tmp_path, name)
    expected = theirs.encode(TEXTS)
    found = headway.pipeline("sentence-embeddings", tmp_path, engine=engine, precision="fp32", max_length=29)(TEXTS)
    np.testing.assert_allclose(np.array(found), expected, atol=1e-4)
    scores = headway.pipeline("sentence-similarity", tmp_path, engine=engine, precision="fp32", max_length=29)(TEXTS[0], TEXTS)
    assert scores == pytest.approx(theirs.similarity(expected[:1], expected)[0].tolist(), abs=1e-4)


@pytest.mark.data
@FOUR
def test_four_families_agree_on_real_texts(name, tmp_path, data_folder):
    theirs, texts = make_family(tmp_path, name), real_texts(data_folder)
    expected = theirs.encode(texts)
    found = headway.pipeline("sentence-embeddings", tmp_path, precision="fp32", max_length=29)(texts)
    np.testing.assert_allclose(np.array(found), expected, atol=1e-4)
    pairs = [{"text": first, "text_pair": second} for first, second in itertools.pairwise(texts)]
    scores = headway.pipeline("sentence-similarity", tmp_path, precision="fp32", max_length=29)(pairs)
    np.testing.assert_allclose(scores, theirs.similarity_pairwise(expected[:-1], expected[1:]).numpy(), atol=1e-4)
    assert len(scores) == COUNT - 1 == 306

"""The real all-MiniLM-L6-v2: our vectors and similarities against those of sentence-transformers and transformers."""

import json

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from headway import pipeline
from headway.tasks.correlation import spearman


@pytest.fixture(scope="module")
def sentences(data_folder):
    """Two hundred sentences of STS-B, of unequal length."""
    lines = (data_folder / "glue" / "stsb" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["sentence1"] for line in lines[::7]][:200]


@pytest.fixture(scope="module")
def expected(minilm_folder, sentences):
    return SentenceTransformer(str(minilm_folder), device="cpu").encode(sentences, normalize_embeddings=True)


@pytest.mark.data
@pytest.mark.parametrize(
    ("options", "least"),
    [
        pytest.param({"engine": "onnx", "precision": "fp32"}, 0.99999, id="ONNX fp32"),
        pytest.param({"engine": "onnx", "precision": "int8"}, 0.99, id="ONNX INT8"),
        pytest.param({"engine": "torch", "precision": "fp32"}, 0.99999, id="torch fp32"),
        pytest.param({"engine": "torch", "precision": "bf16"}, 0.999, id="torch bf16"),
    ],
)
def test_sentence_vectors_are_those_of_sentence_transformers(minilm_folder, sentences, expected, options, least):
    found = np.array(pipeline("sentence-embeddings", model=str(minilm_folder), **options)(sentences))
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert len(cosines) == 200
    assert cosines.min() >= least


@pytest.fixture(scope="module")
def pairs(data_folder):
    """Three hundred pairs of STS-B with their scores, from 0 to 5."""
    lines = (data_folder / "glue" / "stsb" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[::5]]


@pytest.mark.data
def test_pairs_are_as_alike_as_for_sentence_transformers(minilm_folder, pairs):
    theirs = SentenceTransformer(str(minilm_folder), device="cpu")
    first, second = (theirs.encode([pair[name] for pair in pairs]) for name in ("sentence1", "sentence2"))
    expected = theirs.similarity_pairwise(first, second).numpy()
    items = [{"text": pair["sentence1"], "text_pair": pair["sentence2"]} for pair in pairs]
    found = pipeline("sentence-similarity", minilm_folder, precision="fp32")(items)
    assert len(found) == 300
    np.testing.assert_allclose(found, expected, atol=1e-4)
    reduced = pipeline("sentence-similarity", minilm_folder, precision="int8")(items)
    scores = [pair["label"] for pair in pairs]
    assert spearman(reduced, scores) == pytest.approx(spearman(expected, scores), abs=0.01)
    assert spearman(expected, scores) > 0.8


@pytest.mark.data
def test_every_tokens_vector_is_that_of_transformers(minilm_folder, data_folder):
    import transformers

    lines = (data_folder / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines[:301]]
    theirs = transformers.pipeline("feature-extraction", str(minilm_folder), framework="pt", device="cpu", batch_size=32)
    ours = pipeline("feature-extraction", minilm_folder, precision="fp32", return_tensors="np")(texts)
    for text, found in zip(texts, ours, strict=True):
        expected = theirs(text, return_tensors=True).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)

"""The real all-MiniLM-L6-v2: our sentence vectors against those of sentence-transformers."""

import json

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from headway import pipeline


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
def test_sentence_vectors_are_those_of_sentence_transformers(
    minilm_folder, sentences, expected, options, least, tmp_path, monkeypatch
):
    monkeypatch.setenv("HEADWAY_CACHE", str(tmp_path))
    found = np.array(pipeline("sentence-embeddings", model=str(minilm_folder), **options)(sentences))
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert len(cosines) == 200
    assert cosines.min() >= least

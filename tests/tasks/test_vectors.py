import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.checkpoints.tensors import write_safetensors
from headway.errors import HeadwayError
from headway.tasks.pooling import POOLINGS

SIZE_IN, SIZE_OUT = 28, 11


@pytest.fixture(scope="module")
def ready(model_folder):
    """Feature extraction with a folder that says everything: prompts that are not pooled, a dense layer, a size."""
    folder = model_folder("base")
    generator = np.random.default_rng(3)
    arrays = {"linear.weight": generator.normal(size=(SIZE_OUT, SIZE_IN)), "linear.bias": generator.normal(size=SIZE_OUT)}
    parts = {
        "modules": [
            {"path": path, "type": f"x.{path[2:] or 'Transformer'}"} for path in ("", "1_Pooling", "2_Dense", "3_Normalize")
        ],
        "1_Pooling/config": {"pooling_mode": "mean", "include_prompt": False},
        "2_Dense/config": {"in_features": SIZE_IN, "out_features": SIZE_OUT, "activation_function": "torch.nn.Tanh"},
        "config_sentence_transformers": {"prompts": {"query": "we love "}, "default_prompt_name": "query", "truncate_dim": 7},
        "sentence_bert_config": {"max_seq_length": 23, "do_lower_case": True},
    }
    for name, values in parts.items():
        (folder / f"{name}.json").parent.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(values))
    write_safetensors(
        folder / "2_Dense" / "model.safetensors", {name: np.float32(array) for name, array in arrays.items()}, kind="F32"
    )
    return pipeline("feature-extraction", folder)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "pooling": st.sampled_from(["none", "auto", *POOLINGS]),
        "normalize": st.sampled_from([None, True, False]),
        "normalize_embeddings": st.booleans(),
        "truncate_dim": st.none() | st.integers(-1, 40),
        "prompt": st.none() | st.text(max_size=60),
        "prompt_name": st.sampled_from([None, None, "query", "document", "other"]),
        "output_precision": st.sampled_from(["float32", "binary", "ubinary", "int8"]),
        "ranges": st.sampled_from([None, [[-1.0] * SIZE_OUT, [1.0] * SIZE_OUT], [[0.0], [1.0]]]),
        "overflow": st.sampled_from(["truncate", "window", "error"]),
        "stride": st.none() | st.integers(-1, 60),
        "max_length": st.none() | st.integers(1, 60),
        "count_dropped": st.booleans(),
        "truncation": st.sampled_from([None, True, False]),
    },
)


@settings(max_examples=90)
@given(st.lists(st.text(max_size=90), min_size=1, max_size=3), OPTIONS)
def test_any_texts_and_options_have_vectors_or_are_refused_in_words(ready, texts, options):
    try:
        found = ready(texts, **options)
    except HeadwayError:
        return
    assert len(found) == len(texts)
    assert json.loads(json.dumps(found)) == found
    assert np.isfinite(np.concatenate([np.ravel(one) for one in found])).all()
    if options.get("pooling", "none") != "none" and options.get("output_precision", "float32") == "float32":
        whole = SIZE_OUT if options["pooling"] == "auto" else SIZE_IN
        kept = options.get("truncate_dim") or (7 if options["pooling"] == "auto" else whole)
        assert {len(one) for one in found} == {min(whole, kept)}


def test_a_prompt_longer_than_the_model_reads_leaves_nothing_to_pool(ready):
    """sentence-transformers divides by almost nothing then; a vector of zeros goes through the modules here as there."""
    found = ready("fun", pooling="auto", prompt="we love it " * 20, truncate_dim=None)
    assert len(found) == 7
    assert np.linalg.norm(found) <= 1

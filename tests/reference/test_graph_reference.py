"""BERT's graphs against transformers: equal in fp32 for odd shapes, masks and pairs; the real MiniLM near in INT8.

``test_family_graph`` has every family and head.
"""

import json

import numpy as np
import pytest
import torch
import transformers

from headway.architecture import weight_shapes
from headway.checkpoints import load_checkpoint
from headway.families import family
from headway.graph import Session, build_graph, calibration_sequences
from headway.graph.parity import answers_of
from headway.text import Tokenizer

BERT = family("bert")
HEADS = {head: BERT.class_names[head] for head in ("base", "sequence-classification", "masked-lm")}
SHAPES = [(1, 1), (1, 41), (7, 13), (3, 5), (11, 2)]


def inputs(batch, sequence, *, seed=0):
    """Ragged texts of two kinds of tokens; one text has a hole in its mask and the last has one token."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, sequence + 1, batch)
    lengths[0], lengths[-1] = sequence, sequence if batch == 1 else 1
    mask = (np.arange(sequence) < lengths[:, None]).astype(np.int64)
    if sequence > 4:
        mask[0, 3] = 0
    return {
        "input_ids": generator.integers(1, 101, (batch, sequence)),
        "attention_mask": mask,
        "token_type_ids": generator.integers(0, 2, (batch, sequence)),
    }


@pytest.fixture(scope="module")
def models(random_weights, tiny_config):
    """For each head and activation a session of ours and transformers' model, with equal weights."""
    found = {}

    def make(head, activation="gelu"):
        if (head, activation) not in found:
            config = tiny_config.replace(hidden_act=activation)
            architecture = BERT.architecture(config, head)
            weights = random_weights(weight_shapes(architecture))
            session = Session(build_graph(architecture, weights).SerializeToString(), threads=1)
            found[head, activation] = session, transformers_model(HEADS[head], config, weights, head)
        return found[head, activation]

    return make


def transformers_model(class_name, config, weights, head):
    model = getattr(transformers, class_name)(transformers.BertConfig(**config.to_dict())).eval()
    names = BERT.weight_names(config, head)
    theirs = {name: torch.from_numpy(array.copy()) for name, array in names.to_theirs(weights, has_head=head != "base").items()}
    left_out = model.load_state_dict(theirs, strict=False)
    assert not left_out.unexpected_keys
    assert set(left_out.missing_keys) <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    return model


def theirs_of(model, batch):
    with torch.no_grad():
        outputs = model(**{name: torch.from_numpy(values) for name, values in batch.items()})
    return {name: outputs[name].numpy() for name in outputs}


def real(values, batch):
    """The numbers of real tokens: what a model puts out at padding means nothing."""
    return values[batch["attention_mask"].astype(bool)] if values.shape[:2] == batch["attention_mask"].shape else values


def difference(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("head", HEADS)
def test_fp32_equals_transformers(models, head, shape):
    session, model = models(head)
    batch = inputs(*shape)
    theirs = theirs_of(model, batch)
    ours = session.run(**batch)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert values.dtype == np.float32
        assert values.shape == theirs[name].shape
        assert difference(real(values, batch), real(theirs[name], batch)) < 1e-5  # asked for is 1e-4


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_equal_transformers(models, activation):
    session, model = models("masked-lm", activation)
    batch = inputs(5, 7)
    assert difference(real(session.run(**batch)["logits"], batch), real(theirs_of(model, batch)["logits"], batch)) < 1e-5


@pytest.mark.parametrize("head", HEADS)
def test_a_text_alone_equals_the_text_in_a_batch(models, head):
    session, _ = models(head)
    batch = inputs(7, 13)
    together = session.run(**batch)
    for row, mask in enumerate(batch["attention_mask"]):
        kept = slice(int(mask.nonzero()[0][-1]) + 1)
        alone = session.run(**{name: values[row : row + 1, kept] for name, values in batch.items()})
        for name, values in alone.items():
            assert difference(values[0], together[name][row, kept] if values.ndim == 3 else together[name][row]) < 1e-5


@pytest.mark.data
def test_real_minilm_embeddings_survive_int8(minilm_folder, data_folder):
    """Two hundred sentences of STS-B: cosine of at least 0.99 between each vector in INT8 and in fp32."""
    lines = (data_folder / "glue" / "stsb" / "validation.jsonl").read_text(encoding="utf-8").splitlines()[:100]
    tokenizer = Tokenizer.from_pretrained(minilm_folder)
    texts = tokenizer.encode_sequences([json.loads(line)[side] for line in lines for side in ("sentence1", "sentence2")])
    checkpoint = load_checkpoint(minilm_folder, head="base")
    exact, rounded = (
        embeddings(build_graph(checkpoint.architecture, checkpoint.weights, precision=precision, calibration=calibration), texts)
        for precision, calibration in (("fp32", []), ("int8", calibration_sequences(tokenizer)))
    )
    cosines = (exact * rounded).sum(axis=1)
    assert cosines.shape == (200,)
    assert cosines.min() >= 0.99
    assert cosines.mean() >= 0.995


def embeddings(graph, texts):
    means = np.stack([answer["last_hidden_state"].mean(axis=0) for answer in answers_of(graph.SerializeToString(), texts)])
    return means / np.linalg.norm(means, axis=1, keepdims=True)

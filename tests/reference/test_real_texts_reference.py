"""Real texts asked of tiny models of four families, here and by transformers: the tasks that read a text each.

Entities, answers to questions, pairs and choices are in the files about these tasks; all-MiniLM-L6-v2 is asked there as well.
"""

import numpy as np
import pytest
import transformers

import headway
from reference import test_zero_shot_reference as zero_shot
from reference.comparing import assert_same
from reference.pair_models import FAMILIES, LIMIT, make_folder
from reference.real_texts import COUNT, real_texts

pytestmark = pytest.mark.data

NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
CUT = {"truncation": True, "max_length": LIMIT}


@pytest.fixture(scope="module")
def texts(data_folder):
    found = real_texts(data_folder)
    assert len(found) == COUNT == 307
    return found


@pytest.fixture(scope="module", params=FAMILIES)
def classifier(request, tmp_path_factory):
    """A family's folder with three labels, and transformers' pipeline for it."""
    folder = make_folder(tmp_path_factory.mktemp("classifier"), request.param, num_labels=3, id2label=NLI)
    return folder, transformers.pipeline("text-classification", str(folder), framework="pt", device="cpu")


def as_task(theirs, task):
    return transformers.pipeline(task, model=theirs.model, tokenizer=theirs.tokenizer, device="cpu")


def test_classes(classifier, texts):
    folder, theirs = classifier
    found = headway.pipeline("text-classification", folder, precision="fp32")(texts, top_k=None)
    assert np.std([answer[0]["score"] for answer in found]) > 0.01
    assert_same(found, theirs(texts, top_k=None, batch_size=32, **CUT))


def test_labels_that_were_not_learnt(classifier, texts):
    folder, theirs = classifier
    labels = ["joy", "sports and games"]
    found = headway.pipeline("zero-shot-classification", folder, precision="fp32")(texts, labels)
    assert np.std([answer["scores"][0] for answer in found]) > 0.002
    zero_shot.assert_same(found, as_task(theirs, "zero-shot-classification")(texts, labels, batch_size=32))


def test_vectors_of_tokens(classifier, texts):
    folder, _ = classifier
    theirs = transformers.pipeline("feature-extraction", str(folder), framework="pt", device="cpu")
    found = headway.pipeline("feature-extraction", folder, precision="fp32", return_tensors="np")(texts)
    expected = theirs(texts, return_tensors=True, tokenize_kwargs=CUT, batch_size=32)  # padded to the longest of 32
    for ours, their in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, their[:, : ours.shape[1]], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_missing_words(family, tmp_path, texts):
    folder = make_folder(tmp_path, family, head="MaskedLM")
    ours = headway.pipeline("fill-mask", folder, precision="fp32")
    theirs = transformers.pipeline("fill-mask", str(folder), framework="pt", device="cpu")
    hidden = [" ".join([*words[:2], ours.tokenizer.mask_token, *words[3:]]) for words in map(str.split, texts)]
    assert_same(ours(hidden, top_k=2), theirs(hidden, top_k=2, tokenizer_kwargs=CUT, batch_size=32))

"""NEFTune's noise on token vectors."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers.trainer_utils import neftune_post_forward_hook

from headway.core.batching import TokenSequence
from headway.errors import ConfigError
from headway.neural import AutoModelForSequenceClassification
from headway.neural.packing import pack
from headway.settings.distillation import DistillSettings
from headway.settings.training import TrainingArguments
from headway.training import Trainer
from headway.training.embedding_noise import noise, noisy_embeddings

ROWS = [{"input_ids": [2, 5 + n % 7, 20 + n % 3, 3][: 3 + n % 2], "label": n % 2} for n in range(23)]


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))


def test_the_noise_of_a_text_is_that_of_transformers_hook():
    vectors_TE, packed = torch.randn(7, 11), pack([TokenSequence(list(range(2, 9)))])
    table = torch.nn.Module().train()
    table.neftune_noise_alpha = 5.0
    torch.manual_seed(3)
    theirs = neftune_post_forward_hook(table, None, vectors_TE[None])[0]
    torch.manual_seed(3)
    ours = vectors_TE + noise(vectors_TE, packed, alpha=5.0)
    torch.testing.assert_close(ours, theirs)


def test_each_text_has_the_noise_of_its_own_length():
    packed = pack([TokenSequence([2] * length) for length in (3, 50)])
    torch.manual_seed(1)
    found = noise(torch.zeros(53, 19), packed, alpha=7.0)
    for rows, length in ((found[:50], 50), (found[50:], 3)):
        largest = 7.0 / math.sqrt(length * 19)
        assert 0.9 * largest < float(rows.abs().max()) <= largest
        assert abs(float(rows.mean())) < 0.2 * largest


def test_the_model_reads_it_only_while_it_is_trained(model):
    packed = pack([TokenSequence([2, 5, 3]), TokenSequence([2, 9, 8, 7, 3])])
    plain = model.eval().encode(packed)
    with noisy_embeddings(model, 5.0):
        assert torch.equal(model.encode(packed), plain)
        model.train()
        assert not torch.allclose(model.embeddings(packed), model.eval().embeddings(packed))
    with noisy_embeddings(model, None):
        model.train()
    for dropout in (one for one in model.modules() if "Dropout" in type(one).__name__):
        dropout.p = 0.0
    assert torch.equal(model.embeddings(packed), model.eval().embeddings(packed))


def test_vectors_that_the_caller_gives_have_it_too(model):
    packed = pack([TokenSequence([2, 5, 3])])
    given = replace(packed, vectors_TE=model.embeddings.token(packed.ids_T) * 2)
    model.embeddings.train()
    model.embeddings.dropout.p = 0.0
    with noisy_embeddings(model, 5.0):
        torch.manual_seed(1)
        found = model.embeddings(given)
    torch.manual_seed(1)
    wanted = replace(packed, vectors_TE=given.vectors_TE + noise(given.vectors_TE, packed, alpha=5.0))
    assert torch.equal(found, model.embeddings(wanted))


def trained(config, folder, *, steps=6, **settings):
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config.replace(num_labels=2))
    given = {"learning_rate": 2e-3, "max_steps": steps, "per_device_train_batch_size": 4, "bf16": False, "save_steps": 3}
    Trainer(model, TrainingArguments(str(folder), **given | settings), train_dataset=ROWS, progress=False).train()
    return {name: weight.detach().numpy().copy() for name, weight in model.named_parameters()}


def test_a_run_with_it_goes_on_bit_for_bit_and_only_with_it(tiny_config, tmp_path):
    whole = trained(tiny_config, tmp_path / "one", neftune_noise_alpha=5.0)
    checkpoint = str(tmp_path / "one" / "checkpoint-3")
    again = trained(tiny_config, tmp_path / "two", neftune_noise_alpha=5.0, resume_from_checkpoint=checkpoint)
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    plain = trained(tiny_config, tmp_path / "three")
    assert any(not np.array_equal(whole[name], plain[name]) for name in whole)
    with pytest.raises(ConfigError, match=r"neftune_noise_alpha was 5\.0 and is None"):
        trained(tiny_config, tmp_path / "two", resume_from_checkpoint=checkpoint)


def test_a_student_may_have_it_and_less_than_none_is_refused():
    settings = {"teacher": "t", "recipe": "logits", "train": "t.csv", "output_dir": "o"}
    assert DistillSettings(**settings, neftune_noise_alpha=5.0).neftune_noise_alpha == 5.0
    with pytest.raises(ConfigError, match="neftune_noise_alpha is -1; it cannot be negative"):
        TrainingArguments(neftune_noise_alpha=-1)

"""Pre-training objectives against transformers: losses and gradients of the same weights on the same batch."""

import numpy as np
import pytest
import torch
import transformers

from headway.neural.auto import build_model
from headway.neural.large_vocabulary import masked_lm_loss
from headway.training.generator import GeneratorAndDiscriminator, generator_config
from headway.training.masking import Masking, masked_batch
from headway.training.objectives import next_sentence, replaced_token
from headway.training.pieces import Text

SIZES = {
    "vocab_size": 101, "hidden_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37,
    "max_position_embeddings": 41, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
MASKING = Masking(probability=0.3, mask_id=4, vocab_size=101, special_ids=(0, 1, 2, 3, 4))
CPU = torch.device("cpu")


def random_weights(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2 + 0.05)
    return model


def ours(theirs, tmp_path, head):
    from headway.checkpoints import load_checkpoint

    theirs.save_pretrained(tmp_path)
    found = load_checkpoint(tmp_path, head=head)
    return build_model(found.config, found.architecture, head, found.weights)


def padded(packed, values, fill):
    rows = torch.full((len(packed.lengths), max(packed.lengths)), fill)
    first = 0
    for row, length in enumerate(packed.lengths):
        rows[row, :length] = values[first : first + length]
        first += length
    return rows


def inputs(packed):
    mask = padded(packed, torch.ones_like(packed.ids_T), 0)
    ids, types = padded(packed, packed.ids_T, 0), padded(packed, packed.type_ids_T, 0)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def labels_of(batch):
    flat = torch.full_like(batch.packed.ids_T, -100).index_copy(0, batch.places, batch.targets)
    return padded(batch.packed, flat, -100)


def texts(pairs):
    chance = np.random.default_rng(3)
    found = []
    for number, (first, second) in enumerate([(5, 11), (17, 2), (7, 7)]):
        ids = np.concatenate([[2], chance.integers(5, 101, first), [3], chance.integers(5, 101, second), [3]])
        types = np.repeat([0, 1], [first + 2, second + 1])
        found.append(Text(ids, types if pairs else None, None, number % 2 if pairs else None))
    return found


def their_gradients(model):
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def assert_equal_gradients(mine, theirs, *, head):
    """By the Hub's names, through the family's two-way table."""
    family = mine.family
    table = family.weight_names(mine.config, head)
    arrays = {name: weight.grad.numpy() for name, weight in mine.named_parameters() if weight.grad is not None}
    named = table.to_theirs(arrays, has_head=True)
    expected = their_gradients(theirs)
    compared = [name for name in named if name in expected]
    assert len(compared) > 0.8 * len(expected)
    for name in compared:
        np.testing.assert_allclose(named[name], expected[name].numpy(), atol=2e-5, rtol=2e-4, err_msg=name)


def test_masked_lm_with_next_sentences_has_the_loss_and_gradients_of_transformers(tmp_path):
    theirs = random_weights(transformers.BertForPreTraining(transformers.BertConfig(**SIZES)), 1).eval()
    mine = ours(theirs, tmp_path, "pretraining")
    batch = masked_batch(texts(pairs=True), MASKING, np.random.default_rng(0), device=CPU)
    expected = theirs(**inputs(batch.packed), labels=labels_of(batch), next_sentence_label=batch.pair_labels).loss
    expected.backward()
    loss = next_sentence.loss_sum(mine, batch) / batch.count
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_equal_gradients(mine, theirs, head="pretraining")


def test_replaced_token_detection_has_the_loss_and_gradients_of_transformers(tmp_path, monkeypatch):
    """The loss of Clark et al., 2020, section 2: the generator's mean, and 50 times the discriminator's."""
    config = transformers.ElectraConfig(**SIZES, embedding_size=13)
    small = transformers.ElectraConfig(
        **{**SIZES, "hidden_size": 14, "num_attention_heads": 2, "intermediate_size": 19}, embedding_size=13
    )
    judge = random_weights(transformers.ElectraForPreTraining(config), 1).eval()
    writer = random_weights(transformers.ElectraForMaskedLM(small), 2).eval()
    models = GeneratorAndDiscriminator(
        ours(judge, tmp_path / "judge", "replaced-token"), ours(writer, tmp_path / "writer", "masked-lm"), "none"
    )
    batch = masked_batch(texts(pairs=False), MASKING, np.random.default_rng(0), device=CPU)
    sampled = torch.where(torch.arange(len(batch.targets)) % 3 == 0, batch.targets, (batch.targets + 7) % 101)
    monkeypatch.setattr(replaced_token, "best_tokens", lambda *_, **__: sampled)
    given, labels = inputs(batch.packed), labels_of(batch)
    changed = given["input_ids"].clone()
    changed[labels != -100] = sampled  # rows follow packed order, as the targets do
    truth = torch.where(labels == -100, given["input_ids"], labels)
    said = judge(**{**given, "input_ids": changed}, labels=(changed != truth).long()).loss
    expected = writer(**given, labels=labels).loss + 50 * said
    expected.backward()
    loss = replaced_token.loss_sum(models, batch) / batch.count
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_equal_gradients(models.discriminator, judge, head="replaced-token")
    assert_equal_gradients(models.generator, writer, head="masked-lm")


@pytest.mark.parametrize("scores_at_once", [1, 300, 10**6])
def test_the_loss_in_chunks_has_the_value_and_gradients_of_the_whole(tmp_path, scores_at_once):
    theirs = random_weights(transformers.BertForMaskedLM(transformers.BertConfig(**SIZES)), 4)
    whole, chunked = (ours(theirs, tmp_path / str(number), "masked-lm") for number in (1, 2))
    states = [torch.randn(17, 28, generator=torch.Generator().manual_seed(5)).requires_grad_() for _ in range(2)]
    targets = torch.randint(0, 101, (17,), generator=torch.Generator().manual_seed(6))
    expected = whole.loss_sum(whole.predict_tokens(states[0]), targets)
    found = masked_lm_loss(chunked, states[1], targets, scores_at_once=scores_at_once)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    (expected * 0.3).backward()
    (found * 0.3).backward()
    torch.testing.assert_close(states[1].grad, states[0].grad)
    pairs = zip(whole.named_parameters(), chunked.named_parameters(), strict=True)
    compared = [(name, one.grad, two.grad) for (name, one), (_, two) in pairs if one.grad is not None]
    assert {"embeddings.token.weight", "head.dense.weight", "head.decoder.bias"} <= {name for name, _, _ in compared}
    for _, one, two in compared:
        torch.testing.assert_close(two, one)


def test_a_generators_configuration_is_a_share_of_the_discriminators():
    from headway.families import family

    small = generator_config(
        family("electra").config(**{**SIZES, "hidden_size": 256, "intermediate_size": 1024}), width=0.25, depth=1
    )
    assert (small.hidden_size, small.num_attention_heads, small.intermediate_size, small.embedding_size) == (64, 1, 256, 128)
    v3 = family("deberta-v2").config(**SIZES)
    half = generator_config(v3, width=1.0, depth=0.5)
    assert (half.hidden_size, half.num_hidden_layers) == (28, 1)


def test_the_loss_in_chunks_is_that_of_the_whole_in_mixed_precision_too(tmp_path):
    theirs = random_weights(transformers.BertForMaskedLM(transformers.BertConfig(**SIZES)), 4)
    whole, chunked = (ours(theirs, tmp_path / str(number), "masked-lm") for number in (1, 2))
    states = [torch.randn(17, 28, generator=torch.Generator().manual_seed(5)).requires_grad_() for _ in range(2)]
    targets = torch.randint(0, 101, (17,), generator=torch.Generator().manual_seed(6))
    with torch.autocast("cpu", torch.bfloat16):
        expected = whole.loss_sum(whole.predict_tokens(states[0]), targets)
        found = masked_lm_loss(chunked, states[1], targets, scores_at_once=300)
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)
    expected.backward()
    found.backward()
    one, two = (model.embeddings.token.weight.grad for model in (whole, chunked))
    assert one.dtype == two.dtype == torch.float32
    torch.testing.assert_close(two, one, atol=0.1, rtol=0.03)
    torch.testing.assert_close(states[1].grad, states[0].grad, atol=0.1, rtol=0.03)

"""Our modules against transformers' on the same random weights: logits, losses and gradients."""

import numpy as np
import pytest
import torch
import transformers

import headway.neural as neural
from headway.core.batching import TokenSequence
from headway.neural.engine import TorchEngine
from headway.neural.packing import pack

HEADS = [
    pytest.param("AutoModel", "BertModel", "last_hidden_state", id="base"),
    pytest.param("AutoModelForSequenceClassification", "BertForSequenceClassification", "logits", id="classifier"),
    pytest.param("AutoModelForMaskedLM", "BertForMaskedLM", "logits", id="masked LM"),
]


def inputs(lengths, *, width, seed=0):
    """Ragged texts, random tokens, two token types; ``width`` may be more than the longest."""
    random = np.random.default_rng(seed)
    ids = torch.from_numpy(random.integers(5, 101, (len(lengths), width)))
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    types = torch.from_numpy(random.integers(0, 2, (len(lengths), width)))
    return ids * mask, mask, types * mask


@pytest.mark.parametrize(("ours", "theirs", "output"), HEADS)
@pytest.mark.parametrize("lengths", [(13, 7, 1, 11, 2), (41,), (3, 3, 3)], ids=["ragged", "one of full length", "equal"])
def test_outputs_equal_those_of_transformers(transformers_folder, ours, theirs, output, lengths):
    folder = transformers_folder(theirs)
    ids, mask, types = inputs(lengths, width=max(lengths))
    reference = getattr(transformers, theirs).from_pretrained(folder).eval()
    with torch.no_grad():
        found = getattr(neural, ours).from_pretrained(folder)(ids, attention_mask=mask, token_type_ids=types)
        expected = reference(ids, attention_mask=mask, token_type_ids=types)
    kept = mask.bool() if found[output].dim() == 3 else slice(None)
    difference = (found[output][kept] - expected[output][kept]).abs().max() / expected[output][kept].abs().max()
    assert difference < 1e-5
    if "pooler_output" in expected and theirs == "BertModel":
        assert torch.allclose(found.pooler_output, expected.pooler_output, atol=1e-5)


def test_masks_with_holes_and_padding_on_the_left_mean_what_they_mean_to_transformers(transformers_folder):
    folder = transformers_folder("BertForMaskedLM")
    ids, _, _ = inputs((11, 11, 11), width=11)
    mask = torch.tensor([[1] * 11, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]])
    with torch.no_grad():
        found = neural.AutoModelForMaskedLM.from_pretrained(folder)(ids, mask).logits
        expected = transformers.BertForMaskedLM.from_pretrained(folder).eval()(ids, attention_mask=mask).logits
    assert torch.allclose(found[mask.bool()], expected[mask.bool()], rtol=0, atol=float(expected.abs().max()) * 1e-5)


def test_padding_without_a_mask_is_attended_as_transformers_does(transformers_folder):
    folder = transformers_folder("BertForSequenceClassification")
    ids, _, _ = inputs((5, 3), width=7)
    with torch.no_grad():
        found = neural.AutoModelForSequenceClassification.from_pretrained(folder)(ids).logits
        expected = transformers.BertForSequenceClassification.from_pretrained(folder).eval()(ids).logits
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("problem", "labels"),
    [
        ("single_label_classification", torch.tensor([4, 0, 2])),
        ("multi_label_classification", torch.tensor([[1.0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]])),
        ("regression", torch.tensor([0.5, -1.25, 3.0])),
    ],
)
def test_classifier_losses_and_gradients_equal_those_of_transformers(transformers_folder, problem, labels):
    count = 1 if problem == "regression" else 5
    folder = transformers_folder(
        "BertForSequenceClassification", config={"num_labels": count, "problem_type": problem, **NO_DROPOUT}
    )
    ids, mask, types = inputs((7, 13, 2), width=13)
    ours = neural.AutoModelForSequenceClassification.from_pretrained(folder).train()
    theirs = transformers.BertForSequenceClassification.from_pretrained(folder).train()
    compare_gradients(ours, theirs, dict(attention_mask=mask, token_type_ids=types, labels=labels), ids)


def test_masked_lm_loss_and_gradients_equal_those_of_transformers(transformers_folder):
    folder = transformers_folder("BertForMaskedLM", config=NO_DROPOUT)
    ids, mask, types = inputs((7, 13, 2), width=13)
    labels = torch.full_like(ids, -100)
    labels[0, 3], labels[1, 1], labels[1, 12], labels[2, 0] = 17, 5, 99, 41
    ours = neural.AutoModelForMaskedLM.from_pretrained(folder).train()
    theirs = transformers.BertForMaskedLM.from_pretrained(folder).train()
    compare_gradients(ours, theirs, dict(attention_mask=mask, token_type_ids=types, labels=labels), ids)


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def compare_gradients(ours, theirs, arguments, ids):
    found, expected = ours(ids, **arguments).loss, theirs(ids, **arguments).loss
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    found.backward()
    expected.backward()
    gradients = gradients_under_hub_names(ours)
    largest = max(weight.grad.abs().max() for weight in theirs.parameters())
    for name, weight in theirs.named_parameters():
        # a key's bias adds the same to all scores of a query, so its gradient is 0 but for rounding
        scale = largest if name.endswith("key.bias") else weight.grad.abs().max()
        assert (gradients[name] - weight.grad).abs().max() / scale < 1e-4, name


def gradients_under_hub_names(model):
    from headway.families import family

    ours = {name: weight.grad.numpy() for name, weight in model.named_parameters()}
    theirs = family("bert").weight_names(model.config, model.head_name).to_theirs(ours, has_head=True)
    return {name: torch.from_numpy(np.array(values)) for name, values in theirs.items()}


@pytest.mark.parametrize(("ours", "theirs", "output"), HEADS)
def test_a_text_alone_and_in_a_batch_agree(transformers_folder, ours, theirs, output):
    engine = TorchEngine(getattr(neural, ours).from_pretrained(transformers_folder(theirs)))
    random = np.random.default_rng(3)
    texts = [TokenSequence(random.integers(5, 101, length).tolist()) for length in (19, 2, 7, 7, 1, 8, 37)]
    for text, together in zip(texts, engine.run(texts), strict=True):
        alone = engine.run([text])[0][output]
        assert np.abs(together[output] - alone).max() / np.abs(alone).max() < 1e-5


@pytest.mark.parametrize(("ours", "theirs", "output"), HEADS)
def test_the_engine_gives_what_the_padded_border_gives(transformers_folder, ours, theirs, output):
    model = getattr(neural, ours).from_pretrained(transformers_folder(theirs))
    ids, mask, types = inputs((5, 17, 2), width=17)
    texts = [TokenSequence(ids[i, :n].tolist(), types[i, :n].tolist()) for i, n in enumerate((5, 17, 2))]
    with torch.no_grad():
        padded = model(ids, mask, types)[output]
    for index, answer in enumerate(TorchEngine(model).run(texts)):
        row = padded[index] if padded.dim() == 2 else padded[index, : len(texts[index])]
        assert np.allclose(answer[output], row.numpy(), atol=1e-5)


def test_bf16_training_attention_has_the_gradients_of_the_fused_kernel(transformers_folder):
    model = neural.AutoModelForMaskedLM.from_pretrained(transformers_folder("BertForMaskedLM", config=NO_DROPOUT)).train()
    packed = pack([TokenSequence(list(range(5, 5 + n))) for n in (11, 10, 3)])
    found = {}
    for low in (True, False):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            model.encode(packed).float().square().mean().backward()
        found[low] = model.layers[0].attention.qkv.weight.grad.clone()
    agreement = torch.nn.functional.cosine_similarity(found[True].flatten(), found[False].flatten(), dim=0)
    assert agreement > 0.999


@pytest.mark.parametrize(("ours", "theirs", "output"), HEADS)
def test_what_we_save_transformers_loads_with_equal_outputs(transformers_folder, tmp_path, ours, theirs, output):
    model = getattr(neural, ours).from_pretrained(transformers_folder(theirs))
    model.save_pretrained(tmp_path / "saved")
    ids, mask, types = inputs((7, 13), width=13)
    with torch.no_grad():
        found = model(ids, mask, types)[output][mask.bool() if theirs != "BertForSequenceClassification" else slice(None)]
        reference = getattr(transformers, theirs).from_pretrained(tmp_path / "saved").eval()
        expected = reference(ids, attention_mask=mask, token_type_ids=types)[output]
    assert torch.allclose(found, expected[mask.bool() if expected.dim() == 3 else slice(None)], atol=1e-4)

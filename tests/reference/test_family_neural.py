"""Our modules against transformers' for every family and head: outputs, every gradient, losses, weights, hidden states."""

from functools import cache

import numpy as np
import pytest
import torch

from headway.architecture import weight_shapes
from headway.checkpoints import load_checkpoint
from headway.core.batching import TokenSequence
from headway.neural.auto import build_model
from headway.neural.engine import TorchEngine
from reference.family_cases import (
    CASES,
    COMBINATIONS,
    OUTPUTS,
    PER_TEXT,
    Combination,
    batch,
    masked,
    reference_outputs,
    relative_difference,
    saved_folder,
    transformers_model,
)

BASES = [Combination(case, "base") for case in CASES if "base" in case.heads]
UNLIMITED = [combination for combination in BASES if not combination.case.settings.get("position_biased_input", True)]
TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4


@cache
def our_model(combination):
    """Our modules with the reference's weights, in evaluation mode. Shared: leave it as it is."""
    found = load_checkpoint(saved_folder(combination.case, combination.head), head=combination.head)
    found.require_complete()
    return build_model(found.config, found.architecture, combination.head, found.weights).eval()


def our_outputs(combination, arrays):
    with torch.no_grad():
        found = our_model(combination)(**tensors(arrays))
    return {name: zeros_at_padding(name, found[name], arrays) for name in OUTPUTS if name in found}


def tensors(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def zeros_at_padding(name, values, arrays):
    """Where nothing is attended answers have the lowest number there is, all others zero."""
    padding = arrays["attention_mask"] == 0
    if name in PER_TEXT or values.shape[: padding.ndim] != padding.shape:
        return values.numpy()
    fill = torch.finfo(values.dtype).min if name in ("start_logits", "end_logits") else 0
    assert (values.numpy()[padding] == fill).all()
    return masked(name, np.where(values.numpy() == fill, 0, values.numpy()), arrays["attention_mask"])


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_modules_have_exactly_the_weights_that_the_architecture_lists(combination):
    model = our_model(combination)
    assert {name: tuple(weight.shape) for name, weight in model.state_dict().items()} == weight_shapes(model.architecture)


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_padded_outputs_equal_those_of_transformers(combination):
    arrays = batch(combination.case, combination.head)
    found, expected = our_outputs(combination, arrays), reference_outputs(combination.case, combination.head, arrays)
    assert found.keys() == expected.keys()
    assert max(relative_difference(found[name], expected[name]) for name in expected) < TOLERANCE


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_packed_outputs_equal_those_of_transformers(combination):
    arrays = batch(combination.case, combination.head)
    expected = reference_outputs(combination.case, combination.head, arrays)
    rows = {name: array.reshape(-1, array.shape[-1]) for name, array in arrays.items()}
    lengths = rows["attention_mask"].sum(1)
    types = rows.get("token_type_ids", np.zeros_like(rows["input_ids"]))
    texts = [
        TokenSequence(ids[:n].tolist(), kinds[:n].tolist())
        for ids, kinds, n in zip(rows["input_ids"], types, lengths, strict=True)
    ]
    for number, answer in enumerate(TorchEngine(our_model(combination)).run(texts)):
        for name, values in expected.items():
            row = values.reshape(len(texts), *values.shape[2 if combination.head == "multiple-choice" else 1 :])[number]
            row = row[: lengths[number]] if answer[name].shape[:1] == (lengths[number],) and row.ndim else row
            assert np.abs(answer[name] - row).max() / np.abs(values).max() < TOLERANCE, name


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_gradients_of_every_parameter_equal_those_of_transformers(combination):
    compare_gradients(combination, batch(combination.case, combination.head))


@pytest.mark.parametrize("combination", UNLIMITED, ids=str)
def test_relative_positions_over_several_blocks_equal_those_of_transformers(combination):
    """Beyond the buckets, in texts of several blocks of queries, and in groups of short texts of unlike lengths."""
    arrays = batch(combination.case, "base", lengths=(149, 31, 1, 64, 29, 149, 66))
    found, expected = our_outputs(combination, arrays), reference_outputs(combination.case, "base", arrays)
    assert relative_difference(found["last_hidden_state"], expected["last_hidden_state"]) < TOLERANCE
    compare_gradients(combination, arrays)


def compare_gradients(combination, arrays):
    """Of the sum of all outputs of attended tokens, each with its own random weight."""
    ours, theirs = our_model(combination), transformers_model(combination.case, combination.head)
    for model in (ours, theirs):
        model.zero_grad()
        found, generator = model(**tensors(arrays)), np.random.default_rng(5)
        weighted = []
        for name in OUTPUTS:
            if found.get(name) is not None:
                weights = masked(name, generator.normal(size=found[name].shape), arrays["attention_mask"])
                weighted.append((found[name].where(torch.from_numpy(weights != 0), 0) * torch.from_numpy(weights)).sum())
        sum(weighted).backward()
    expected = {name: weight.grad for name, weight in theirs.named_parameters() if weight.grad is not None}
    found = gradients_under_hub_names(ours)
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    assert largest > 0
    for name, gradient in expected.items():
        own = float(gradient.abs().max())
        # a key's bias adds the same to all scores of a query, so its gradient is zero but for rounding
        scale = own if own > 1e-4 * largest else largest
        assert (found[name] - gradient).abs().max() / scale < GRADIENT_TOLERANCE, name


def gradients_under_hub_names(model):
    ours = {name: weight.grad.numpy() for name, weight in model.named_parameters()}
    names = model.family.weight_names(model.config, model.head_name)
    theirs = names.to_theirs(ours, has_head=model.head_name != "base")
    return {name: torch.from_numpy(np.array(values)) for name, values in theirs.items()}


LEARNERS = [combination for combination in COMBINATIONS if combination.head != "base" and len(combination.case.heads) > 4]
LEARNERS = [found for found in LEARNERS if (found.case.model_type, found.head) != ("deberta-v2", "replaced-token")]


@pytest.mark.parametrize("combination", LEARNERS, ids=str)
def test_losses_equal_those_of_transformers(combination):
    """With targets that do not count. The padding of a text is no answer here, so answers are compared without any."""
    is_answer = combination.head == "question-answering"
    arrays = batch(combination.case, combination.head, lengths=(11,) * 3 if is_answer else None)
    inputs = tensors(arrays) | targets_for(combination, arrays)
    with torch.no_grad():
        found, expected = our_model(combination)(**inputs), transformers_model(combination.case, combination.head)(**inputs)
    assert float(found.loss) == pytest.approx(float(expected.loss), rel=1e-5)
    assert found[0] is found.loss


def targets_for(combination, arrays):
    generator, shape = np.random.default_rng(3), arrays["input_ids"].shape
    by_token = generator.integers(0, 5, shape)
    by_token[(arrays["attention_mask"] == 0) | (generator.random(shape) < 0.3)] = -100
    match combination.head:
        case "sequence-classification":
            return {"labels": torch.from_numpy(generator.integers(0, 5, shape[0]))}
        case "next-sentence":
            return {"labels": torch.from_numpy(generator.integers(0, 2, shape[0]))}
        case "multiple-choice":
            return {"labels": torch.tensor([2, 0])}
        case "question-answering":
            return {"start_positions": torch.tensor([3, 400, 0]), "end_positions": torch.tensor([10, 5, 11])}
        case "replaced-token":
            return {"labels": torch.from_numpy(generator.integers(0, 2, shape))}
        case "pretraining":
            pairs = torch.from_numpy(generator.integers(0, 2, shape[0]))
            return {"labels": torch.from_numpy(by_token), combination.case.pair_label: pairs}
        case _:
            return {"labels": torch.from_numpy(by_token)}


def without_some(arrays):
    """Padding on the left, and holes."""
    mask = arrays["attention_mask"].copy()
    mask[0] = mask[0][::-1]
    mask[2, [1, 4, 5, 6, 11]] = 0
    mask[4, 0] = 0
    return arrays | {"attention_mask": mask}


@pytest.mark.parametrize("combination", BASES, ids=str)
def test_masks_with_holes_and_padding_on_the_left_mean_what_they_mean_to_transformers(combination):
    arrays = without_some(batch(combination.case, "base"))
    found, expected = our_outputs(combination, arrays), reference_outputs(combination.case, "base", arrays)
    assert relative_difference(found["last_hidden_state"], expected["last_hidden_state"]) < TOLERANCE


@pytest.mark.parametrize("combination", BASES, ids=str)
@pytest.mark.parametrize("change", [dict, without_some], ids=["ragged", "holes"])
def test_attention_weights_and_hidden_states_equal_those_of_transformers(combination, change):
    arrays = change(batch(combination.case, "base"))
    inputs = tensors(arrays) | {"output_attentions": True, "output_hidden_states": True}
    with torch.no_grad():
        found, expected = our_model(combination)(**inputs), transformers_model(combination.case, "base")(**inputs)
    mask = inputs["attention_mask"]
    assert len(found.hidden_states) == len(expected.hidden_states) == len(found.attentions) + 1
    for ours, theirs in zip(found.hidden_states, expected.hidden_states, strict=True):
        assert relative_difference(ours.numpy(), (theirs * mask[..., None]).numpy()) < TOLERANCE
    for ours, theirs in zip(found.attentions, expected.attentions, strict=True):
        seen = (mask[:, None, :, None] * mask[:, None, None, :]).numpy()
        assert relative_difference(ours.numpy(), theirs.numpy() * seen) < TOLERANCE


@pytest.mark.parametrize("combination", BASES, ids=str)
def test_vectors_in_the_place_of_ids_equal_those_of_transformers(combination):
    ours, theirs = our_model(combination), transformers_model(combination.case, "base")
    arrays = batch(combination.case, "base", lengths=(17, 2, 29))
    inputs = tensors({name: array for name, array in arrays.items() if name != "input_ids"})
    size = ours.get_input_embeddings().weight.shape[1]
    inputs["inputs_embeds"] = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 29, size)).astype(np.float32))
    with torch.no_grad():
        found, expected = ours(**inputs).last_hidden_state, theirs(**inputs)[0]
    assert relative_difference(found.numpy(), (expected * inputs["attention_mask"][..., None]).numpy()) < TOLERANCE


POSITIONED = [
    combination for combination in BASES if combination.case.model_type not in ("distilbert",) and combination not in UNLIMITED
]


@pytest.mark.parametrize("combination", [*POSITIONED, *(c for c in BASES if c.case.model_type == "modernbert")], ids=str)
def test_positions_of_ones_own_equal_those_of_transformers(combination):
    arrays = batch(combination.case, "base", lengths=(17, 2, 29))
    arrays["position_ids"] = np.random.default_rng(0).integers(2, 41, (3, 29))
    found, expected = our_outputs(combination, arrays), reference_outputs(combination.case, "base", arrays)
    assert relative_difference(found["last_hidden_state"], expected["last_hidden_state"]) < TOLERANCE


@pytest.mark.parametrize("combination", BASES, ids=str)
def test_a_text_alone_and_in_a_batch_agree(combination):
    longest, generator = combination.case.longest, np.random.default_rng(3)
    texts = [TokenSequence(generator.integers(8, 101, length).tolist()) for length in (19, 2, 7, 7, 1, 8, longest, longest - 3)]
    engine = TorchEngine(our_model(combination))
    for text, together in zip(texts, engine.run(texts), strict=True):
        (alone,) = engine.run([text])
        for name, values in alone.items():
            assert relative_difference(together[name], values) < TOLERANCE


def mode(combination, *, training=True, **settings):
    """A model of its own, with the reference's weights."""
    model = build_model(
        our_model(combination).config, our_model(combination).architecture, combination.head, our_model(combination).arrays()
    )
    return model.train(training)

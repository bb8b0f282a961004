"""What would run on a GPU, without one: tensors that know their shape alone, and a stand-in for the fused kernel.

Such tensors cannot be read: whatever would make the CPU wait for the GPU in a training step is an error.
"""

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.neural import attention, products
from headway.neural.auto import build_model
from headway.neural.losses import class_term
from headway.neural.packing import pack
from headway.neural.products import attend_openly, attend_varlen
from headway.tasks import Example
from headway.training.batch import text_batch
from headway.training.checkpoints import TrainerState
from headway.training.objectives.heads import objective_of
from headway.training.reporting import Reporter
from headway.training.step import StepResult
from reference.family_cases import CASES

CPU = torch.device("cpu")
ELSEWHERE = torch.device("meta")
LENGTHS = (3, 29, 7, 29, 1)
TARGETS = {
    "sequence-classification": [2, 0, 1, 4, 3],
    "token-classification": [[1] * length for length in LENGTHS],
    "question-answering": [(0, 2), (5, 11), (3, 6), (28, 28), (0, 0)],
}


def texts():
    return [TokenSequence([7 + n] * n) for n in LENGTHS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_family_learns_without_waiting_for_a_gpu(case, monkeypatch):
    used = []
    monkeypatch.setattr(attention, "has_varlen_kernel", lambda *given, window: used.append(window) or True)
    for head in [head for head in TARGETS if head in case.heads]:
        config = case.config(head)
        model = build_model(config, case.family.architecture(config, head), head, {}).to(ELSEWHERE, torch.bfloat16).train()
        objective = objective_of(head)
        examples = [Example((text,), target) for text, target in zip(texts(), TARGETS[head], strict=True)]
        batch = objective.batch(examples, CPU).to(ELSEWHERE)
        loss = objective.loss_sum(model, batch)
        loss.backward()
        assert loss.shape == ()
        assert all(weight.grad is None or weight.grad.device == ELSEWHERE for weight in model.parameters())
    adds_to_scores = case.model_type in ("mpnet", "deberta", "deberta-v2")
    assert bool(used) == (bool(TARGETS.keys() & case.heads) and not adds_to_scores)


def test_how_many_targets_a_loss_has_is_read_only_where_it_is_asked():
    logits = torch.zeros(3, 5, device=ELSEWHERE)
    term = class_term(logits, torch.zeros(3, dtype=torch.long, device=ELSEWHERE))
    assert term.total.device == ELSEWHERE
    with pytest.raises(RuntimeError, match="meta tensors"):
        assert term.targets


def plain_flash(query, key, value, cum_seq_q, cum_seq_k, max_q, max_k, dropout_p, is_causal, return_debug_mask, **more):
    """What torch's documentation says that its kernel computes, a text after the other."""
    assert (dropout_p, is_causal, return_debug_mask) == (0.0, False, False)
    assert cum_seq_q.dtype == torch.int32
    found = []
    for start, stop in zip(cum_seq_q.tolist(), cum_seq_q[1:].tolist(), strict=False):
        assert stop - start <= max_q == max_k
        q, k, v = (values[start:stop].transpose(0, 1) for values in (query, key, value))
        scores = q @ k.transpose(1, 2) * more["scale"]
        distance = torch.arange(stop - start)[:, None] - torch.arange(stop - start)
        if more["window_size_left"] is not None:
            scores = scores.masked_fill(
                (distance > more["window_size_left"]) | (-distance > more["window_size_right"]), -torch.inf
            )
        found.append((scores.softmax(-1) @ v).transpose(0, 1))
    return (torch.cat(found), None, None, None, None)


@pytest.mark.parametrize("window", [None, 4])
def test_the_fused_kernel_is_told_what_it_needs(window, monkeypatch):
    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", plain_flash)
    torch.manual_seed(0)
    packed = pack(texts())
    qkv_T3HK = torch.randn(packed.tokens, 3, 2, 8)
    found = attend_varlen(qkv_T3HK, packed, window=window, dropout=0.0)
    for first, length in zip(packed.first_B.tolist(), packed.lengths, strict=True):
        q, k, v = qkv_T3HK[first : first + length].permute(1, 2, 0, 3)[:, None]
        near = (torch.arange(length)[:, None] - torch.arange(length)).abs() <= (window or length)
        expected = attend_openly(q, k, v, near, dropout=0.0)[0][0].transpose(0, 1)
        assert torch.allclose(found[first : first + length], expected, atol=1e-5)


def test_the_fused_kernel_has_a_gradient_and_knows_dropout():
    qkv_T3HK = torch.empty(11, 3, 2, 8, device="meta", dtype=torch.bfloat16, requires_grad=True)
    packed = pack([TokenSequence([5] * 7), TokenSequence([5] * 4)], device="meta")
    attend_varlen(qkv_T3HK, packed, window=None, dropout=0.1).sum().backward()
    assert qkv_T3HK.grad.shape == qkv_T3HK.shape


def test_the_kernel_of_this_torch_has_the_arguments_that_are_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert products._has_flash.__wrapped__()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert not products._has_flash.__wrapped__()


def test_a_batch_that_was_made_on_the_cpu_is_that_of_the_device():
    batch = text_batch(texts(), [0, 1, 2, 3, 4], device=CPU)
    moved = batch.to(ELSEWHERE)
    assert {moved.packed.ids_T.device.type, moved.places.device.type, moved.targets.device.type} == {"meta"}
    assert moved.packed.bounds.device.type == "meta"
    assert batch.to(CPU).packed.bounds.tolist() == [0, 29, 58, 65, 68, 69]
    assert moved.packed.lengths == batch.packed.lengths
    assert batch.to(CPU).packed.text_lengths.tolist() == list(batch.packed.lengths)


def test_figures_that_a_gpu_still_has_are_read_when_they_are_logged(tmp_path):
    state, reporter = TrainerState(), Reporter(tmp_path, progress=False)
    for number in (1, 2, 3):
        seen = StepResult(torch.tensor(0.5 * number), torch.tensor(0.25 * number), tokens=11)
        reporter.step(state, seen, 1e-3)
    assert isinstance(state.unlogged[0][0], torch.Tensor)
    reporter.settle(state)
    assert state.unlogged == [[0.5, 0.25], [1.0, 0.5], [1.5, 0.75]]
    reporter.step(state, StepResult(torch.tensor(3.0), torch.tensor(1.5), tokens=11), 1e-3)
    reporter.log_training(state)
    assert state.log_history[0]["loss"] == 1.5
    assert state.log_history[0]["grad_norm"] == 0.75

"""Batches in parts, and steps that memory does not hold at once."""

import copy
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from headway.core.batching import TokenSequence
from headway.errors import OutOfMemoryError
from headway.families import family
from headway.neural import AutoModelForSequenceClassification
from headway.neural.model import EncoderModel
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainingArguments
from headway.tasks import Example
from headway.training import Trainer
from headway.training.batch import text_batch, text_loss
from headway.training.objectives.heads import OBJECTIVES
from headway.training.optimiser import make_optimizer
from headway.training.out_of_memory import (
    MESSAGES,
    is_out_of_memory,
    run_parts_that_fit,
    run_what_fits,
    smaller_limit,
    take_step,
)
from headway.training.parts import halves, parts_of
from headway.training.pretraining import pretrain
from headway.training.step import mixed_precision, train_step

CPU = torch.device("cpu")
NO_MEMORY = MemoryError("no")
LENGTHS = (3, 7, 2, 5, 11, 4, 6)


def sequence(length, *, start=5):
    return TokenSequence([start + place for place in range(length)], [0] * (length // 2) + [1] * (length - length // 2))


def examples(head):
    match head:
        case "sequence-classification" | "next-sentence":
            return [Example((sequence(n),), n % 2) for n in LENGTHS]
        case "token-classification" | "masked-lm":
            return [Example((sequence(n),), [-100] + [n % 3] * (n - 1)) for n in LENGTHS]
        case "question-answering":
            return [Example((sequence(n),), (0, n - 1)) for n in LENGTHS]
        case _:
            return [Example(tuple(sequence(n + c) for c in range(2 + n % 2)), n % 2) for n in LENGTHS]


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    still = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return AutoModelForSequenceClassification.from_config(still).train()


@pytest.mark.parametrize("head", OBJECTIVES)
def test_the_parts_of_a_batch_hold_all_of_its_texts_with_their_targets_and_places(head):
    batch = OBJECTIVES[head].batch(examples(head), CPU)
    parts = parts_of(batch, 12)
    assert len(parts) >= 3
    assert sum(part.tokens for part in parts) == batch.tokens
    assert sum(part.count for part in parts) == batch.count
    assert sorted(length for part in parts for length in part.packed.lengths) == sorted(batch.packed.lengths)
    for part in parts:
        assert sorted(part.packed.order_B.tolist()) == list(range(len(part.packed.lengths)))
        assert part.packed.lengths == tuple(sorted(part.packed.lengths, reverse=True))
    if head != "multiple-choice":
        assert sorted(found(parts)) == sorted(found([batch]))


def found(parts):
    """The token at each place with its target."""
    return [
        (int(part.packed.ids_T[place]), int(part.packed.columns_T[place]), target)
        for part in parts
        for place, target in zip(part.places.tolist(), part.targets.tolist(), strict=True)
    ]


def test_the_padded_form_for_a_loss_of_ones_own_is_divided_with_the_texts_and_loses_what_it_need_not_pad():
    rows = examples("sequence-classification")
    mask = torch.tensor([[1] * n + [0] * (13 - n) for n in LENGTHS])
    inputs = {"input_ids": mask * 5, "attention_mask": mask, "labels": torch.tensor([row.target for row in rows])}
    batch = replace(OBJECTIVES["sequence-classification"].batch(rows, CPU), inputs=inputs)
    longest, *_ = found = parts_of(batch, 12)
    assert longest.inputs["input_ids"].shape == (1, 11)
    for part in found:
        in_callers_order = part.packed.unsorted(torch.tensor(part.packed.lengths))
        assert part.inputs["attention_mask"].sum(1).tolist() == in_callers_order.tolist()
        assert part.inputs["labels"].tolist() == part.packed.unsorted(part.targets).tolist()
        assert part.inputs["input_ids"].shape[1] == max(part.packed.lengths)


def test_the_choices_of_a_question_stay_together():
    batch = OBJECTIVES["multiple-choice"].batch(examples("multiple-choice"), CPU)
    spans = []
    for part in parts_of(batch, 20):
        for row, target in zip(part.places.tolist(), part.targets.tolist(), strict=True):
            spans.append(([part.packed.lengths[text] for text in row if text >= 0], target))
    assert sorted(spans) == sorted(([n + c for c in range(2 + n % 2)], n % 2) for n in LENGTHS)


def test_parts_draw_random_numbers_of_their_own_the_same_ones_each_time():
    batch = replace(text_batch([sequence(n) for n in LENGTHS], [0] * 7, device=CPU), seed=13)
    seeds = [part.seed for part in parts_of(batch, 1)]
    assert seeds[0] == 13
    assert len(set(seeds)) == 7
    assert [part.seed for part in parts_of(batch, 1)] == seeds
    assert {part.seed for part in parts_of(batch, 12)} < set(seeds)
    assert [part.seed for part in parts_of(replace(batch, seed=14), 1)] != seeds


def test_halves_are_as_equal_as_texts_allow_and_one_text_has_none():
    batch = text_batch([sequence(n) for n in LENGTHS], [0] * 7, device=CPU)
    assert [half.packed.lengths for half in halves(batch)] == [(11, 7), (6, 5, 4, 3, 2)]
    assert halves(text_batch([sequence(9)], [0], device=CPU)) is None
    assert parts_of(batch, None) == [batch]
    assert [part.tokens for part in parts_of(batch, 1)] == [11, 7, 6, 5, 4, 3, 2]


def step(model, *, limit=None, memory=10**9, error=NO_MEMORY, batches=None, tell=lambda event: None):
    """One step of a copy of the model on a machine that holds so many tokens at once; its result and all passes' tokens."""
    model, passes = copy.deepcopy(model), []
    batches = batches or [text_batch([sequence(n) for n in LENGTHS], [0, 1, 2, 3, 4, 0, 1], device=CPU)]

    def loss_sum(model, batch):
        passes.append(batch.tokens)
        loss = text_loss(model, batch)
        if batch.tokens > memory:
            raise error
        return loss

    result = train_step(
        model, batches, loss_sum=loss_sum, optimizer=make_optimizer(model, TrainingArguments(optim="sgd", learning_rate=0.1)),
        precision=mixed_precision(CPU, bf16=False), max_grad_norm=1.0, max_tokens=limit, tell=tell,
    )  # fmt: skip
    return result, passes, model.state_dict()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no"),
        torch.OutOfMemoryError("CUDA out of memory. Tried …"),
        *(RuntimeError(f"[…] {one}: 9") for one in MESSAGES),
    ],
)
def test_a_step_that_memory_does_not_hold_runs_in_parts_with_the_same_result(model, error):
    whole, _, expected = step(model)
    result, passes, weights = step(model, memory=12, error=error)
    assert passes == [38, 18, 11, 7, 11, 9]
    assert (result.max_tokens, whole.max_tokens) == (11, None)
    assert result.loss == pytest.approx(whole.loss, rel=1e-5)
    assert result.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)
    for name, weight in expected.items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-4, atol=1e-6)


def test_a_step_that_begins_with_the_size_found_takes_the_very_same_step_with_dropout_too(tiny_config):
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(tiny_config).train()
    torch.manual_seed(1)
    result, _, expected = step(model, memory=12)
    torch.manual_seed(1)
    again, passes, weights = step(model, memory=12, limit=result.max_tokens)
    assert passes == [11, 7, 11, 9]
    assert again == result
    assert all(torch.equal(weights[name], weight) for name, weight in expected.items())


def test_events_of_accumulated_batches_are_told_once_whatever_is_done_again(model):
    events = []
    batches = [text_batch([sequence(n) for n in lengths], [0] * len(lengths), device=CPU) for lengths in ((2, 3), (4,), (9, 8))]
    _, passes, _ = step(model, batches=batches, memory=12, tell=events.append)
    assert passes == [5, 4, 17, 5, 4, 9, 8]
    assert events == ["substep_end", "substep_end", "pre_optimizer_step", "optimizer_step"]


def test_one_row_that_does_not_fit_is_an_error_that_says_what_to_do(model):
    with pytest.raises(OutOfMemoryError, match=r"one row of 11 tokens.*max_length.*gradient_checkpointing.*bf16.*smaller model"):
        step(model, memory=10)
    batch = OBJECTIVES["multiple-choice"].batch(examples("multiple-choice")[:1], CPU)
    with pytest.raises(OutOfMemoryError, match=r"one question of 3 choices \(12 tokens\)"):
        smaller_limit(batch)


def test_other_errors_are_no_lack_of_memory(model):
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("std::bad_alloc"))
    with pytest.raises(RuntimeError, match="shapes"):
        step(model, memory=10, error=RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_lack_of_memory_in_the_optimiser_is_not_mended_by_smaller_parts():
    class Full:
        def step(self):
            raise MemoryError("no")

    with pytest.raises(OutOfMemoryError, match=r"optimiser's own state.*adafactor.*freeze.*smaller"):
        take_step(Full())


def test_rows_that_are_only_run_are_halved_too_and_come_in_order():
    seen = []

    def run(rows):
        seen.append(len(rows))
        if len(rows) > 3:
            raise NO_MEMORY
        return [10 * row for row in rows]

    batches = [[4, 2, 0, 6, 1, 3, 5], [7, 8], [9, 10, 11, 12]]
    found = list(run_what_fits(run, batches, device=CPU))
    assert [row for rows, _ in found for row in rows] == [row for batch in batches for row in batch]
    assert [value for _, values in found for value in values] == [10 * row for batch in batches for row in batch]
    assert seen == [7, 4, 2, 2, 2, 1, 2, 2, 2]
    with pytest.raises(OutOfMemoryError, match=r"row 7 alone.*max_length.*bf16.*smaller model"):
        list(run_what_fits(lambda rows: run([0] * 4), [[7]], device=CPU))


def test_batches_that_are_only_run_are_halved_with_random_numbers_where_they_stood():
    seen = []

    def run(batch):
        seen.append(batch.tokens)
        drawn = int(torch.randint(10**9, ()))
        if batch.tokens > 12:
            raise NO_MEMORY
        return batch.packed.lengths, drawn

    batches = [text_batch([sequence(n) for n in lengths], [0] * len(lengths), device=CPU) for lengths in (LENGTHS, (9,), (6, 7))]
    torch.manual_seed(5)
    found = list(run_parts_that_fit(run, batches, device=CPU))
    assert seen == [38, 18, 11, 7, 11, 9, 9, 7, 6]
    assert [length for lengths, _ in found for length in lengths] == [11, 7, 6, 5, 4, 3, 2, 9, 7, 6]
    torch.manual_seed(5)
    assert [drawn for _, drawn in found] == [int(torch.randint(10**9, ())) for _ in found]
    with pytest.raises(OutOfMemoryError, match=r"to run the model on one row of 13 tokens"):
        list(run_parts_that_fit(run, [text_batch([sequence(13)], [0], device=CPU)], device=CPU))


LIMITED = """
import json, resource, sys
sys.path.insert(0, sys.argv[3])
from training.test_out_of_memory import learn, torch
torch.set_num_threads(1)
torch.nn.Linear(8, 8)(torch.ones(2, 8)).sum().backward()  # whatever torch keeps for itself
used = int([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmSize")][0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]) * 2**20,) * 2)
print(json.dumps(learn(sys.argv[2])))
"""


def learn(folder):
    """Two steps of 32 rows of 61 tokens; the loss then, and what was found out about memory."""
    torch.manual_seed(0)
    config = family("bert").config(
        vocab_size=97, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024, num_labels=2,
        max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    rows = [{"input_ids": [(7 * row + place) % 90 + 5 for place in range(61)], "labels": row % 2} for row in range(64)]
    arguments = TrainingArguments(
        str(folder), max_steps=2, per_device_train_batch_size=32, learning_rate=0.05, optim="sgd", bf16=False, seed=3,
        save_strategy="steps", save_steps=2, logging_steps=1,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    trainer = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows, progress=False)
    trainer.train()
    loss = trainer.evaluate()["eval_loss"]
    return {"eval": loss, "max_tokens": trainer.state.max_tokens, "log": trainer.state.log_history}


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_a_run_within_bounded_memory_ends_at_the_weights_of_the_unbounded_one(tmp_path):
    command = [sys.executable, "-c", LIMITED, "92", str(tmp_path / "bounded"), str(Path(__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    free, bounded = learn(tmp_path / "free"), json.loads(done.stdout.splitlines()[-1])
    assert free["max_tokens"] is None
    assert bounded["max_tokens"] < 32 * 61
    assert {"step": 1, "max_tokens": bounded["max_tokens"]} in [
        {name: entry[name] for name in ("step", "max_tokens")} for entry in bounded["log"] if "max_tokens" in entry
    ]
    assert bounded["eval"] == pytest.approx(free["eval"], rel=1e-4)
    expected, weights = (load_file(tmp_path / name / "checkpoint-2" / "model.safetensors") for name in ("free", "bounded"))
    for name, weight in expected.items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-3, atol=1e-5)
    state = json.loads((tmp_path / "bounded" / "checkpoint-2" / "trainer_state.json").read_text())
    assert state["max_tokens"] == bounded["max_tokens"]


@pytest.fixture
def small_memory(monkeypatch):
    """``small_memory(tokens)``: evaluations hold no more at once from now on; the tokens of all passes."""
    seen, encode = [], EncoderModel.encode

    def limited(most):
        def run(model, packed):
            if not torch.is_grad_enabled():
                seen.append(packed.tokens)
                if packed.tokens > most:
                    raise NO_MEMORY
            return encode(model, packed)

        monkeypatch.setattr(EncoderModel, "encode", run)
        return seen

    return limited


def test_evaluation_through_a_data_collator_is_halved_too(model, tmp_path, small_memory):
    def collate(rows):
        ids = torch.tensor([row["input_ids"] for row in rows])
        return {"input_ids": ids, "labels": ids[:, 1] % 5}

    rows = [{"input_ids": [2, 5 + n, 3]} for n in range(23)]
    arguments = TrainingArguments(str(tmp_path), per_device_eval_batch_size=7, bf16=False)
    trainer = Trainer(model, arguments, eval_dataset=rows, data_collator=collate, progress=False)
    expected = trainer.evaluate()
    seen = small_memory(13)
    assert trainer.evaluate() == pytest.approx(expected)
    assert seen[:3] == [21, 12, 9]
    assert max(seen[1:]) == 12


def test_evaluation_in_pre_training_is_halved_too(tmp_path, text_file, tokenizer_folder, small_memory):
    def evaluated(name):
        settings = PretrainSettings(
            files=(str(text_file),), tokenizer=str(tokenizer_folder), output_dir=str(tmp_path / name), family="bert",
            hidden_size=28, num_hidden_layers=1, num_attention_heads=4, max_position_embeddings=37, max_length=29, max_steps=1,
            tokens_per_batch=131, held_out=0.3, eval_strategy="steps", eval_steps=1, bf16=False,
        )  # fmt: skip
        pretrain(settings, progress=False)
        (line,) = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines() if "eval_" in line]
        return line

    expected = evaluated("free")
    seen = small_memory(70)
    assert evaluated("bounded") == pytest.approx(expected, rel=1e-5)
    assert seen[0] > 70
    assert sum(tokens > 70 for tokens in seen) < 3  # once an evaluation

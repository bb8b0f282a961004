"""The loop around the step: data order, schedule, log, checkpoints and resuming. What is trained comes in as a ``Job``."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headway.errors import CheckpointError
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.training import plateau
from headway.training.batch import Batch
from headway.training.callbacks import Callbacks, TrainerControl, is_improvement, metric_name, metric_value
from headway.training.checkpoints import (
    TrainerState,
    checkpoint_folder,
    load_state,
    load_weights,
    newest_state,
    save_state,
    states_in,
)
from headway.training.compiled import compiled
from headway.training.determinism import deterministic
from headway.training.embedding_noise import noisy_embeddings
from headway.training.interruptions import Interruptions, end, stopped_message
from headway.training.job import DECISIVE, Job, TrainOutput, evaluate, total_steps
from headway.training.keeping import Keeper, check_writable
from headway.training.loss_scale import LossScale
from headway.training.machine import use_tf32
from headway.training.memory import give_back_freed_memory, keep_freed_memory
from headway.training.moments import Moment, Now, intervals
from headway.training.optimiser import finishing, make_optimizer, set_learning_rate
from headway.training.processes import Processes, join
from headway.training.reporting import Reporter
from headway.training.schedules import learning_rates
from headway.training.sharding import Sharded, shard
from headway.training.soundness import check_sound
from headway.training.step import Precision, StepResult, mixed_precision, train_step
from headway.training.supply import Supply
from headway.training.touched_rows import made_dense

__all__ = ["Job", "TrainOutput", "evaluate", "train"]

STEPS_BETWEEN_TRIMS = 50
"""How often memory that is kept but free goes back to the system."""


def train(
    job: Job,
    arguments: TrainingArguments,
    reporter: Reporter,
    callbacks: Callbacks | None = None,
    *,
    use: Callable[[TrainerState], None] = lambda state: None,
) -> TrainOutput:
    """Train to the end, from the checkpoint that the arguments name where there is one. The model is changed in place.

    ``use`` gets the state that is kept up to date while training goes on. SIGTERM, Ctrl-C and ``max_minutes`` end it after the
    step under way, with a checkpoint.
    """
    processes = join()
    processes.from_first(lambda: check_writable(arguments.output_dir))
    keep_freed_memory()
    reporter.advise(use_tf32(arguments.tf32))
    torch.manual_seed(arguments.seed)
    processes.same_weights(job.model)
    run = _begun(job, arguments, reporter, callbacks or Callbacks([]), processes)
    state, began, first = run.state, time.monotonic(), run.state.global_step
    use(state)
    run.tell("train_begin")
    if arguments.eval_on_start and not first:
        run.evaluate()
    noisy = noisy_embeddings(run.model, arguments.neftune_noise_alpha)
    exact = deterministic(job.model.device, wanted=arguments.full_determinism)
    with (
        Interruptions(arguments.max_minutes) as interruptions,
        finishing(run.optimizer),
        compiled(job.model, arguments),
        noisy,
        exact,
    ):
        for batches, begins_epoch, ends_epoch in run.supply.steps():
            if begins_epoch:
                run.tell("epoch_begin")
            run.step(batches)
            if state.global_step % STEPS_BETWEEN_TRIMS == 0:
                give_back_freed_memory()
            run.after_step(ends_epoch=ends_epoch)
            run.heed(int(processes.numbers(interruptions.heard).max()))
    run.gather()
    job.model.eval()
    if arguments.load_best_model_at_end and state.best_global_step not in (None, state.global_step):
        load_weights(run.best_folder(), job.model)
    run.tell("train_end")
    run.keeper.check_last()
    seconds, steps = time.monotonic() - began, float(state.global_step - first)
    return TrainOutput(state.global_step, reporter.last_loss, {"train_runtime": seconds, "train_steps": steps})


def _begun(job: Job, arguments: TrainingArguments, reporter: Reporter, callbacks: Callbacks, processes: Processes) -> "Run":
    settings = arguments.to_dict()
    identity = {name: settings[name] for name in DECISIVE} | dict(job.identity)
    if arguments.lr_scheduler_type == plateau.NAME:
        identity |= {name: settings[name] for name in plateau.DECISIVE}
    if (own := job.own_optimizer) is not None:
        identity |= own.facts()
    start = processes.from_first(lambda: _resume_folder(arguments))
    if start is not None:
        load_weights(start, job.model)
    sharded = shard(job.model, arguments, processes)
    trained = job.model if sharded is None else sharded.model
    optimizer = make_optimizer(trained, arguments) if own is None else own.make(trained, arguments)
    state = TrainerState() if start is None else load_state(start, job.model, optimizer, identity=identity, trained=trained)
    made_dense(optimizer)
    state.batches_of_step = state.batches_of_step or arguments.gradient_accumulation_steps * processes.count
    total = total_steps(job, arguments, batches_of_step=state.batches_of_step)
    scheduled = arguments if own is None else own.scheduled(arguments)
    falling = plateau.Plateau(scheduled, state.plateau) if arguments.lr_scheduler_type == plateau.NAME else None
    highest = None if falling is None else falling.rate
    rate = learning_rates(total, scheduled, highest=highest)  # what is wrong with the schedule is said before the first step
    state.max_steps, state.batches_of_epoch = total, max(1, len(job.order(state.epochs_done)))
    every = intervals(arguments, total)
    state.logging_steps, state.eval_steps, state.save_steps = every.logging, every.evaluating, every.saving
    callbacks.load_states(state.callbacks)
    callbacks.control = TrainerControl()
    trained.train()
    reporter.begin(state, total=total, resumed=start, model=job.model, arguments=arguments)
    return Run(
        job=job,
        arguments=arguments,
        reporter=reporter,
        callbacks=callbacks,
        optimizer=optimizer,
        rate=rate if own is None or own.scheduler is None else own.rate,
        falling=falling,
        precision=mixed_precision(job.model.device, bf16=arguments.bf16, fp16=arguments.fp16),
        scale=LossScale(job.model.device, state.loss_scale) if arguments.fp16 else None,
        identity=identity,
        state=state,
        processes=processes,
        sharded=sharded,
        supply=Supply(
            job=job, state=state, callbacks=callbacks, processes=processes, seed=arguments.seed, in_step=sharded is not None
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training under way: the loop's steps, and what happens after each."""

    job: Job
    arguments: TrainingArguments
    reporter: Reporter
    callbacks: Callbacks
    optimizer: torch.optim.Optimizer
    rate: Callable[[float], float]
    falling: plateau.Plateau | None
    precision: Precision
    scale: LossScale | None
    identity: Mapping[str, Any]
    state: TrainerState
    processes: Processes
    sharded: Sharded | None
    supply: Supply
    keeper: Keeper = field(default_factory=Keeper)

    @property
    def model(self) -> EncoderModel:
        """What is trained: the job's model, or a twin of it in shards."""
        return self.job.model if self.sharded is None else self.sharded.model

    def tell(self, event: str, **given: Any) -> None:
        """Tell the callbacks of an event."""
        self.callbacks.tell(event, self.arguments, self.state, model=self.model, optimizer=self.optimizer, **given)

    def _loss_sum(self, model: EncoderModel, batch: Batch) -> Tensor:
        torch.manual_seed(batch.seed)
        return self.job.loss_sum(model, batch) if self.sharded is None else self.sharded.loss(self.job.loss_sum, batch)

    def step(self, batches: Sequence[Batch]) -> None:
        """One optimiser step at its rate."""
        state, arguments, job = self.state, self.arguments, self.job
        rate = self.rate(state.global_step)
        set_learning_rate(self.optimizer, rate)
        self.tell("step_begin")
        result = train_step(
            self.model,
            batches,
            loss_sum=self._loss_sum,
            optimizer=self.optimizer,
            precision=self.precision,
            max_grad_norm=arguments.max_grad_norm,
            count=lambda batch: 0.0 if batch.is_idle else job.count(batch),
            tell=self.tell,
            max_tokens=state.max_tokens,
            processes=self.processes,
            scale=self.scale,
        )
        result = result.over(self.processes)
        state.global_step += 1
        if result.max_tokens != state.max_tokens:
            self._keep_limit(result)
        self.reporter.step(state, result, rate, batches)

    def _keep_limit(self, result: StepResult) -> None:
        """From now on no more tokens at once than memory was found to hold; said, logged, and part of every checkpoint."""
        self.state.max_tokens = result.max_tokens
        self.reporter.advise(
            [
                f"Memory did not suffice for this batch at once. It was divided into parts of at most {result.max_tokens:,} "
                "tokens, and so are those that follow; gradients are those of the whole."
            ]
        )
        self.reporter.log(self.state, {"max_tokens": result.max_tokens})

    def after_step(self, *, ends_epoch: bool) -> None:
        """Log, evaluate and save, where the strategies or a callback want it, or where this was the last step."""
        self.tell("step_end")
        self._agree()
        self._act("steps", ends_epoch=ends_epoch)
        if ends_epoch:
            self.tell("epoch_end")
            self._agree()
            self._act("epoch", ends_epoch=True)

    def _act(self, moment: Moment, *, ends_epoch: bool) -> None:
        state, arguments, control = self.state, self.arguments, self.callbacks.control
        is_last = control.should_training_stop or state.global_step == state.max_steps
        now = Now(moment, state.global_step, is_last, ends_epoch)
        is_first = arguments.logging_first_step and now.step == 1 and moment == "steps"
        if control.should_log or is_first or now.is_due(arguments.logging_strategy, state.logging_steps):
            self.log()
        if control.should_evaluate or (now.is_due(arguments.eval_strategy, state.eval_steps) and self._is_past_delay()):
            self.hear(self.evaluate())
            self._agree()
        state.stopped = self.callbacks.control.should_training_stop
        now = replace(now, is_last=is_last or state.stopped)
        if self.callbacks.control.should_save or self._is_best() or now.is_due(arguments.save_strategy, state.save_steps):
            self.save()

    def _agree(self) -> None:
        """What callbacks want in one process is done in all of them."""
        if self.processes.count > 1:
            control = self.callbacks.control
            wishes = self.processes.wishes(*vars(control).values())
            self.callbacks.control = replace(control, **dict(zip(vars(control), wishes, strict=True)))

    def log(self) -> None:
        """The figures since the last line."""
        self.callbacks.control.should_log = False
        self.reporter.log_training(self.state)
        self._tell_of_log()

    def evaluate(self) -> dict[str, float]:
        """Scores on the held-out data, where there is any; and whether they are the best so far."""
        self.callbacks.control.should_evaluate = False
        if self.job.evaluate is None:
            return {}
        self.gather()
        scores, state = evaluate(self.job), self.state
        self.reporter.log(state, scores)
        self._tell_of_log()
        self.tell("evaluate", metrics=scores)
        compares = self.arguments.load_best_model_at_end or self.arguments.metric_for_best_model is not None
        if compares or self.arguments.save_strategy == "best" or metric_name(self.arguments) in scores:
            value = metric_value(scores, self.arguments)
            if is_improvement(value, state.best_metric, self.arguments):
                state.best_metric, state.best_global_step = value, state.global_step
        return scores

    def hear(self, scores: dict[str, float]) -> None:
        """Let an evaluation decide about the learning rate, where the schedule waits for it."""
        if self.falling is not None and scores:
            self.falling.take(metric_value(scores, self.arguments))

    def gather(self) -> None:
        """Let the job's model have the weights of now, where they are in shards."""
        if self.sharded is not None:
            self.sharded.gather()

    def save(self) -> bool:
        """A checkpoint of this step; whether it is on disk."""
        state, arguments = self.state, self.arguments
        self.callbacks.control.should_save = False
        self.reporter.settle(state)
        state.callbacks = self.callbacks.states()
        state.plateau = {} if self.falling is None else self.falling.state()
        state.loss_scale = {} if self.scale is None else self.scale.state()
        folder, best_before = checkpoint_folder(arguments.output_dir, state.global_step), state.best_model_checkpoint
        if state.best_global_step == state.global_step:
            state.best_model_checkpoint = str(folder)

        self.gather()
        shards = None
        if self.sharded is not None and not arguments.save_only_model:
            shards = self.sharded.write(self.optimizer, folder.parent)

        def write() -> None:
            if isinstance(shards, OSError):
                raise shards
            limit = arguments.save_total_limit
            optimizer = None if arguments.save_only_model else self.optimizer
            save_state(folder, self.job.model, optimizer, state, identity=self.identity, limit=limit, shards=shards)

        def newest() -> Path | None:
            return next(reversed(states_in(folder.parent)), None)

        failure = self.processes.from_first(lambda: self.keeper.write(folder, write, newest=newest))
        self.keeper.note(folder, failure)
        if failure is not None:
            state.best_model_checkpoint = best_before
            return False
        self.tell("save")
        return True

    def heed(self, number: int) -> None:
        """End as this signal or the clock wants it, with a checkpoint of this step; a training that is done just ends."""
        state, arguments = self.state, self.arguments
        if not number or state.stopped or state.global_step >= state.max_steps:
            return
        folder = checkpoint_folder(arguments.output_dir, state.global_step)
        wants = arguments.save_strategy != "no"
        saved = wants and (self.keeper.last == folder or self.save())
        message = stopped_message(number, state, folder if saved else None, arguments, wanted=wants)
        self.reporter.close()
        if self.processes.is_first:
            sys.stderr.write(f"{message}\n")
        raise end(number, message)

    def best_folder(self) -> Path:
        """Where the best weights are."""
        best = self.state.best_model_checkpoint
        folder = None if best is None else Path(self.arguments.output_dir) / Path(best).name
        if folder is None or not folder.is_dir():
            raise CheckpointError(
                f"The weights of the best evaluation (step {self.state.best_global_step}) were not kept, so they cannot be "
                f"loaded at the end. Keep the checkpoints in {self.arguments.output_dir} until training has ended."
            )
        return folder

    def _is_best(self) -> bool:
        """Whether the strategy wants these weights, as the best so far, and has them not yet."""
        state, folder = self.state, checkpoint_folder(self.arguments.output_dir, self.state.global_step)
        is_best = state.best_global_step == state.global_step and state.best_model_checkpoint != str(folder)
        return self.arguments.save_strategy == "best" and is_best

    def _is_past_delay(self) -> bool:
        done = self.state.global_step if self.arguments.eval_strategy == "steps" else self.state.epoch
        return done >= self.arguments.eval_delay

    def _tell_of_log(self) -> None:
        if self.state.log_history:
            self.tell("log", logs=self.state.log_history[-1])


def _resume_folder(arguments: TrainingArguments) -> Path | None:
    match arguments.resume_from_checkpoint:
        case None | False:
            return None
        case True:
            return newest_state(arguments.output_dir)
        case folder:
            return check_sound(Path(folder))

"""What each of several processes does in ``test_processes``; torchrun starts it, and one process alone does it too.

``several.py FOLDER MODEL ROWS TEXT TOKENIZER NAME PROCESSES_OF_THE_RECIPE PART…``, or ``several.py fork LAUNCHES``: launches, a
number of processes and such arguments each, of which all processes are forked from one, which has imported torch once.
"""

import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from forked import in_processes
from headway.compress.widths import WidthMap
from headway.neural import AutoModelForSequenceClassification
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainingArguments
from headway.text import Tokenizer
from headway.training import Trainer, loop
from headway.training.callbacks import TrainerCallback
from headway.training.pretraining import pretrain
from headway.training.processes import current, join

COMMON = {"logging_steps": 2, "save_steps": 3, "bf16": False, "learning_rate": 1e-3, "save_total_limit": None}


class OneStops(TrainerCallback):
    """The last process alone wants to stop."""

    def on_step_end(self, args, state, control, **given):
        control.should_training_stop = state.global_step == 5 and current().rank == current().count - 1


@dataclass(frozen=True)
class Several:
    """Where everything is, and how many processes the accumulation is meant for."""

    folder: str
    model: str
    rows: str
    text: str
    tokenizer: str
    name: str
    recipe: int

    def run(self, *parts):
        does = {
            "fine-tune": lambda: self.fine_tune("fine"),
            "fine-tune sharded": lambda: self.fine_tune("sharded-fine", fsdp="full_shard auto_wrap"),
            "own optimiser": lambda: self.fine_tune("own", optimizers=halving),
            "stop": lambda: self.fine_tune("stop", callbacks=[OneStops()]),
            "pretrain": self.learn,
            "pretrain sharded": lambda: self.learn("sharded-pre", fsdp="shard_grad_op"),
            "resume sharded": lambda: self.learn(fsdp="full_shard"),
            "resume shards": lambda: self.learn("sharded-pre"),
            "weights": self.share_weights,
            "sparse": self.add_sparse,
            "sigterm": lambda: self.stop("stopped"),
            "sigkill": lambda: (at_step(3, signal.SIGKILL), self.learn("stopped")),
        }
        join()
        for part in parts:
            does[part]()
            if current().is_first:
                sys.stdout.write(f"{part}\n")
                sys.stdout.flush()

    def fine_tune(self, output, *, callbacks=(), optimizers=lambda model: (None, None), **changes):
        rows = [json.loads(line) for line in Path(self.rows).read_text().splitlines()]
        data = [{"text": row["text"], "label": int(row["label"] == "pos")} for row in rows]
        arguments = TrainingArguments(
            f"{self.folder}/{output}-{self.name}", num_train_epochs=2, per_device_train_batch_size=3, eval_strategy="steps",
            eval_steps=4, gradient_accumulation_steps=4 // self.recipe, **COMMON, **changes,
        )  # fmt: skip
        model = AutoModelForSequenceClassification.from_pretrained(self.model, num_labels=2, hidden_dropout_prob=0.2)
        trainer = Trainer(
            model, arguments, train_dataset=data, eval_dataset=data[:17], callbacks=callbacks, optimizers=optimizers(model),
            processing_class=Tokenizer.from_pretrained(self.tokenizer), progress=False,
        )  # fmt: skip
        trainer.train()
        trainer.save_model()
        predicted = trainer.predict(data[:13])
        if current().is_first:
            found = {"logits": predicted.predictions.tolist(), "step": trainer.state.global_step}
            Path(f"{self.folder}/{output}-{self.name}.json").write_text(json.dumps(found))

    def learn(self, output="pre", **changes):
        pretrain(
            PretrainSettings(
                files=(self.text,), tokenizer=self.tokenizer, output_dir=f"{self.folder}/{output}-{self.name}", family="bert",
                hidden_size=28, num_hidden_layers=1, num_attention_heads=4, max_position_embeddings=37, max_length=29,
                tokens_per_batch=131, max_steps=7, held_out=0.1, dropout=0.1, gradient_accumulation_steps=6 // self.recipe,
                eval_strategy="steps", eval_steps=3, **COMMON, **changes,
            ),
            progress=False,
        )  # fmt: skip

    def stop(self, output):
        """A run that a signal stops; others begin where it ended."""
        at_step(2, signal.SIGTERM)
        with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)):
            self.learn(output)
        if current().is_first:
            for name in ("alone", "three"):
                shutil.copytree(f"{self.folder}/{output}-{self.name}", f"{self.folder}/pre-{name}")
        current().wait()

    def share_weights(self):
        """All processes begin with the weights of the first, also with those that no state dict holds."""
        torch.manual_seed(current().rank)
        model = nn.ModuleDict({"kept": nn.Linear(3, 2), "unsaved": WidthMap(3, 5)})
        current().same_weights(model)
        own = [weight.tolist() for weight in model.parameters()]
        assert current().gathered(own) == [own] * current().count

    def add_sparse(self):
        """Gradients of some rows of a table are those of all processes; a weight that one alone has used too."""
        processes, found = current(), []
        for sparse in (True, False):
            torch.manual_seed(1)
            model = nn.ModuleDict(
                {"table": nn.Embedding(11, 3, sparse=sparse), "own": nn.Linear(3, 2), "unused": nn.Linear(1, 1)}
            )
            states = model["table"](torch.tensor([[1, 4, 4], [4, 7, 2]][processes.rank]))
            (model["own"](states) if processes.is_first else states).pow(2).sum().backward()
            processes.add_gradients(model)
            found.append([weight.grad for weight in model.parameters()])
        assert found[0][0].is_sparse
        assert torch.equal(found[0][0].to_dense(), found[1][0])
        assert torch.equal(found[0][1], found[1][1])
        assert found[0][1].abs().sum() > 0
        assert found[0][3] is None


def halving(model):
    """An optimiser made by hand with two groups, and a schedule of its own."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    others = [weight for weight in model.parameters() if weight.dim() == 1]
    optimizer = torch.optim.RMSprop([{"params": matrices}, {"params": others, "lr": 2e-4}], lr=1e-3, momentum=0.5)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 3)


def at_step(step, number):
    """Send this signal to the second process as it comes to this step, counted from now."""
    real, steps = loop.train_step, 0

    def counted(*arguments, **named):
        nonlocal steps
        steps += 1
        if steps == step and current().rank == 1:
            os.kill(os.getpid(), number)
        return real(*arguments, **named)

    loop.train_step = counted


def run(arguments):
    Several(*arguments[:6], int(arguments[6])).run(*arguments[7:])


if __name__ == "__main__":
    if sys.argv[1] == "fork":
        sys.exit(not all([in_processes(count, partial(run, arguments)) for count, arguments in json.loads(sys.argv[2])]))
    run(sys.argv[1:])

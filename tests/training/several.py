"""What each of several processes does in ``test_processes``; torchrun starts it, and one process alone runs it too.

``python several.py FOLDER MODEL ROWS TEXT TOKENIZER NAME PROCESSES_OF_THE_RECIPE PART…``
"""

import json
import os
import signal
import sys
import warnings
from pathlib import Path

from headway.neural import AutoModelForSequenceClassification
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainingArguments
from headway.text import Tokenizer
from headway.training import Trainer, loop
from headway.training.callbacks import TrainerCallback
from headway.training.pretraining import pretrain
from headway.training.processes import current

warnings.simplefilter("ignore")
folder, model, rows, text, tokenizer, name = sys.argv[1:7]
recipe, parts = int(sys.argv[7]), sys.argv[8:]
COMMON = {"logging_steps": 2, "save_steps": 3, "bf16": False, "learning_rate": 1e-3, "save_total_limit": None}


class OneStops(TrainerCallback):
    """The second process alone wants to stop."""

    def on_step_end(self, args, state, control, **given):
        control.should_training_stop = state.global_step == 5 and current().rank == current().count - 1


def fine_tune(output, *, callbacks=(), **changes):
    labels = [json.loads(line) for line in Path(rows).read_text().splitlines()]
    data = [{"text": row["text"], "label": int(row["label"] == "pos")} for row in labels]
    arguments = TrainingArguments(
        f"{folder}/{output}-{name}", num_train_epochs=2, per_device_train_batch_size=3, eval_strategy="steps", eval_steps=4,
        gradient_accumulation_steps=4 // recipe, **COMMON | changes,
    )  # fmt: skip
    trainer = Trainer(
        AutoModelForSequenceClassification.from_pretrained(model, num_labels=2, hidden_dropout_prob=0.2), arguments,
        train_dataset=data, eval_dataset=data[:17], processing_class=Tokenizer.from_pretrained(tokenizer), callbacks=callbacks,
        progress=False,
    )  # fmt: skip
    trainer.train()
    trainer.save_model()
    predicted = trainer.predict(data[:13])
    if current().is_first:
        found = {
            "logits": predicted.predictions.tolist(),
            "step": trainer.state.global_step,
        }
        Path(f"{folder}/{output}-{name}.json").write_text(json.dumps(found))


def learn(output):
    pretrain(
        PretrainSettings(
            files=(text,), tokenizer=tokenizer, output_dir=f"{folder}/{output}-{name}",
            family="bert", hidden_size=28, num_hidden_layers=1,
            num_attention_heads=4, max_position_embeddings=37, max_length=29, tokens_per_batch=131, max_steps=7, held_out=0.1,
            dropout=0.1, gradient_accumulation_steps=6 // recipe, eval_strategy="steps", eval_steps=3, **COMMON,
        ),
        progress=False,
    )  # fmt: skip


def killed_at(step, number, rank):
    real, steps = loop.train_step, 0

    def counted(*arguments, **named):
        nonlocal steps
        steps += 1
        if steps == step and current().rank == rank:
            os.kill(os.getpid(), number)
        return real(*arguments, **named)

    loop.train_step = counted


for part in parts:
    match part:
        case "fine-tune":
            fine_tune("fine")
        case "resumed":
            fine_tune("fine", resume_from_checkpoint=f"{folder}/from/checkpoint-6")
        case "stop":
            fine_tune("stop", callbacks=[OneStops()])
        case "pretrain":
            learn("pre")
        case "kill":
            killed_at(5, signal.SIGKILL, current().count)
            learn("pre")
        case "sigterm":
            killed_at(5, signal.SIGTERM, 1)
            learn("pre")

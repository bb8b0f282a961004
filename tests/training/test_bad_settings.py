"""Settings and data that nothing good can come of are refused before the first step, by the argument's name, with the remedy."""

import dataclasses
import warnings

import pytest
import torch
import transformers

from headway.errors import ConfigError, HeadwayError
from headway.neural.classes import model_class
from headway.settings import other_names
from headway.settings.training import TrainingArguments
from headway.training import Trainer

ROWS = [{"text": text, "label": label} for text, label in [("a good film", 1), ("bad", 0), ("great fun", 1)] * 2]
TOKENS = [{"input_ids": [2, 5, 3], "labels": n % 2} for n in range(4)]
EVALUATES = {"eval_strategy": "steps", "eval_steps": 2}
BEST = {"load_best_model_at_end": True, **EVALUATES}

ARGUMENTS = [
    ({"learning_rate": 0.0}, r"learning_rate is 0\.0; so no weight would change\. Use a positive number"),
    ({"learning_rate": -1e-5}, r"learning_rate is -1e-05; it cannot be negative\. Use"),
    ({"learning_rate": 2e5}, r"learning_rate is 200000\.0, by about which .* Use 1 at most; 1e-5 to 1e-4"),
    ({"learning_rate": float("nan")}, r"learning_rate is nan, with which nothing can be computed\. Use a finite"),
    ({"learning_rate": float("inf")}, r"learning_rate is inf, .* Use a finite"),
    ({"learning_rate": "2e-5"}, r"learning_rate is '2e-5', but it is a number\. Write learning_rate=2e-5 without quotes"),
    ({"learning_rate": None}, r"learning_rate is None, but it is a number\. Give"),
    ({"weight_decay": -0.1}, r"weight_decay is -0\.1; it cannot be negative\. Use 0"),
    ({"weight_decay": True}, r"weight_decay is True, but it is a number"),
    ({"max_grad_norm": -1.0}, r"max_grad_norm is -1\.0; it cannot be negative\. Use 0 to switch"),
    ({"adam_beta1": 1.0}, r"adam_beta1 is 1\.0; it is a share, from 0 to below 1\. Use 0\.9"),
    ({"adam_beta2": -0.5}, r"adam_beta2 is -0\.5; it is a share"),
    ({"adam_epsilon": 0.0}, r"adam_epsilon is 0\.0; .* Use 1e-8"),
    ({"per_device_train_batch_size": 0}, r"per_device_train_batch_size is 0; it counts something .* Raise"),
    ({"per_device_train_batch_size": 2.5}, r"per_device_train_batch_size is 2\.5, but it is a whole number"),
    ({"per_device_train_batch_size": "8"}, r"per_device_train_batch_size is '8'.* Write per_device_train_batch_size=8 without"),
    ({"per_device_eval_batch_size": -3}, r"per_device_eval_batch_size is -3; it counts"),
    ({"gradient_accumulation_steps": 0}, r"gradient_accumulation_steps is 0; it counts"),
    ({"num_train_epochs": 0}, r"num_train_epochs is 0, so nothing would be trained\. Use a positive number, or max_steps"),
    ({"num_train_epochs": float("inf")}, r"num_train_epochs is inf, so nothing"),
    ({"max_steps": 1.5}, r"max_steps is 1\.5, but it is a whole number"),
    ({"max_length": 0}, r"max_length is 0, which would leave nothing\. Use at least 1, or None"),
    ({"warmup_steps": -1}, r"warmup_steps is -1; it cannot be negative"),
    ({"warmup_steps": 500, "max_steps": 100}, r"warmup_steps is 500, but the whole training has 100 steps .* share of all steps"),
    ({"logging_steps": 0}, r"logging_steps is 0; .* logging_strategy='no' for never"),
    ({"save_steps": 2.5}, r"save_steps is 2\.5; it is a number of steps, or below 1 a share of all steps\. Use one"),
    ({"eval_steps": -2}, r"eval_steps is -2; .* eval_strategy='no'"),
    ({"save_total_limit": 0}, r"save_total_limit is 0, which would leave nothing\. Use at least 1, or None"),
    ({"max_minutes": 0}, r"max_minutes is 0, in which nothing can be learnt\. Use more than 0, or None"),
    ({"max_minutes": 9, "save_strategy": "no"}, r"max_minutes is 9, but save_strategy is 'no', .* Leave one of them out"),
    ({"max_minutes": 9, "save_only_model": True}, r"max_minutes is 9, but save_only_model is on"),
    ({"seed": -1}, r"seed is -1; it cannot be negative"),
    ({"seed": "42"}, r"seed is '42', but it is a whole number\. Write seed=42 without quotes"),
    ({"bf16": "true"}, r"bf16 is 'true', but it is True or False or None"),
    (
        {"eval_strategy": "epochs"},
        r"eval_strategy is 'epochs', which is not known here\. Use no, steps, epoch\. Did you mean 'epoch'",
    ),
    ({"eval_strategy": True}, r"eval_strategy is True, but it is one of no, steps, epoch"),
    ({"save_strategy": "always"}, r"save_strategy is 'always', .* Use no, steps, epoch, best"),
    ({"logging_strategy": "never"}, r"logging_strategy is 'never', .* Use no, steps, epoch"),
    ({"lr_scheduler_type": "cosin"}, r"lr_scheduler_type is 'cosin', .* Did you mean 'cosine'"),
    ({"optim": "adam"}, r"optim is 'adam', .* Did you mean"),
    ({"layerwise_lr_decay": 1.5}, r"layerwise_lr_decay is 1\.5, .* Use 1"),
    ({"label_smoothing_factor": -0.1}, r"label_smoothing_factor is -0\.1, .* Use 0"),
    ({"class_weights": "balancd"}, r"class_weights is 'balancd'; it is 'balanced', or one number"),
    ({"report_to": "comet"}, r"report_to has 'comet', .* or for others a callback"),
    ({"hub_strategy": "sometimes"}, r"hub_strategy is 'sometimes', .* Use end, every_save, checkpoint, all_checkpoints"),
    ({"load_best_model_at_end": True}, r"load_best_model_at_end needs .* Use the same for both"),
    ({**BEST, "save_strategy": "epoch"}, r"eval_strategy is 'steps' and save_strategy 'epoch'"),
    ({**BEST, "save_steps": 3}, r"every 2 and 3 steps.* Use the same for both, or save_strategy='best'"),
    ({"save_strategy": "best"}, r"save_strategy is 'best', but eval_strategy is 'no'.* Use eval_strategy="),
    ({"learning_rte": 1e-5}, r"has no argument 'learning_rte'\. Did you mean 'learning_rate'"),
    ({"fp17": True}, r"has no argument 'fp17'\. Did you mean"),
    ({"deepspeed": "ds.json"}, r"deepspeed='ds\.json' is not available\. Use fsdp='full_shard'"),
    ({"fsdp": "full_shard offload"}, r"fsdp is 'full_shard offload', of which only 'full_shard' or 'shard_grad_op' is available"),
    ({"label_all_tokens": "all"}, r"label_all_tokens is 'all', .* Use no, inside, same"),
    ({"neftune_noise_alpha": -5.0}, r"neftune_noise_alpha is -5\.0; it cannot be negative\. Use 0"),
    ({"include_for_metrics": ["loss"]}, r"include_for_metrics has 'loss', of which only 'inputs' is available: the loss is in"),
    ({"optim": "adamw_bnb_8bit"}, r"optim is 'adamw_bnb_8bit', .* Use adamw_torch_fused, .* adafactor keeps almost nothing"),
    ({"learning_rate": 2.0, "optim": "lion_32bit"}, r"learning_rate is 2\.0, by about which lion_32bit would change each weight"),
    ({"push_to_hub_organization": "acme"}, r"hub_model_id='acme/…'"),
]


@pytest.mark.parametrize(("given", "message"), ARGUMENTS, ids=lambda value: "-".join(value) if isinstance(value, dict) else "")
def test_arguments(given, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments("out", **given)


@pytest.fixture
def train(tiny_config, tiny_tokenizer, tmp_path, monkeypatch):
    """``train(rows, …)`` on a tiny classifier whose first step would be an error of another kind."""
    monkeypatch.setattr("headway.training.loop.train_step", None)

    def run(rows=ROWS, *, settings=None, config=None, tokenizer=tiny_tokenizer, **given):
        torch.manual_seed(0)
        names = {"num_labels": 2} if "id2label" not in (config or {}) else {}
        model = model_class("bert", "sequence-classification")(tiny_config.replace(**names, **(config or {})))
        arguments = TrainingArguments(**{"output_dir": str(tmp_path / "out"), "max_steps": 4, "bf16": False, **(settings or {})})
        return Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer, progress=False, **given).train()

    return run


def changed(**cells):
    return [*ROWS, {**ROWS[0], **cells}]


NAMED = {"id2label": {0: "neg", 1: "pos"}}
RUNS = [
    (
        {"settings": {"eval_strategy": "epoch"}},
        r"eval_strategy is 'epoch', but there is nothing to evaluate on\. Give Trainer an eval_",
    ),
    ({"settings": {"eval_on_start": True}}, r"eval_on_start is True, but there is nothing .* eval_on_start=False"),
    (
        {"settings": {**EVALUATES, "metric_for_best_model": "f2"}, "eval_dataset": ROWS},
        r"metric_for_best_model is 'f2', but evaluations here measure loss, accuracy, f1.*Name one of these",
    ),
    ({"rows": None}, r"train_dataset is missing"),
    ({"rows": []}, r"train_dataset is empty.*Give at least one row"),
    ({"rows": [{"label": 1}]}, r"There is no text column: none of .* is among the columns label\. Name the one"),
    ({"rows": [{"text": "good"}]}, r"There is no label column: none of .* is among the columns text\. Name the one"),
    ({"rows": [*ROWS, {"label": 1}]}, r"Row 6 of train_dataset holds nothing in column 'text'.*Correct or remove"),
    ({"rows": [*ROWS, {"text": "good"}]}, r"Row 6 of train_dataset has no label in column label.*Correct or remove"),
    ({"rows": changed(label=None)}, r"Row 6 of train_dataset has no label"),
    ({"rows": changed(label=5)}, r"Row 6 of train_dataset: The label 5 is not one of .*Correct or remove the row"),
    ({"rows": changed(label=-1)}, r"Row 6 of train_dataset: The label -1 is not one of"),
    ({"rows": changed(label=0.5)}, r"Row 6 of train_dataset: The label 0\.5 is a fraction.*Turn scores into classes"),
    (
        {"rows": changed(label="other"), "config": NAMED},
        r"Row 6 of train_dataset: The label 'other' is not one of neg, pos\. Correct",
    ),
    (
        {"rows": changed(label=[1, 0])},
        r"of several kinds: int \(row 0\) and tuple \(row 6\)\. Give every row one of the same kind",
    ),
    ({"rows": changed(text=3)}, r"Row 6 of train_dataset: An input is int 3, where a text .* Convert it"),
    (
        {"rows": [{"text": "a", "label": str(n)} for n in "xyz"]},
        r"The data has 3 labels \(x, y, z\), but the model has .*num_labels=3",
    ),
    ({"rows": [*TOKENS, {"input_ids": [2, 3]}]}, r"Row 4 of train_dataset has no label.*Add a 'labels'"),
    (
        {"rows": [*TOKENS, {"input_ids": [2, 3], "labels": 2}]},
        r"Row 4 of train_dataset has the label 2, but .* 0 to 1\. .*num_labels=3",
    ),
    ({"rows": [*TOKENS, {"input_ids": [2, 3], "labels": "pos"}]}, r"of several kinds: int \(row 0\) and str \(row 4\)"),
    (
        {"rows": [{"input_ids": [2, 3], "labels": "pos"}]},
        r"Row 0 .* the label 'pos', but tokenised rows have numbers\. Give the label's",
    ),
    (
        {"rows": [{"input_ids": [2, 3], "labels": [1.0, 0.0, 1.0]}]},
        r"Row 0 .* has 3 labels, 0 or 1 for each, but the model has 2\.",
    ),
    ({"rows": TOKENS, "tokenizer": None, "task": "ner"}, r"task is 'ner', which is done with the head .* or leave the task out"),
    ({"task": "sentiment-analysys"}, r"Did you mean|Known"),
    ({"settings": {"class_weights": (1.0, 2.0, 3.0)}}, r"class_weights is .* but there are 2 labels .* Give 2 numbers"),
    ({"settings": {"freeze": "layers.7"}}, r"has no part 'layers\.7', so nothing would happen\. Did you mean"),
    ({"settings": {"freeze": ("*",)}}, r"All weights of the model are frozen.* Name fewer parts in freeze"),
    ({"settings": {"label_all_tokens": True}}, r"label_all_tokens .* in the task 'text-classification' words have no labels\."),
    ({"settings": {"max_length": 513}}, r"max_length is 513, but this model reads 41 tokens at most\. Use at most 41, or None"),
    ({"settings": {"lr_scheduler_kwargs": {"cycles": 2}}}, r"lr_scheduler_kwargs has 'cycles', which is no setting .*'linear'"),
    ({"settings": {"optim_args": {"momentum": 0.9}}}, r"optim_args has 'momentum', which is no setting of adamw_torch_fused"),
    ({"settings": {"max_steps": -1, "warmup_steps": 500}}, r"warmup_steps is 500, but the whole training has 3 steps"),
    ({"model_init": lambda: None}, r"model and model_init are both given.* Leave one out"),
]


@pytest.mark.parametrize(("given", "message"), RUNS)
def test_runs(train, given, message):
    with pytest.raises(HeadwayError, match=message):
        train(**given)


def test_folders(train, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HeadwayError, match=r"output_dir is .*file', which cannot be written to.* or give another folder"):
        train(settings={"output_dir": str(tmp_path / "file")})
    with pytest.raises(HeadwayError, match=r"resume_from_checkpoint is .*nowhere', .* or True for the newest"):
        train(settings={"resume_from_checkpoint": str(tmp_path / "nowhere")})


def test_another_model_s_tokenizer_is_refused(train, tokenizer_folder):
    from headway.text import Tokenizer

    other = Tokenizer.from_pretrained(tokenizer_folder)
    with pytest.raises(HeadwayError, match="tokenizer"):
        train(tokenizer=other, config={"vocab_size": 31})


def test_arguments_of_another_library_are_refused(tiny_config, tmp_path):
    theirs = transformers.TrainingArguments(str(tmp_path), report_to="none")
    with pytest.raises(ConfigError, match=r"Trainer needs headway\.TrainingArguments. Make them with the same names"):
        Trainer(model_class("bert", "sequence-classification")(tiny_config), theirs)
    with pytest.raises(ConfigError, match=r"model is a torch.nn.modules.linear.Linear, but Trainer trains Headway's encoders"):
        Trainer(torch.nn.Linear(2, 3))


@pytest.mark.parametrize("field", dataclasses.fields(transformers.TrainingArguments), ids=lambda field: field.name)
def test_every_argument_of_transformers_is_known_and_its_default_is_taken(field):
    made = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    known = {own.name for own in dataclasses.fields(TrainingArguments)} | set(other_names.OTHER_NAMES)
    assert field.name in known
    given = {"warmup_ratio": 0.1, "adafactor": False}.get(field.name, made)
    value = getattr(given, "value", given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TrainingArguments(
            **{"eval_strategy": "no", "output_dir": "out", field.name: "out" if field.name == "output_dir" else value}
        )

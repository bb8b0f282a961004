"""Pre-training as a whole: what is learnt, from what, and that an interruption changes nothing."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from headway.core.batching import TokenSequence
from headway.errors import ConfigError, DataError
from headway.families import family
from headway.neural.packing import pack
from headway.settings.presets import PRESETS, preset
from headway.settings.pretraining import PretrainSettings
from headway.text import Tokenizer
from headway.training import loop
from headway.training.generator import GeneratorAndDiscriminator
from headway.training.masking import Masking, masked_batch
from headway.training.objectives.replaced_token import corrupted
from headway.training.pieces import Text
from headway.training.pretraining import new_model, pretrain

SMALL = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 37, "max_length": 29,
    "tokens_per_batch": 151, "max_steps": 9, "save_steps": 4, "logging_steps": 1, "held_out": 0.15, "eval_strategy": "steps",
    "eval_steps": 3, "bf16": False, "dropout": 0.1,
}  # fmt: skip
ELECTRA = ("embedding_size=13",)
OBJECTIVES = [
    pytest.param({"objective": "masked-lm", "masking": "whole-word"}, id="whole words"),
    pytest.param({"objective": "next-sentence", "family": "bert", "masking": "span"}, id="next sentences and spans"),
    pytest.param({"objective": "sentence-order", "family": "albert", "model_settings": ELECTRA}, id="sentence order"),
    pytest.param({"objective": "replaced-token", "family": "electra", "model_settings": ELECTRA}, id="replaced tokens"),
    pytest.param({"objective": "replaced-token", "family": "deberta-v2"}, id="disentangled embeddings"),
]


class Interrupted(Exception):
    pass


def interrupt(monkeypatch, *, at):
    """Let the run end abruptly before one of its steps."""
    real, steps = loop.train_step, itertools.count(1)

    def step(*arguments, **named):
        if next(steps) == at:
            raise Interrupted
        return real(*arguments, **named)

    monkeypatch.setattr(loop, "train_step", step)


def settings_for(output, text_file, tokenizer_folder, **changes):
    return PretrainSettings(files=(str(text_file),), tokenizer=str(tokenizer_folder), output_dir=str(output), **SMALL | changes)


def log_of(folder):
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name != "tokens_per_second"} for line in lines]


@pytest.mark.parametrize("changes", OBJECTIVES)
def test_each_objective_interrupted_and_resumed_ends_where_it_would_have(
    tmp_path, text_file, tokenizer_folder, changes, monkeypatch
):
    whole, run = (settings_for(tmp_path / name, text_file, tokenizer_folder, **changes) for name in ("whole", "run"))
    pretrain(whole, progress=False)
    with monkeypatch.context() as patched:
        interrupt(patched, at=7)
        with pytest.raises(Interrupted):
            pretrain(run, progress=False)
    pretrain(run, progress=False)
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
    weights = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.safetensors"))
    assert any("generator" in str(path) for path in weights) == (changes["objective"] == "replaced-token")
    for path in weights:
        found, expected = load_file(tmp_path / "run" / path), load_file(tmp_path / "whole" / path)
        assert all((found[name] == expected[name]).all() for name in expected), path
    figures = {name for line in log_of(tmp_path / "whole") for name in line}
    assert {"eval_loss", "eval_accuracy"} <= figures
    if changes["objective"] in ("next-sentence", "sentence-order"):
        assert {"eval_pair_loss", "eval_pair_accuracy"} <= figures
    if changes["objective"] == "replaced-token":
        assert {"eval_recall", "eval_generator_loss", "eval_generator_accuracy"} <= figures


def test_the_first_loss_is_that_of_guessing_blindly(tmp_path, text_file, tokenizer_folder):
    pretrain(settings_for(tmp_path, text_file, tokenizer_folder, max_steps=1), progress=False)
    assert log_of(tmp_path)[0]["loss"] == pytest.approx(math.log(97), abs=0.15)


def test_a_tiny_model_learns_a_tiny_text_by_heart(tmp_path, tokenizer_folder):
    (tmp_path / "text.txt").write_text("the good film was warm and bright but the dull song was cold and slow .\n\n" * 20)
    settings = settings_for(
        tmp_path / "out", tmp_path / "text.txt", tokenizer_folder, max_steps=130, learning_rate=1e-2, dropout=0.0, held_out=0,
        eval_strategy="no", save_strategy="no", hidden_size=32, family="bert", tokens_per_batch=307,
    )  # fmt: skip
    pretrain(settings, progress=False)
    log = log_of(tmp_path / "out")
    assert log[0]["loss"] > 4
    assert np.mean([line["loss"] for line in log[-20:]]) < 0.5


@pytest.mark.parametrize("model_type", ["modernbert", "bert", "deberta-v2", "mpnet"])
def test_no_token_sees_those_of_another_document(text_file, tokenizer_folder, model_type):
    settings = settings_for("out", text_file, tokenizer_folder, family=model_type, dropout=0.0)
    model = new_model(settings, Tokenizer.from_pretrained(tokenizer_folder)).eval()
    texts = [TokenSequence(list(range(5, 5 + length))) for length in (19, 11, 11)]
    changed = [texts[0], TokenSequence(list(range(60, 71))), texts[2]]
    before, after = (model.encode(pack(given)) for given in (texts, changed))
    assert torch.equal(before[:19], after[:19])
    assert torch.equal(before[30:], after[30:])
    assert not torch.allclose(before[19:30], after[19:30])


def test_a_replaced_token_is_one_that_differs_from_the_original():
    masking = Masking(probability=0.4, mask_id=4, vocab_size=101, special_ids=(0, 1, 2, 3, 4), masked=1.0, replaced=0.0)
    batch = masked_batch(
        [Text(np.arange(10, 47)), Text(np.arange(50, 61))], masking, np.random.default_rng(0), device=torch.device("cpu")
    )
    assert (batch.packed.ids_T[batch.places] == 4).all()
    sampled = batch.targets.clone()
    sampled[::2] = 99
    packed, replaced = corrupted(batch, sampled)
    original = batch.packed.ids_T.index_copy(0, batch.places, batch.targets)
    assert torch.equal(replaced, (packed.ids_T != original).long())
    assert int(replaced.sum()) == len(sampled[::2])  # a token that was guessed right is an original
    assert (packed.ids_T != 4).all()


def pair_of_models(text_file, tokenizer_folder, **changes):
    from headway.training.objectives import replaced_token
    from headway.training.pretraining_objective import find_objective

    torch.manual_seed(3)
    settings = settings_for("out", text_file, tokenizer_folder, objective="replaced-token", dropout=0.0, **changes)
    model = new_model(settings, Tokenizer.from_pretrained(tokenizer_folder), head="replaced-token")
    assert find_objective("replaced-token").complete is replaced_token.complete
    return replaced_token.complete(model, settings)


def test_disentangled_embeddings_part_the_gradients(text_file, tokenizer_folder):
    """He et al., 2023, arXiv:2111.09543, section 3.2: the discriminator's loss moves its own difference alone."""
    models = pair_of_models(text_file, tokenizer_folder, family="deberta-v2")
    own, common = models.discriminator.embeddings.token.weight, models.generator.embeddings.token.weight
    assert not own.any()
    packed = pack([TokenSequence(list(range(5, 22)))])
    models.judge(packed).sum().backward()
    assert own.grad.abs().sum() > 0
    assert common.grad is None
    with torch.no_grad():
        own.normal_()
    shown = models.discriminator.embeddings.token.weight.clone()
    scores = models.judge(packed)
    with torch.no_grad():
        own.add_(common)
    model = models.discriminator
    torch.testing.assert_close(model.predict(model.encode(packed), packed).tokens["logits"], scores)
    assert not torch.equal(shown, own)


def test_a_disentangled_discriminator_is_saved_with_the_sum_and_read_back_exactly(tmp_path, text_file, tokenizer_folder):
    models = pair_of_models(text_file, tokenizer_folder, family="deberta-v2")
    with torch.no_grad():
        models.discriminator.embeddings.token.weight.normal_()
    models.save_pretrained(tmp_path)
    own, common = models.discriminator.embeddings.token.weight.detach(), models.generator.embeddings.token.weight.detach()
    stored = load_file(tmp_path / "model.safetensors")["deberta.embeddings.word_embeddings.weight"]
    np.testing.assert_array_equal(stored, (own + common).numpy())
    again = pair_of_models(text_file, tokenizer_folder, family="deberta-v2")
    again.read_weights(tmp_path)
    assert all(torch.equal(one, two) for one, two in zip(models.parameters(), again.parameters(), strict=True))


def test_shared_embeddings_are_the_same_weights_and_those_not_shared_are_not(text_file, tokenizer_folder):
    models = pair_of_models(text_file, tokenizer_folder, family="electra", model_settings=ELECTRA, generator_width=0.5)
    shared = {"token", "position", "token_type", "norm"}
    for name in shared:
        one, two = (getattr(model.embeddings, name).weight for model in (models.generator, models.discriminator))
        assert one is two, name
    assert models.generator.embeddings.projection is not models.discriminator.embeddings.projection
    assert models.generator.architecture.encoder.hidden_size == 12
    apart = pair_of_models(text_file, tokenizer_folder, family="electra", model_settings=ELECTRA, embedding_sharing="none")
    assert apart.generator.embeddings.token is not apart.discriminator.embeddings.token
    assert isinstance(apart, GeneratorAndDiscriminator)


def test_a_checkpoint_learns_on_from_other_text(tmp_path, text_file, tokenizer_folder):
    base = settings_for(tmp_path / "base", text_file, tokenizer_folder, family="bert", objective="next-sentence", max_steps=3)
    pretrain(base, progress=False)
    other = tmp_path / "other.txt"
    other.write_text("the good good room was bad and dull .\n\n" * 40)
    sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    rest = {name: value for name, value in SMALL.items() if name not in sizes} | {"max_steps": 3, "learning_rate": 1e-9}
    settings = PretrainSettings(files=(str(other),), output_dir="o", model=base.output_dir, **rest)
    pretrain(replace(settings, output_dir=str(tmp_path / "on")), progress=False)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "on"))
    assert {name for name in after if not np.allclose(before[name], after[name], atol=1e-7)} == set()
    assert "cls.seq_relationship.weight" not in after
    with pytest.raises(ConfigError, match=r"max_length is 41, but .* reads texts of at most 37 tokens"):
        pretrain(replace(settings, output_dir=str(tmp_path / "x"), max_length=41), progress=False)


def test_another_size_than_the_checkpoints_is_refused_but_a_recipes_is_passed_over():
    given = {"files": ("a",), "output_dir": "o", "model": "m"}
    with pytest.raises(ConfigError, match=r"hidden_size is 99, but the size and the family of m, .* Leave hidden_size out"):
        PretrainSettings(**given, hidden_size=99)
    recipe = PretrainSettings(**given, preset="bert")
    assert replace(recipe, seed=3).learning_rate == 1e-4


def test_a_family_without_the_head_is_refused(tmp_path, text_file, tokenizer_folder):
    for objective, able in (("replaced-token", "deberta-v2, electra"), ("next-sentence", "albert, bert")):
        with pytest.raises(ConfigError, match=rf"modernbert models do not have\. Use a family that has: {able}"):
            pretrain(settings_for(tmp_path, text_file, tokenizer_folder, objective=objective), progress=False)
    with pytest.raises(ConfigError, match="There is no pre-training objective 'masked'"):
        pretrain(settings_for(tmp_path, text_file, tokenizer_folder, objective="masked"), progress=False)


@pytest.mark.parametrize(
    "changes", [{"tokenizer": None}, {"mask_share": 0.9, "random_share": 0.2}, {"generator_width": 0.0}, {"preset": "brt"}]
)
def test_settings_that_mean_nothing_are_refused(changes, text_file, tokenizer_folder):
    said = {
        "tokenizer": "Neither tokenizer nor model",
        "mask_share": "together at most 1",
        "generator_width": "more than 0",
        "preset": "bert",
    }
    with pytest.raises(ConfigError, match=said[next(iter(changes))]):
        PretrainSettings(**{"files": (str(text_file),), "tokenizer": str(tokenizer_folder), "output_dir": "o"} | changes)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_model_that_can_be_built(name):
    settings = PretrainSettings(files=("a.txt",), tokenizer="t", output_dir="o", preset=name)
    assert {key: getattr(settings, key) for key in preset(name).values} == dict(preset(name).values)
    found = family(settings.family)
    changes = dict(word.split("=") for word in settings.model_settings)
    values = {key: json.loads(value) for key, value in changes.items()}
    config = found.config(hidden_size=settings.hidden_size, num_attention_heads=settings.num_attention_heads, **values)
    from headway.training.pretraining_objective import check_head, find_objective

    check_head(found, find_objective(settings.objective).head, settings.objective)
    found.architecture(config, find_objective(settings.objective).head)
    assert PRESETS[name].source
    assert PRESETS[name].adapted.endswith(".")
    assert replace(settings, learning_rate=0.5).learning_rate == 0.5
    assert PretrainSettings(files=("a",), tokenizer="t", output_dir="o", preset=name, max_steps=7).max_steps == 7


def test_documents_may_come_from_python_and_are_the_same_as_from_a_file(tmp_path, text_file, tokenizer_folder):
    from headway.training.documents import documents

    texts = list(documents(text_file.read_text(encoding="utf-8").splitlines(keepends=True)))
    settings = settings_for(tmp_path / "stream", text_file, tokenizer_folder)
    pretrain(replace(settings, files=()), documents=iter(texts), progress=False)
    pretrain(replace(settings, output_dir=str(tmp_path / "file")), progress=False)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("stream", "file"))
    assert one == two


def test_a_stream_without_text_is_refused(tmp_path, text_file, tokenizer_folder):
    with pytest.raises(DataError, match="There is no text in"):
        pretrain(replace(settings_for(tmp_path, text_file, tokenizer_folder), files=()), documents=[" "], progress=False)

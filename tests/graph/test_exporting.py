"""``export_model`` and ``headway export``: what is written, what is refused, and what a kill leaves behind."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest

from headway.architecture import family as family_module
from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.cli.main import main
from headway.core.batching import TokenSequence
from headway.errors import CheckpointError, DataError, EngineError, TokenizerError, WeightError
from headway.families import family
from headway.graph import Session, export_model, parity
from headway.graph.parts import PartWriter
from headway.inference import load_engine
from headway.settings import exporting
from headway.text import Tokenizer

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a was not and good bad film water old new she they of in . , ! ? ##s ##ed".split()


def save_model(folder, config, random_weights, head="sequence-classification", words=WORDS):
    architecture = family("bert").architecture(config, head)
    save_checkpoint(folder, config=config, head=head, weights=random_weights(weight_shapes(architecture)))
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path, tiny_config, random_weights):
    return save_model(tmp_path / "origin", tiny_config, random_weights)


@pytest.mark.parametrize(("precision", "name"), [("fp32", "model.onnx"), ("int8", "model_int8.onnx")])
def test_an_export_holds_all_that_running_needs(folder, tmp_path, tiny_config, precision, name):
    done = export_model(folder, tmp_path / "out", precision=precision)
    assert done.path == tmp_path / "out" / name
    assert done.size == done.path.stat().st_size
    assert done.head == "sequence-classification"
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    tokenizer = Tokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer("the old film").input_ids == Tokenizer.from_pretrained(folder)("the old film").input_ids
    metadata = Session(done.path, threads=1).metadata
    assert metadata["headway.tokenizer"] == tokenizer.fingerprint
    assert json.loads(metadata["headway.config"])["hidden_size"] == tiny_config.hidden_size


@pytest.mark.parametrize(("precision", "name"), [("fp32", "onnx/model.onnx"), ("int8", "onnx/model_quantized.onnx")])
def test_a_portable_export_stands_where_others_look_and_runs_here_as_well(folder, tmp_path, precision, name):
    done = export_model(folder, tmp_path / "out", precision=precision, portable=True)
    assert done.path == tmp_path / "out" / name
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "onnx",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert [opset.domain for opset in onnx.load(done.path).opset_import] == [""]
    engine, _ = load_engine(tmp_path / "out", head="sequence-classification", precision=precision)
    assert engine.model == done.path
    usual, _ = load_engine(
        export_model(folder, tmp_path / "usual", precision=precision).path.parent, head="sequence-classification"
    )
    texts = [TokenSequence([2, 7, 31, 3]), TokenSequence([2, 3])]
    for ours, theirs in zip(usual.run(texts), engine.run(texts), strict=True):
        np.testing.assert_allclose(ours["logits"], theirs["logits"], rtol=0, atol=1e-4 * np.abs(ours["logits"]).max())


def test_portable_files_of_both_precisions_stand_side_by_side(folder, tmp_path):
    export_model(folder, tmp_path / "out", precision="fp32", portable=True)
    export_model(folder, tmp_path / "out", portable=True)
    assert {path.name for path in (tmp_path / "out" / "onnx").iterdir()} == {"model.onnx", "model_quantized.onnx"}


@pytest.mark.parametrize("portable", [False, True])
def test_an_older_export_of_other_weights_is_removed_and_named(folder, tmp_path, tiny_config, random_weights, portable):
    old = export_model(folder, tmp_path / "out", precision="fp32", portable=portable)
    assert old.removed == ()
    shapes = weight_shapes(family("bert").architecture(tiny_config, "sequence-classification"))
    save_checkpoint(folder, config=tiny_config, head="sequence-classification", weights=random_weights(shapes, seed=1))
    assert export_model(folder, tmp_path / "out").removed == (old.path,)
    assert not old.path.exists()
    assert (tmp_path / "out" / "model_int8.onnx").is_file()


def test_an_older_export_with_another_head_is_removed_and_others_graphs_stay(folder, tmp_path):
    old = export_model(folder, tmp_path / "out", precision="fp32")
    (tmp_path / "out" / "onnx").mkdir()
    (tmp_path / "out" / "onnx" / "model.onnx").write_bytes(b"\x08\x07\x12\x07pytorch" + b"\0" * 100)
    assert export_model(folder, tmp_path / "out", head="base").removed == (old.path,)
    assert (tmp_path / "out" / "onnx" / "model.onnx").is_file()


def test_the_command_says_what_it_removed(folder, tmp_path, capsys):
    export_model(folder, tmp_path / "out", precision="fp32")
    assert main(["export", str(folder), "--output", str(tmp_path / "out"), "--head", "base"]) == 0
    removed, wrote = capsys.readouterr().out.splitlines()
    assert removed == f"Removed {tmp_path / 'out' / 'model.onnx'}, which was exported from other weights or settings"
    assert wrote.startswith("Wrote a base model in int8")


def test_a_folder_with_another_models_weights_takes_no_export(folder, tmp_path, tiny_config, random_weights):
    other = tmp_path / "other"
    shapes = weight_shapes(family("bert").architecture(tiny_config, "sequence-classification"))
    save_checkpoint(other, config=tiny_config, head="sequence-classification", weights=random_weights(shapes, seed=1))
    with pytest.raises(CheckpointError, match=r"other holds the weights of another model .* Export to a folder of its own"):
        export_model(folder, other)
    assert sorted(path.name for path in other.iterdir()) == ["config.json", "model.safetensors"]


def test_multiple_choice_is_checked_as_others_will_call_it(tmp_path, tiny_config, random_weights):
    folder = save_model(tmp_path / "origin", tiny_config, random_weights, head="multiple-choice")
    done = export_model(folder, tmp_path / "out", portable=True)
    shapes = [[size.dim_param for size in entry.type.tensor_type.shape.dim] for entry in onnx.load(done.path).graph.input]
    assert shapes == [["batch", "choices", "sequence"]] * 3
    engine, _ = load_engine(tmp_path / "out", head="multiple-choice")
    assert [answer["logits"].shape for answer in engine.run([TokenSequence([2, 7, 31, 3]), TokenSequence([2, 3])])] == [
        (1,),
        (1,),
    ]


def test_other_files_of_the_folder_stay(folder, tmp_path):
    export_model(folder, tmp_path / "out", precision="fp32")
    (tmp_path / "out" / "README.md").write_text("mine", encoding="utf-8")
    export_model(folder, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"model.onnx", "model_int8.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md"}


def test_how_sentence_vectors_are_pooled_goes_along(tmp_path, tiny_config, random_weights):
    folder = save_model(tmp_path / "origin", tiny_config, random_weights, head="base")
    (folder / "modules.json").write_text("[]", encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean"}', encoding="utf-8")
    for _ in range(2):  # the second time the folders are there already
        export_model(folder, tmp_path / "out", precision="fp32")
        assert (tmp_path / "out" / "1_Pooling" / "config.json").read_text(encoding="utf-8") == '{"pooling_mode": "mean"}'


def test_a_model_can_be_exported_into_its_own_folder(folder):
    export_model(folder, folder, precision="fp32")
    assert (folder / "model.safetensors").is_file()
    assert (folder / "model.onnx").is_file()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_wrong_graph_is_refused_and_the_old_one_stays(folder, tmp_path, monkeypatch, precision):
    """The fault is planted in the writer: layers are normalised with another epsilon, which changes every number."""
    old = export_model(folder, tmp_path / "out", precision=precision).path.read_bytes()
    right = PartWriter.norm
    monkeypatch.setattr(
        PartWriter,
        "norm",
        lambda self, states, name, parts: right(self, states, name, parts and dataclasses.replace(parts, eps=0.1)),
    )
    with pytest.raises(EngineError, match=r"fp32 graph differs from what its weights mean by 0\.\d+ .* nothing was written"):
        export_model(folder, tmp_path / "out", precision=precision)
    assert {path.name for path in (tmp_path / "out").glob("model*")} == {f"model{'_int8' if precision == 'int8' else ''}.onnx"}
    assert next((tmp_path / "out").glob("model*")).read_bytes() == old


def test_an_int8_graph_too_far_from_fp32_is_refused(folder, tmp_path):
    with pytest.raises(
        EngineError, match=r"INT8 model's answers differ from fp32's by \d+\.\d% .* more than 0\.1%, so nothing was written"
    ):
        export_model(folder, tmp_path / "out", max_difference=0.001)
    assert not (tmp_path / "out").exists()


def test_not_a_number_is_no_small_difference(folder, monkeypatch, tmp_path):
    right = parity.answers_of

    def broken(model, texts):
        return [{name: values * np.float32("nan") for name, values in answer.items()} for answer in right(model, texts)]

    monkeypatch.setattr(parity, "answers_of", broken)
    with pytest.raises(EngineError, match="differs from what its weights mean by nan"):
        export_model(folder, tmp_path / "out", precision="fp32")


def test_head_weights_are_never_made_up(tmp_path, tiny_config, random_weights):
    folder = save_model(tmp_path / "origin", tiny_config, random_weights, head="base")
    with pytest.raises(WeightError, match="Fine-tune it for the task first"):
        export_model(folder, tmp_path / "out", head="sequence-classification")


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(tmp_path, tiny_config, random_weights):
    words = [*WORDS, *(f"word{number}" for number in range(100)), "bridge", "loved", "minute"]
    folder = save_model(tmp_path / "origin", tiny_config, random_weights, words=words)
    with pytest.raises(TokenizerError, match=r"vectors for 101 tokens, but the one from .*origin gives ids up to 12\d,"):
        export_model(folder, tmp_path / "out")


def test_the_command_says_what_was_written_where(folder, tmp_path, capsys):
    texts = tmp_path / "texts.txt"
    texts.write_text("the old film was good\n\nthey was not bad !\n", encoding="utf-8")
    assert main(["export", str(folder), "--output", str(tmp_path / "out"), "--calibration", str(texts)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Wrote a sequence-classification model in int8 (0.1 MB, ")
    assert said.endswith(f"% from fp32) to {tmp_path / 'out' / 'model_int8.onnx'}\n")
    assert main(["export", str(folder), "--output", str(tmp_path / "out"), "--precision", "fp32"]) == 0
    assert "of its weights) to" in capsys.readouterr().out


def test_the_command_fails_where_parity_fails(folder, tmp_path, capsys):
    assert main(["export", str(folder), "--output", str(tmp_path / "out"), "--max-difference", "0.0001"]) == 1
    assert "so nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"), [(None, "could not be read"), (b"\xff\xfe", "could not be read"), (b" \n\n", "holds no text")]
)
def test_calibration_texts_must_be_there(folder, tmp_path, content, message):
    from headway.graph.calibration import read_texts

    path = tmp_path / "texts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_texts(path)


def test_a_kill_while_writing_leaves_the_old_export(folder, tmp_path):
    """The killed process had written all its files, but not yet given them their names."""
    old = export_model(folder, tmp_path / "out").path.read_bytes()
    config = (tmp_path / "out" / "config.json").read_bytes()
    program = (
        "import os, signal, sys; from headway.core import updates; from headway.graph import export_model\n"
        "updates.flush_all = lambda folder: os.kill(os.getpid(), signal.SIGKILL)\n"
        "export_model(sys.argv[1], sys.argv[2], reduce_range=True)"
    )
    arguments = [sys.executable, "-c", program, str(folder), str(tmp_path / "out")]
    assert subprocess.run(arguments, check=False, cwd=Path(__file__).parent).returncode == -signal.SIGKILL
    assert (tmp_path / "out" / "model_int8.onnx").read_bytes() == old
    assert (tmp_path / "out" / "config.json").read_bytes() == config
    new = export_model(folder, tmp_path / "out", reduce_range=True).path.read_bytes()
    assert new != old
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_the_command_offers_every_head():
    assert set(get_args(exporting.HeadName)) == set(get_args(family_module.HeadName))

"""Models from one encoder that keep its token table and its tokenizer once, in a folder beside theirs."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest

from headway.checkpoints import load_checkpoint, save_checkpoint
from headway.checkpoints.siblings import NOTE
from headway.cli.main import main
from headway.core.batching import TokenSequence
from headway.errors import CheckpointError, ConfigError, EngineError, TokenizerError, WeightError
from headway.graph import Session, export_model, export_shared, parity
from headway.graph.origin import SHARED
from headway.graph.shared import shared_tensors
from headway.inference import load_engine, pipeline
from headway.text import Tokenizer

TEXTS = [TokenSequence([2, 7, 31, 4, 3]), TokenSequence([2, 4, 3])]
FILES = {"fp32": "model.onnx", "int8": "model_int8.onnx"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("HEADWAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def made(model_folder, tmp_path_factory):
    """An encoder, what its models share in both precisions, and a classifier that shares in INT8: each test copies them."""
    place = tmp_path_factory.mktemp("made")
    shutil.copytree(model_folder("masked-lm"), place / "encoder")
    for precision in FILES:
        export_shared(place / "encoder", place / "out" / "english", precision=precision)
    with_table(shutil.copytree(model_folder("sequence-classification", seed=1), place / "trained"), table_of(place / "encoder"))
    export_model(place / "trained", place / "out" / "mood", share=place / "out" / "english")
    return place


def table_of(folder):
    return load_checkpoint(folder).weights["embeddings.token.weight"]


def with_table(folder, table):
    """The model in a folder, with this token table: as it is after training with the table frozen."""
    own = load_checkpoint(folder)
    save_checkpoint(folder, config=own.config, head=own.head, weights={**own.weights, "embeddings.token.weight": table})
    return folder


@pytest.fixture
def encoder(made, tmp_path):
    return shutil.copytree(made / "encoder", tmp_path / "encoder")


@pytest.fixture
def part(made, tmp_path):
    return shutil.copytree(made / "out" / "english", tmp_path / "out" / "english")


@pytest.fixture
def model(made, part):
    """A classifier in INT8 that shares."""
    return shutil.copytree(made / "out" / "mood", part.with_name("mood"))


@pytest.fixture
def trained(encoder, model_folder, tmp_path):
    """``trained(head)``: a model with other layers than the encoder's but its token table, with all its weights."""

    def make(head, **settings):
        folder = shutil.copytree(model_folder(head, seed=1, **settings), tmp_path / f"trained-{head}")
        return with_table(folder, table_of(encoder))

    return make


@pytest.mark.parametrize(
    ("head", "precision"), [("masked-lm", "fp32"), ("masked-lm", "int8"), ("question-answering", "int8"), ("base", "fp32")]
)
def test_a_model_that_shares_answers_bit_for_bit_like_the_whole_one(trained, part, precision, head):
    folder = trained(head, **({"num_labels": 2} if head == "question-answering" else {}))
    whole = export_model(folder, part.with_name("whole"), precision=precision)
    done = export_model(folder, part.with_name("small"), precision=precision, share=part)
    assert done.shared == part / {"fp32": "shared.safetensors", "int8": "shared_int8.safetensors"}[precision]
    engines = [load_engine(found.path.parent, head=head)[0] for found in (whole, done)]
    for ours, theirs in zip(*(engine.run(TEXTS) for engine in engines), strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    tensors = shared_tensors(done.path)
    assert sum(values.nbytes for values in tensors.values()) > 2000
    content = done.path.read_bytes()
    assert not [name for name, values in tensors.items() if values.tobytes() in content]  # not for the vocabulary's scores either
    assert {path.name for path in done.path.parent.iterdir()} == {FILES[precision], "config.json", "tokenizer_config.json"}
    assert Tokenizer.from_pretrained(done.path.parent).fingerprint == Tokenizer.from_pretrained(folder).fingerprint


def test_sessions_read_the_table_where_it_is(model):
    tensors = {name: values.copy() for name, values in shared_tensors(model / "model_int8.onnx").items()}
    sessions = [Session(model / "model_int8.onnx", threads=threads, shared=tensors) for threads in (1, 2)]
    inputs = {name: np.array([[2, 7, 3]]) ** power for name, power in {"input_ids": 1, "attention_mask": 0}.items()}
    inputs["token_type_ids"] = np.zeros((1, 3), np.int64)
    before = [session.run(**inputs)["logits"] for session in sessions]
    tensors["embeddings.token.weight"][7] *= -1
    after = [session.run(**inputs)["logits"] for session in sessions]
    assert np.array_equal(*before)
    assert np.array_equal(*after)
    assert not np.array_equal(before[0], after[0])


def test_what_is_shared_is_in_memory_once_for_all_models_of_a_process(model):
    twins = [shared_tensors(model / "model_int8.onnx")["embeddings.token.weight"] for _ in range(2)]
    assert not twins[0].flags.owndata
    assert not twins[0].flags.writeable
    assert np.array_equal(*twins)


def test_another_table_is_refused_by_name_and_nothing_is_written(trained, part, encoder):
    table = table_of(encoder).copy()
    table[5, 3] += 1
    folder = with_table(trained("sequence-classification"), table)
    message = r"embeddings\.token\.weight of .*trained-sequence-classification is not the one in .*english/{}: {}\. Nothing was "
    with pytest.raises(WeightError, match=message.format("shared.safetensors", "1 of its .* numbers are others") + ".*--freeze"):
        export_model(folder, part.with_name("mood"), share=part, precision="fp32")
    with pytest.raises(WeightError, match=message.format("shared_int8.safetensors", r"\d+ of its .* numbers are others")):
        export_model(folder, part.with_name("mood"), share=part)
    assert not part.with_name("mood").exists()


def test_a_table_of_another_size_is_refused(trained, part, model_folder):
    folder = model_folder("masked-lm", vocab_size=103)
    with pytest.raises(WeightError, match=r"it is int8 \(103, \d+\), the shared one int8 \(101, \d+\)"):
        export_model(folder, part.with_name("other"), share=part)


def test_a_graph_that_would_answer_otherwise_is_refused(trained, part, monkeypatch):
    right = parity.answers_of
    wrong = lambda answers: [{name: values + 1 for name, values in answer.items()} for answer in answers]  # noqa: E731
    monkeypatch.setattr(
        parity,
        "answers_of",
        lambda model, texts, **shared: wrong(right(model, texts, **shared)) if shared else right(model, texts),
    )
    with pytest.raises(EngineError, match=r"Without what it shares in .*english.* gives other answers, so nothing was written"):
        export_model(trained("base"), part.with_name("states"), share=part)


@pytest.mark.parametrize("place", ["elsewhere/english", "out/mood"])
def test_only_a_folder_beside_is_shared(trained, part, tmp_path, place):
    shutil.copytree(part, tmp_path / place)
    with pytest.raises(ConfigError, match=r"is not a folder beside .*mood, but a model finds .* Write the model to .*mood, or"):
        export_model(trained("base"), tmp_path / "out" / "mood", share=tmp_path / place)


def test_a_folder_that_shares_nothing_says_how_it_would(trained, part):
    (part / "shared_int8.safetensors").unlink()
    with pytest.raises(
        CheckpointError,
        match=r"has no shared_int8\.safetensors.*headway export ENCODER --output .*english --shared-part --precision int8",
    ):
        export_model(trained("base"), part.with_name("states"), share=part)


def test_portable_files_share_nothing(trained, part):
    with pytest.raises(ConfigError, match=r"Headway's own form alone.* Leave out portable, or share"):
        export_model(trained("base"), part.with_name("states"), share=part, portable=True)


def test_a_model_without_its_sibling_says_what_is_missing(model, part):
    part.rename(part.with_name("elsewhere"))
    with pytest.raises(
        CheckpointError, match=r"english/tokenizer\.json is not there\. Keep the folder english, .*export mood --output"
    ):
        pipeline(model=model)
    with pytest.raises(CheckpointError, match=r"english/shared_int8\.safetensors is not there"):
        load_engine(model, head="sequence-classification")


@pytest.mark.parametrize("name", ["shared_int8.safetensors", "tokenizer.json"])
def test_another_sibling_than_the_one_of_the_export_is_refused(model, part, name):
    content = bytearray((part / name).read_bytes())
    content[-3] ^= 1
    (part / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"english/{name} is not what .*mood was exported with .*SHA-256.*--share"):
        pipeline(model=model)


HOSTILE = ["..", ".", "", "a/b", "../english", "/etc", "a\\b", "C:english", "..\\english", "english\n", "\0", ".git", 3, None]


@pytest.mark.parametrize("folder", HOSTILE)
def test_a_note_opens_nothing_but_a_sibling_by_plain_name(model, monkeypatch, folder):
    config = json.loads((model / "config.json").read_text())
    config[NOTE]["folder"] = folder
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"mood says that a part of it is shared, and names .* That is refused"):
        Tokenizer.from_pretrained(model)
    rewrite_note(model / "model_int8.onnx", folder=folder)
    with pytest.raises(CheckpointError, match=r"model_int8\.onnx says that a part of it is shared, .* That is refused"):
        load_engine(model, head="sequence-classification")


@pytest.mark.parametrize("change", [{"file": "../config.json"}, {"file": "config.json"}, {"file": ["a"]}, {"sha256": "abc"}])
def test_a_note_opens_no_other_file_and_nothing_unchecked(model, change):
    config = json.loads((model / "config.json").read_text())
    config[NOTE] |= change
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="That is refused: it may only be one of shared"):
        Tokenizer.from_pretrained(model)


@pytest.mark.parametrize("note", ["text", [], {}, 7])
def test_a_note_that_is_no_note_is_refused(model, note):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, NOTE: note}))
    with pytest.raises(CheckpointError, match="That is refused"):
        Tokenizer.from_pretrained(model)


@pytest.mark.parametrize("tensors", ["all", [["a"]], ["classifier.weight"], ["embeddings.token.weight", "../weights"], None])
def test_a_graph_shares_the_table_and_nothing_else(model, tensors):
    rewrite_note(model / "model_int8.onnx", tensors=tensors)
    with pytest.raises(CheckpointError, match=r"model_int8\.onnx shares .*, but what graphs share is embeddings\.token\.weight"):
        load_engine(model, head="sequence-classification")


def rewrite_note(path, **changes):
    graph = onnx.load_model(path, load_external_data=False)
    (note,) = (note for note in graph.metadata_props if note.key == SHARED)
    note.value = json.dumps({**json.loads(note.value), **changes})
    path.write_bytes(graph.SerializeToString())


def test_a_note_in_no_form_at_all_is_refused(model):
    graph = onnx.load_model(model / "model_int8.onnx", load_external_data=False)
    for note in graph.metadata_props:
        note.value = "{" if note.key == SHARED else note.value
    (model / "model_int8.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(CheckpointError, match="That is refused"):
        load_engine(model, head="sequence-classification")


def test_an_export_of_a_model_that_shares_is_whole_again(trained, part):
    folder = trained("masked-lm")
    direct = export_model(folder, part.with_name("direct"))
    small = export_model(folder, part.with_name("small"), share=part)
    again = export_model(small.path.parent, part.with_name("again"))
    assert (again.difference, again.shared, again.head) == (None, None, "masked-lm")
    contents = [{path.name: path.read_bytes() for path in found.path.parent.iterdir()} for found in (direct, again)]
    assert contents[0] == contents[1]
    shared_again = export_model(again.path.parent, part.with_name("mall"), share=part)
    assert shared_again.path.read_bytes() == small.path.read_bytes()


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"head": "base"}, "head"), ({"reduce_range": True}, "reduce_range"), ({"calibration": ["a film"]}, "calibration")],
)
def test_a_finished_graph_takes_no_changes(model, asked, named):
    with pytest.raises(ConfigError, match=rf"mood holds a finished graph and no weights, .* and {named} can change nothing"):
        export_model(model, model.with_name("again"), **asked)


def test_a_tokenizer_of_its_own_stays_with_the_model(trained, part):
    folder = trained("base")
    words = (folder / "vocab.txt").read_text().split("\n")
    (folder / "vocab.txt").write_text("\n".join([*words[:-2], "otherwise", ""]))
    done = export_model(folder, part.with_name("states"), share=part)
    assert (done.path.parent / "tokenizer.json").is_file()
    assert NOTE not in json.loads((done.path.parent / "config.json").read_text())
    assert Tokenizer.from_pretrained(done.path.parent).convert_tokens_to_ids("otherwise") == 100


def test_weights_keep_their_tokenizer_beside_them(trained, part):
    folder = trained("base").rename(part.with_name("weights"))
    export_model(folder, folder, share=part)
    assert {path.name for path in folder.iterdir()} >= {"tokenizer.json", "model.safetensors", "model_int8.onnx"}
    assert pipeline("feature-extraction", model=folder)("a film")


def test_what_was_shared_before_is_gone_after_a_whole_export(trained, part):
    folder, place = trained("base"), part.with_name("states")
    export_model(folder, place, share=part)
    export_model(folder, place)
    part.rename(part.with_name("elsewhere"))
    assert pipeline(model=place)("a film")


def test_other_runtimes_find_the_shared_file_where_it_is_copied_beside_the_graph(trained, part):
    done = export_model(trained("base"), part.with_name("states"), share=part)
    shutil.copyfile(done.shared, done.path.with_name(done.shared.name))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # exact where processors would clip sums (docs/int8.md)
    session = onnxruntime.InferenceSession(str(done.path), options, providers=["CPUExecutionProvider"])
    ids = np.array([[2, 7, 31, 3]])
    (states,) = session.run(
        ["last_hidden_state"], {"input_ids": ids, "attention_mask": ids**0, "token_type_ids": np.zeros_like(ids)}
    )
    engine, _ = load_engine(done.path.parent, head="base")
    (ours,) = engine.run([TokenSequence([2, 7, 31, 3])])
    np.testing.assert_allclose(states[0], ours["last_hidden_state"], rtol=0, atol=1e-5)


def test_masks_are_filled_from_the_shared_table_and_no_cache_holds_it(trained, part, cache):
    folder = trained("masked-lm")
    whole = pipeline("fill-mask", model=export_model(folder, part.with_name("whole")).path.parent)
    expected, before = whole("the [MASK] was [MASK]"), set((cache / "graphs").iterdir())
    small = export_model(folder, part.with_name("small"), share=part).path
    assert pipeline("fill-mask", model=small.parent)("the [MASK] was [MASK]") == expected
    table = shared_tensors(small)["embeddings.token.weight"].tobytes()
    assert {table in path.read_bytes() for path in before} == {True}
    made = set((cache / "graphs").iterdir()) - before
    assert {table in path.read_bytes() for path in made} == {False}


def test_every_way_of_asking_reads_a_model_that_shares(model, tmp_path, capsys):
    from headway.evaluation import evaluate
    from headway.serving.loaded import Source, load

    rows = [{"text": "a good film", "label": "LABEL_0"}, {"text": "the dog , not very fun", "label": "LABEL_1"}]
    assert evaluate(model, rows).rows == 2
    served = load(Source(name="mood", model=str(model)), threads=1).served
    assert served.tasks[0] == "text-classification"
    assert main(["predict", "--model", str(model), "a good film"]) == 0
    assert "LABEL_" in capsys.readouterr().out


def test_the_commands_say_what_is_shared_where(trained, encoder, tmp_path, capsys):
    part, place = tmp_path / "out" / "english", tmp_path / "out" / "mood"
    assert main(["export", str(encoder), "--output", str(part), "--shared-part"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "Wrote what models share in int8 (0.0 MB: embeddings.token.weight, embeddings.token.weight.scales) to "
    )
    assert said.endswith(f"shared_int8.safetensors; export them beside it with --share {part}\n")
    assert main(["export", str(trained("base")), "--output", str(place), "--share", str(part)]) == 0
    assert f"MB more in {part / 'shared_int8.safetensors'}, " in capsys.readouterr().out
    assert main(["export", str(place), "--output", str(tmp_path / "whole")]) == 0
    assert "MB, its numbers unchanged) to " in capsys.readouterr().out
    assert main(["info", "--json", str(place)]) == 0
    shared = json.loads(capsys.readouterr().out)["shared"]
    assert {name: size > 500 for name, size in shared.items()} == {
        "../english/tokenizer.json": True,
        "../english/shared_int8.safetensors": True,
    }
    shutil.rmtree(part)
    assert main(["info", str(place)]) == 0
    assert "cannot be loaded: " in capsys.readouterr().out


def test_a_shared_part_takes_no_flags_of_models(encoder, tmp_path, capsys):
    words = ["export", str(encoder), "--output", str(tmp_path / "english"), "--shared-part", "--head", "base", "--portable"]
    assert main(words) == 1
    assert "--shared-part writes no model, so --portable, --head would change nothing" in capsys.readouterr().err


def test_a_precision_that_is_none_is_refused_for_shared_parts(encoder, tmp_path):
    with pytest.raises(ConfigError, match="precision is 'int4', but a graph is written in fp32 or int8"):
        export_shared(encoder, tmp_path / "english", precision="int4")


def test_a_shared_part_needs_a_tokenizer_of_the_encoder(encoder, tmp_path):
    (encoder / "vocab.txt").unlink()
    with pytest.raises(TokenizerError):
        export_shared(encoder, tmp_path / "english")

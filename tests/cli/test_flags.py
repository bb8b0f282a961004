"""Settings become flags, flags become settings; files fill in; misuse is refused in words."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from headway.cli._flags import build_parser, parse
from headway.cli.command import Command
from headway.core.config import Config
from headway.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Base(Config):
    """What both share."""

    seed: int = 42
    """Where chance starts; 100 % repeatable."""


@dataclass(frozen=True, kw_only=True)
class Settings(Base):
    """Every kind of field that a command may have."""

    texts: tuple[str, ...] = field(default=(), metadata={"positional": True, "required": True})
    """What to read."""
    model: str
    """Folder or name of a model."""
    rate: float = 2e-5
    """How fast to learn."""
    fast: bool = True
    """Whether to hurry."""
    careful: bool | None = None
    """Whether to check; left out, it depends."""
    engine: Literal["auto", "onnx"] = "auto"
    """Which engine runs it."""
    top_k: int | None = None
    """How many answers."""
    output: Path | None = None
    """Where to write."""
    sizes: tuple[int, ...] = (3, 5)
    """Sizes to try."""
    span: tuple[float, float] = (0.0, 1.0)
    """From where to where."""
    save: Literal["never"] | int = 7
    """How often to save."""


COMMAND = Command(summary="Does it.", settings=Settings, run=print)


def read(*words):
    return parse(COMMAND, words, program="headway it")


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        read(*words)
    assert stop.value.code == 2
    return capsys.readouterr().err


@dataclass(frozen=True, kw_only=True)
class Quiet(Config):
    """A command without arguments of its own."""

    loud: bool | str = False
    """Whether to shout, or what."""


def test_a_yes_or_no_that_may_be_text_takes_the_word():
    quiet = Command(summary="Does it.", settings=Quiet, run=print)
    assert [parse(quiet, ["--loud", word], program="p").loud for word in ("true", "false", "hey")] == [True, False, "hey"]


def test_what_nobody_takes_is_named(capsys):
    with pytest.raises(SystemExit):
        parse(Command(summary="Does it.", settings=Quiet, run=print), ["more"], program="headway it")
    assert "nothing is expected after the arguments above, but 'more' came." in capsys.readouterr().err


def test_null_in_a_file_is_the_missing_value_where_there_may_be_one(tmp_path):
    (tmp_path / "settings.json").write_text('{"top_k": null}')
    assert read("t", "--model", "m", "--config", str(tmp_path / "settings.json")).top_k is None


def test_defaults_are_those_of_the_dataclass():
    assert read("good", "--model", "m") == Settings(texts=("good",), model="m")


def test_every_kind_of_field_is_read_as_its_own_type():
    settings = read(
        *"one two --model m --seed 11 --rate 3e-4 --no-fast --careful --engine onnx --top-k 3".split(),
        *"--output a/b --sizes 7 11 13 --span 0.25 0.5 --save never".split(),
    )
    assert settings == Settings(
        texts=("one", "two"),
        model="m",
        seed=11,
        rate=3e-4,
        fast=False,
        careful=True,
        engine="onnx",
        top_k=3,
        output=Path("a/b"),
        sizes=(7, 11, 13),
        span=(0.25, 0.5),
        save="never",
    )


def test_a_union_prefers_the_most_particular_type():
    assert read("t", "--model", "m", "--save", "13").save == 13


def test_a_list_flag_may_be_emptied():
    assert read("t", "--model", "m", "--sizes").sizes == ()


def test_texts_that_start_with_a_dash_follow_two_dashes():
    assert read("--model", "m", "--", "-bad-", "--worse").texts == ("-bad-", "--worse")


def test_a_file_fills_in_what_is_not_typed(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"model": "from file", "rate": 1, "sizes": [2], "output": "x", "texts": ["t"], "seed": 3}))
    settings = read("--config", str(file), "--seed", "5")
    assert settings == Settings(model="from file", rate=1, sizes=(2,), output=Path("x"), texts=("t",), seed=5)


def test_a_file_may_be_toml_with_nothing_as_a_word(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('model = "m"  # a model\nrate = 1e-3\nsizes = [2, 3]\ntop_k = "none"\ntexts = ["t"]\n')
    assert read("--config", str(file)) == Settings(texts=("t",), model="m", rate=1e-3, sizes=(2, 3))


def test_nothing_is_a_word_where_a_flag_may_be_nothing():
    assert read("t", "--model", "m", "--top-k", "none").top_k is None
    assert read("t", "--model", "none").model == "none"


def test_a_table_of_names_and_values_is_what_its_words_say(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('model = "m"\n[texts]\ncycles = 2\nkind = "cosine"\n')
    assert read("--config", str(file)).texts == ("cycles=2", "kind=cosine")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.toml",
            'model = "m"\n\nraet = 3\n',
            "a.toml, line 3, names 'raet', which is no setting of this command. Did you mean 'rate'",
        ),
        ("a.toml", 'seed = "x"\nmodel = "m"\n', 'a.toml, line 1, gives seed as "x", but it takes a whole number'),
        ("a.toml", "[raet]\nx = 1\n", "a.toml, line 1, names 'raet'"),
        ("a.toml", "seed = 3\nseed = 5\n", "Cannot overwrite a value (at line 2"),
        ("a.json", '{"model": "m",\n "raet": 1}', "a.json, line 2, names 'raet'"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read("t", "--model", "m", "--config", str(tmp_path / name))
    assert said in str(caught.value)


def test_what_is_printed_repeats_the_settings_when_it_is_given_back(tmp_path, capsys):
    words = ["a b", "--model", 'it\'s "m"\n', "--rate", "3e-7", "--no-fast", "--top-k", "3", "--output", "x/y", "--save", "never"]
    with pytest.raises(SystemExit) as stop:
        read(*words, "--print-config")
    assert not stop.value.code
    file = tmp_path / "settings.toml"
    file.write_text(capsys.readouterr().out)
    assert read("--config", str(file)) == read(*words)
    assert "# How fast to learn.\nrate = 3e-07\n" in file.read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param({"raet": 1}, "names 'raet', which is no setting of this command. Did you mean 'rate'?", id="unknown key"),
        pytest.param({"seed": "3"}, 'gives seed as "3", but it takes a whole number', id="number as text"),
        pytest.param({"seed": True}, "gives seed as true, but it takes a whole number", id="truth is no number"),
        pytest.param({"engine": "torhc"}, 'gives engine as "torhc", but it takes auto | onnx', id="no such choice"),
        pytest.param({"sizes": [1, "x"]}, "but it takes a whole number", id="wrong item"),
        pytest.param({"sizes": 3}, "gives sizes as 3, but it takes a list of a whole number", id="no list"),
        pytest.param({"span": [0.5]}, "gives span as [0.5], but it takes a list of 2 times a number", id="too few"),
        pytest.param({"save": "often"}, 'gives save as "often", but it takes never or a whole number', id="neither of two"),
        pytest.param({"seed": None}, "gives seed as null", id="null where a value is needed"),
        pytest.param(["seed"], "holds a JSON list, but settings are an object", id="not an object"),
    ],
)
def test_a_file_that_means_nothing_is_refused_by_name(tmp_path, content, said):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError) as caught:
        read("t", "--model", "m", "--config", str(file))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"could not be read from nowhere\.json"):
        read("t", "--model", "m", "--config", "nowhere.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["t"], "--model must be given, here or in --config", id="missing flag"),
        pytest.param(["--model", "m"], "TEXTS must be given", id="missing positional"),
        pytest.param(
            ["t", "--model", "m", "--sead", "3"], "there is no flag '--sead'. Did you mean '--seed'?", id="unknown flag"
        ),
        pytest.param(["t", "--model", "m", "--seed", "x"], "argument --seed: 'x' is not a whole number.", id="not a number"),
        pytest.param(["t", "--model", "m", "--engine", "tf"], "argument --engine: 'tf' is not auto | onnx.", id="no such choice"),
        pytest.param(["t", "--model", "m", "--save", "x"], "'x' is not never or a whole number.", id="union"),
        pytest.param(["t", "--mod", "m"], "there is no flag '--mod'. Did you mean '--model'?", id="no abbreviations"),
    ],
)
def test_misuse_exits_with_two_and_says_why(capsys, words, said):
    assert said in refusal(capsys, *words)


def test_help_shows_each_field_with_its_text_and_default():
    shown = " ".join(build_parser(COMMAND, program="headway it").format_help().split())
    assert "usage: headway it [flags] TEXTS …" in shown
    assert "--seed N Where chance starts; 100 % repeatable. Default: 42." in shown
    assert "--fast, --no-fast Whether to hurry. Default: true." in shown
    assert "--engine {auto,onnx} Which engine runs it. Default: auto." in shown
    assert "--model TEXT Folder or name of a model. Required." in shown
    assert "Sizes to try. Default: 3 5." in shown


def test_help_starts_with_what_must_be_given_and_ends_with_what_is_shared():
    shown = build_parser(COMMAND, program="headway it").format_help()
    parts = ("arguments:", "  TEXTS", "--model TEXT", "\nflags:", "--rate X", "What both share:", "--seed N")
    places = [shown.index(part) for part in parts]
    assert places == sorted(places)

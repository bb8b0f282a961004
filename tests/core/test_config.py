import dataclasses
import json
from pathlib import Path

import pytest

from headway.core.config import Config, field_docs, nearest
from headway.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Oven(Config):
    """A base."""

    temperature: float = 180.0
    """How hot,
    in degrees."""

    rack: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cake(Oven):
    """Settings as a command would have them."""

    layers: tuple[str, ...] = ("sponge", "cream")
    """From the bottom up."""

    recipe: Path | None = None
    """Where it is written."""

    undocumented: bool = False


def test_settings_survive_json():
    cake = Cake(rack=3, layers=("jam",), recipe=Path("notes/cake.md"))
    written = json.loads(json.dumps(cake.to_dict()))
    assert written == {"temperature": 180.0, "rack": 3, "layers": ["jam"], "recipe": "notes/cake.md", "undocumented": False}
    assert Cake.from_dict(written) == dataclasses.replace(cake, recipe="notes/cake.md")


def test_settings_come_from_a_file(tmp_path):
    path = tmp_path / "cake.json"
    path.write_text('{"rack": 2, "layers": ["crème"]}', encoding="utf-8")
    assert Cake.from_json(path) == Cake(rack=2, layers=("crème",))


def test_an_unknown_key_is_refused_and_the_nearest_one_suggested():
    with pytest.raises(ConfigError, match=r"Cake has no setting 'temprature'\. Did you mean 'temperature'\?"):
        Cake.from_dict({"rack": 1, "temprature": 200})


def test_a_key_like_no_other_is_refused_with_all_that_are_known():
    with pytest.raises(ConfigError, match="Known: layers, rack, recipe, temperature, undocumented"):
        Cake.from_dict({"xyz": 1})


def test_a_setting_without_default_has_to_be_given():
    with pytest.raises(ConfigError, match=r"Cake needs rack, which nothing here gives\. Add what is missing"):
        Cake.from_dict({"layers": []})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "could not be read from"),
        ("[1]", "holds a JSON list, but settings are an object"),
        (None, "Give the path of a JSON file"),
    ],
)
def test_a_file_without_settings_is_an_error_that_names_it(tmp_path, content, message):
    path = tmp_path / "cake.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        Cake.from_json(path)
    assert str(path) in str(caught.value)


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Cake(rack=1).rack = 2


def test_the_text_under_a_field_is_its_documentation():
    assert field_docs(Cake) == {
        "temperature": "How hot, in degrees.",
        "layers": "From the bottom up.",
        "recipe": "Where it is written.",
    }


@pytest.mark.parametrize(
    ("word", "answer"), [("bret", " Did you mean 'bert'?"), ("gpt", " Known: albert, bert."), ("", " Known: albert, bert.")]
)
def test_nearest(word, answer):
    assert nearest(word, {"bert", "albert"}) == answer

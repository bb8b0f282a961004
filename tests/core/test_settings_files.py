"""Settings written as TOML and read back."""

from dataclasses import dataclass, replace

import pytest

from headway.core.config import Config
from headway.core.settings_files import as_toml, settings_from
from headway.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Settings(Config):
    """Every kind of value."""

    name: str = 'a "quoted" \\ name\n\x7f'
    """What it is called."""
    limit: int | None = 2
    """How many, if any."""
    rest: str | None = None
    """What is left."""
    rates: tuple[float, ...] = (1e-5, 2.0)
    """Shares."""
    fast: bool = True
    """Whether to hurry."""


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(limit=None, rest="x"), Settings(rates=(), fast=False, name="ünïcode")],
    ids=["defaults", "nothing in place of a number", "empty"],
)
def test_settings_come_back_as_they_were_written(settings, tmp_path):
    (tmp_path / "a.toml").write_text(as_toml(settings, title="a run"), encoding="utf-8")
    assert settings_from(tmp_path / "a.toml", Settings) == settings


def test_each_setting_stands_under_its_help_and_what_is_nothing_is_a_comment():
    text = as_toml(replace(Settings(), limit=None))
    assert '# How many, if any.\nlimit = "none"\n' in text
    assert "# What is left.\n# rest =\n" in text


def test_a_name_that_the_settings_lack_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.toml").write_text("fast = true\nlimmit = 3\n")
    with pytest.raises(ConfigError, match=r"a\.toml, line 2, names 'limmit', which is no setting.* Did you mean 'limit'\?"):
        settings_from(tmp_path / "a.toml", Settings)


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text("fast = ")
    with pytest.raises(ConfigError, match=r"Settings could not be read from .* Give the path of a TOML file"):
        settings_from(tmp_path / "a.toml", Settings)

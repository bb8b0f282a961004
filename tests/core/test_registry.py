import sys

import pytest

from headway.core import registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two entries, a private module, and one that defines nothing; importing ``broken`` fails."""
    folder = tmp_path / "animals_of_a_test"
    folder.mkdir()
    sources = {"__init__": "", "cat": "ANIMAL = 'miau'", "dog": "ANIMAL = 'wuff'", "_zoo": "ANIMAL = 'private'", "notes": ""}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder.name
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]
    registry.module_names.cache_clear()


def test_looking_at_names_imports_none_of_them(package):
    assert registry.module_names(package) == ("cat", "dog", "notes")
    assert [name for name in sys.modules if name.startswith(f"{package}.")] == []


def test_only_what_is_asked_for_is_loaded(package):
    assert registry.load(package, "dog", "ANIMAL") == "wuff"
    assert f"{package}.cat" not in sys.modules


def test_all_entries_are_those_modules_that_define_the_name(package):
    assert list(registry.load_all(package, "ANIMAL")) == ["miau", "wuff"]


def test_a_module_that_does_not_define_the_name_is_no_entry(package):
    with pytest.raises(AttributeError, match="ANIMAL"):
        registry.load(package, "notes", "ANIMAL")

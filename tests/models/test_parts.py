"""Folders in parts, for a machine to which only so much can be moved at a time."""

import importlib.util
import json
import lzma
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "src" / "headway" / "models" / "parts.py"


@pytest.fixture(scope="module")
def parts():
    spec = importlib.util.spec_from_file_location("parts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def packed(tmp_path, parts):
    """A folder of tokens and a file, in parts of 1,009 bytes."""
    folder = tmp_path / "here" / "tokens" / "a"
    folder.mkdir(parents=True)
    np.random.default_rng(0).integers(0, 5000, size=4001).astype(np.uint16).tofile(folder / "tokens.bin")
    (tmp_path / "here" / "words.txt").write_text("warm\ndull\n")
    files = (str(tmp_path / "here" / name) for name in ("tokens", "words.txt"))
    parts.pack("corpus", str(tmp_path / "out"), *files, size=1009)
    return tmp_path


def test_what_was_packed_comes_out_again_in_whatever_order_its_parts_come(packed, parts, capsys):
    names = sorted((packed / "out").glob("*.part"))
    assert len(names) > 4
    assert all(name.stat().st_size == 1009 for name in names[:-1])
    for number, carried in enumerate((names[3:], names[:3])):
        trip = packed / f"trip{number}"
        trip.mkdir()
        for name in [*carried, packed / "out" / "corpus.json"]:
            (trip / name.name).write_bytes(name.read_bytes())
    assert parts.unpack(str(packed / "trip0"), str(packed / "there")) == 75
    assert f"corpus: 3 of {len(names)} parts are to come: corpus-00.part, corpus-01.part" in capsys.readouterr().out
    assert not (packed / "there" / "tokens").exists()
    assert parts.unpack(str(packed / "trip1"), str(packed / "there")) == 0
    here, there = packed / "here", packed / "there"
    assert (there / "tokens" / "a" / "tokens.bin").read_bytes() == (here / "tokens" / "a" / "tokens.bin").read_bytes()
    assert (there / "words.txt").read_text() == "warm\ndull\n"
    assert not list((there / "incoming").glob("*.part"))
    assert parts.unpack(str(packed / "trip1"), str(there)) == 0  # once is enough


def test_a_part_that_is_damaged_counts_as_missing(packed, parts, capsys):
    (packed / "out" / "corpus-01.part").write_bytes(b"x" * 1009)
    assert parts.unpack(str(packed / "out"), str(packed / "there")) == 75
    assert "parts are to come: corpus-01.part" in capsys.readouterr().out


def test_no_more_is_taken_at_once_than_is_asked_for(packed, parts):
    count = len(list((packed / "out").glob("*.part")))
    taken = []
    for trip in range(10):
        left = parts.take_next(str(packed / "out"), str(packed / f"trip{trip}"), str(2500 / (1 << 20)))
        taken += [len(list((packed / f"trip{trip}").glob("*.part")))]
        assert parts.unpack(str(packed / f"trip{trip}"), str(packed / "there")) == left
        if not left:
            break
    assert sum(taken) == count
    assert max(taken) == 2
    assert (packed / "there" / "words.txt").exists()


def test_less_than_a_part_at_once_is_refused_as_nothing_would_ever_go(packed, parts):
    with pytest.raises(SystemExit, match=r"0\.0005 MiB hold no part of up to 15, so none would ever go. Ask for more at once"):
        parts.take_next(str(packed / "out"), str(packed / "trip"), "0.0005")


def test_what_was_packed_anew_is_unpacked_anew(packed, parts):
    out, there = packed / "out", packed / "there"
    assert parts.unpack(str(out), str(there)) == 0
    (packed / "here" / "words.txt").write_text("light\n")
    parts.pack("corpus", str(out), str(packed / "here" / "words.txt"))
    assert parts.unpack(str(out), str(there)) == 0
    assert (there / "words.txt").read_text() == "light\n"
    assert not list((there / "incoming").glob("corpus-00.part"))


def test_the_parts_are_an_ordinary_archive(packed):
    listed = json.loads((packed / "out" / "corpus.json").read_text())
    whole = b"".join((packed / "out" / name).read_bytes() for name in listed)
    assert b"warm\ndull\n" in lzma.decompress(whole)


def test_half_a_model_is_read_like_a_whole_one(tmp_path, parts, model_folder):
    from headway.checkpoints import load_checkpoint

    folder = model_folder("masked-lm")
    (folder / "checkpoint-3").mkdir(exist_ok=True)
    parts.half(str(folder), str(tmp_path / "half"))
    assert not (tmp_path / "half" / "checkpoint-3").exists()
    whole, half = (load_checkpoint(found, head="masked-lm").weights for found in (folder, tmp_path / "half"))
    assert whole.keys() == half.keys()
    assert all(np.allclose(half[name], whole[name], rtol=1e-3, atol=1e-6) for name in whole)

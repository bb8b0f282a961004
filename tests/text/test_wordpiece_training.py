import gzip
import lzma
import subprocess
import sys

import pytest

from headway.errors import ConfigError, DataError
from headway.text import AutoTokenizer, train_wordpiece

COMMAND = [sys.executable, "-c", "import sys; from headway.cli.main import main; sys.exit(main())", "tokenizer"]


def test_frequent_words_become_pieces_and_special_tokens_come_first(tokenizer):
    pieces = tokenizer.get_vocab()
    assert [pieces[token] for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")] == [0, 1, 2, 3, 4]
    assert tokenizer.tokenize("The FOX café") == ["the", "fox", *tokenizer.tokenize("cafe")]
    assert "##!" not in pieces  # punctuation is never inside a word
    assert "##字" not in pieces


def test_case_and_accents_stay_where_they_are_wanted(text_file):
    cased = train_wordpiece([text_file], vocab_size=163, lowercase=False, progress=False)
    assert cased.tokenize("The fox") != cased.tokenize("the fox")
    assert cased.decode(cased.encode("Café"), skip_special_tokens=True) == "Café"


def test_the_same_text_gives_the_same_vocabulary_every_time(text_file, tmp_path):
    """The library's own trainer fails this: it numbers characters in the order of a hash table."""
    tied = tmp_path / "tied.txt"
    tied.write_text("\n".join(f"{first}{second}" for first in "abcdefgh" for second in "abcdefgh"))
    found = {train_wordpiece([text_file, tied], vocab_size=149, progress=False).fingerprint for _ in range(5)}
    assert len(found) == 1


@pytest.mark.parametrize("vocab_size", [7, 8, 11, 47, 101, 10_007])
def test_there_are_never_more_pieces_than_asked_for(tmp_path, vocab_size):
    many = tmp_path / "many.txt"
    many.write_text(
        " ".join(chr(code) for code in range(0x4E00, 0x4E00 + 307)) + "\nПривет, мир! hello αβγ " * 3, encoding="utf-8"
    )
    assert len(train_wordpiece([many], vocab_size=vocab_size, progress=False)) <= vocab_size


def test_rare_characters_give_way_to_frequent_ones(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("eeee aaa zz q")
    pieces = train_wordpiece([file], vocab_size=11, progress=False).get_vocab()
    assert {"e", "a", "z", "##e", "##a", "##z"} == {piece for piece in pieces if not piece.startswith("[")}


def test_pieces_must_stand_together_often_enough(text_file):
    many = train_wordpiece([text_file], vocab_size=1009, progress=False)
    few = train_wordpiece([text_file], vocab_size=1009, min_frequency=13, progress=False)
    assert len(few) < len(many) < 1009


def test_compressed_files_are_read_like_plain_ones(text_file, tmp_path):
    content = text_file.read_bytes()
    (tmp_path / "a.xz").write_bytes(lzma.compress(content))
    (tmp_path / "b.gz").write_bytes(gzip.compress(content))
    expected = train_wordpiece([text_file], vocab_size=163, progress=False).fingerprint
    assert {train_wordpiece([tmp_path / name], vocab_size=163, progress=False).fingerprint for name in ("a.xz", "b.gz")} == {
        expected
    }
    assert train_wordpiece(str(text_file), vocab_size=163, progress=False).fingerprint == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.xz", lzma.compress(b"the lazy dog " * 999)[:-29], r"cut.xz cannot be read as UTF-8 text .*whole"),
        ("cut.gz", gzip.compress(b"the lazy dog " * 999)[:-29], r"cut.gz cannot be read as UTF-8 text .*whole"),
        ("not.xz", b"plain text", r"not.xz cannot be read as UTF-8 text"),
        ("not.gz", b"plain text", r"not.gz cannot be read as UTF-8 text"),
        ("latin.txt", "Café".encode("latin-1"), r"latin.txt cannot be read as UTF-8 text"),
        ("empty.txt", b"", r"There is no text in .*empty.txt"),
        ("blank.txt", b" \n\t\n", r"There is no text in .*blank.txt"),
    ],
)
def test_files_that_hold_no_text_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        train_wordpiece([tmp_path / name], vocab_size=163, progress=False)


def test_files_that_are_not_there_are_named(tmp_path, text_file):
    with pytest.raises(DataError, match=r"nowhere.txt is not a file"):
        train_wordpiece([text_file, tmp_path / "nowhere.txt"], vocab_size=163, progress=False)
    with pytest.raises(DataError, match=r"No files were given"):
        train_wordpiece([], vocab_size=163, progress=False)


def test_a_vocabulary_with_no_room_is_refused(text_file):
    with pytest.raises(ConfigError, match=r"min_frequency \(0\) .* Use at least 1"):
        train_wordpiece([text_file], vocab_size=163, min_frequency=0, progress=False)
    with pytest.raises(
        ConfigError, match=r"vocab_size \(6\) leaves no room for pieces beside the 5 special tokens. Use at least 7"
    ):
        train_wordpiece([text_file], vocab_size=6, progress=False)


def test_the_command_shows_progress_and_says_what_it_wrote_where(text_file, tmp_path):
    folder = tmp_path / "made"
    arguments = [str(text_file), "--output", str(folder), "--vocab-size", "163"]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"Wrote a WordPiece tokenizer of 163 pieces to {folder}"
    assert "Learning pieces: 100%" in done.stderr
    assert AutoTokenizer.from_pretrained(folder).tokenize("the FOX") == ["the", "fox"]


def test_the_command_says_when_the_text_gave_fewer_pieces(text_file, tmp_path, capsys):
    from headway.cli.main import main

    arguments = [
        "tokenizer",
        str(text_file),
        "--output",
        str(tmp_path),
        "--vocab-size",
        "4001",
        "--no-lowercase",
        "--min-frequency",
        "5",
    ]
    assert main(arguments) == 0
    assert "(the text gave no more than that; 4,001 were asked for)" in capsys.readouterr().out
    assert AutoTokenizer.from_pretrained(tmp_path).tokenize("FOX") != ["fox"]


def test_the_command_fails_with_one_message(tmp_path, text_file, capsys):
    from headway.cli.main import main

    assert main(["tokenizer", str(text_file), "--output", str(text_file)]) == 1
    assert "is a file, but a tokenizer is saved as a folder" in capsys.readouterr().err
    assert main(["tokenizer", str(tmp_path / "nowhere.txt"), "--output", str(tmp_path)]) == 1
    assert "nowhere.txt is not a file" in capsys.readouterr().err

"""SentencePiece files read as what they are: bytes from anywhere."""

import json
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from headway.errors import TokenizerError
from headway.text import Tokenizer
from headway.text.character_map import fault_in
from headway.text.sentencepiece import DamagedError, parse_sentencepiece
from text.spm_messages import (
    BYTE,
    CONTROL,
    FRAME,
    NORMAL,
    UNKNOWN,
    USER_DEFINED,
    character_map,
    field,
    message,
    piece,
    spm,
    varint,
)

WORDS = (("▁fox", -1.5, NORMAL), ("▁the", -2.5, NORMAL), ("▁", -3.0, NORMAL), ("x", -3.5, NORMAL), ("o", -3.75, NORMAL))
PIECES = (*FRAME, *WORDS)
MAP = character_map({"ﬁ": "fi", "Ｘ": "x", " ": " "})
WHOLE = spm(PIECES, normalizer={2: MAP})


def test_a_file_says_its_pieces_and_how_it_treats_a_text():
    pieces = [
        ("<pad>", 0.0, CONTROL),
        ("<unk>", 0.0, UNKNOWN),
        ("[A]", -0.25, USER_DEFINED),
        ("<0x41>", 0.0, BYTE),
        ("é" * 70, -7.5, NORMAL),
    ]
    found = parse_sentencepiece(spm(pieces, trainer={3: 2, 22: 0, 24: 1, 40: 1}, normalizer={2: MAP, 3: 0, 4: 0, 5: 0}))
    assert list(zip(found.pieces, found.scores, found.kinds, strict=True)) == pieces
    assert (found.algorithm, found.unknown_id, found.character_map) == ("bpe", 1, MAP)
    assert (found.has_dummy_prefix, found.removes_extra_spaces, found.escapes_spaces) == (False, False, False)
    assert (found.splits_at_spaces, found.puts_spaces_last) == (False, True)


def test_what_a_file_leaves_out_is_as_the_format_defines_it():
    found = parse_sentencepiece(piece("<unk>", kind=UNKNOWN) + field(1, field(1, "a")))
    assert (found.pieces, found.scores, found.kinds) == (("<unk>", "a"), (0.0, 0.0), (UNKNOWN, NORMAL))
    assert (found.algorithm, found.unknown_id, found.character_map) == ("unigram", 0, b"")
    assert (found.has_dummy_prefix, found.removes_extra_spaces, found.escapes_spaces) == (True, True, True)
    assert (found.splits_at_spaces, found.puts_spaces_last) == (True, False)


def test_a_message_in_parts_and_fields_of_later_versions_change_nothing():
    unknown = field(77, b"later") + varint(78 << 3 | 1) + bytes(8) + field(79, 2.5) + field(80, 1 << 63)
    parts = [field(2, message({3: 1})), field(2, message({3: 2})), field(2, message({40: 0})), unknown, field(4, b"\xff")]
    found = parse_sentencepiece(unknown + WHOLE + b"".join(parts))
    assert found.algorithm == "bpe"  # what comes last counts
    assert found.pieces == parse_sentencepiece(WHOLE).pieces


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=140)
scores = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(texts, scores, st.integers(1, 6), st.permutations([1, 2, 3])), unique_by=lambda row: row[0]))
@settings(max_examples=150)
def test_pieces_are_the_same_however_they_are_laid_out(rows):
    plain = [("<unk>!", 0.0, UNKNOWN), *((text, score, kind) for text, score, kind, _ in rows if text != "<unk>!")]
    wrapped = [piece(*plain[0])]
    for text, score, kind, order in rows:
        fields = {1: field(1, text), 2: field(2, score), 3: field(3, kind)}
        wrapped += [field(1, b"".join(fields[number] for number in order))] if text != "<unk>!" else []
    found, other = parse_sentencepiece(spm(plain)), parse_sentencepiece(b"".join(wrapped))
    assert list(zip(found.pieces, found.scores, found.kinds, strict=True)) == plain
    assert found == other


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "holds no pieces", id="nothing"),
        pytest.param(WHOLE[:-1], "reaches beyond the end", id="the last byte is missing"),
        pytest.param(b"\x0a", r"number at byte 1 does not end", id="a field without a length"),
        pytest.param(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "reaches beyond the end", id="a length of exabytes"),
        pytest.param(b"\x0a" + b"\xff" * 11, "number at byte 1 does not end", id="a number without an end"),
        pytest.param(b"\x0b", "starts nothing", id="a group"),
        pytest.param(b"\x0f", "starts nothing", id="a wire type that does not exist"),
        pytest.param(b"\x02\x00", "starts nothing", id="field zero"),
        pytest.param(field(1, 3), "field 1 is of wire type 0, not 2", id="a number for a piece"),
        pytest.param(field(1, field(1, 1.5)), "field 1 is of wire type 5, not 2", id="a score for a text"),
        pytest.param(field(1, field(2, b"1.5")), "field 2 is of wire type 2, not 5", id="a text for a score"),
        pytest.param(WHOLE + field(3, field(2, 7)), "field 2 is of wire type 0, not 2", id="a number for the character map"),
        pytest.param(piece(b"\xff\xfe"), "a piece is not UTF-8", id="not text"),
        pytest.param(piece(""), "piece 0 is ''", id="an empty piece"),
        pytest.param(WHOLE + piece("a", float("nan")), "piece 8 is 'a' of kind 1 with score nan", id="no number as score"),
        pytest.param(WHOLE + piece("a", float("-inf")), "with score -inf", id="an endless score"),
        pytest.param(WHOLE + piece("a", -1.0, 7), "of kind 7", id="a kind that does not exist"),
        pytest.param(WHOLE + piece("▁fox"), "1 pieces more than once, such as '▁fox'", id="a piece twice"),
        pytest.param(spm(PIECES, trainer={40: 8}), "piece 8, which should stand for unknown text", id="unknown beyond the end"),
        pytest.param(spm(PIECES, trainer={40: 2**64 - 1}), "should stand for unknown text", id="unknown is minus one"),
        pytest.param(spm(PIECES, trainer={40: 3}), "piece 3, which should stand for unknown text", id="unknown is a word"),
        pytest.param(spm(PIECES, trainer={3: 9}), "algorithm has the number 9", id="another algorithm"),
        pytest.param(spm(PIECES, normalizer={2: MAP[:-1] + b"\xff"}), "replacements that are not UTF-8", id="a damaged map"),
    ],
)
def test_damage_is_said(tmp_path, data, message):
    (tmp_path / "spm.model").write_bytes(data)
    with pytest.raises(TokenizerError, match=rf"(?s)spm.model is not a SentencePiece model that can be read: .*{message}.*again"):
        Tokenizer.from_pretrained(tmp_path)


def unit(offset=0, *, leaf=False, label=0):
    return offset << 10 | leaf << 8 | label


def packed(*units, blob=b"a\0"):
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + blob


BLOCK = [0xFF] * 255


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "not whole", id="nothing"),
        pytest.param(b"\x04\x00\x00", "not whole", id="half a length"),
        pytest.param(struct.pack("<I", 8) + bytes(4), "not whole", id="longer than it is"),
        pytest.param(struct.pack("<I", 0) + b"a\0", "not whole", id="no units"),
        pytest.param(struct.pack("<I", 5) + b"12345a\0", "not whole", id="half a unit"),
        pytest.param(packed(unit(0), *BLOCK[:-1]), "points outside", id="less than a block"),
        pytest.param(packed(unit(256), *BLOCK), "points outside", id="a step beyond the end"),
        pytest.param(packed(unit(1) | 1 << 9, *BLOCK), "points outside", id="a long step beyond the end"),
        pytest.param(packed(unit(256) | 1 << 31, *BLOCK), "points outside", id="a first unit with a mark that nobody reads"),
        pytest.param(packed(unit(1, leaf=True), 1 << 31, *BLOCK[1:]), "None", id="whole"),
        pytest.param(packed(unit(0, leaf=True), *BLOCK, blob=b""), "points outside", id="no replacements"),
        pytest.param(packed(unit(1, leaf=True), 1 << 31 | 2, *BLOCK[1:]), "points outside", id="a replacement beyond the end"),
        pytest.param(
            packed(unit(1, leaf=True), 1 << 31 | 1, *BLOCK[1:], blob="é\0".encode()), "points outside", id="half a character"
        ),
    ],
)
def test_a_character_map_that_leads_nowhere_is_found(data, message):
    assert message in str(fault_in(data))


def test_a_whole_character_map_has_no_fault():
    assert fault_in(MAP) is None
    assert normalizers.Precompiled(MAP).normalize_str("Ｘ ﬁx") == "x fix"


damages = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.floats(0, 1), st.integers(0, 255)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.integers(0, 40)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=12)),
    ),
    min_size=1,
    max_size=5,
)


def damaged(data, changes):
    broken = bytearray(data)
    for what, where, value in changes:
        at = int(where * max(0, len(broken) - 1))
        if what == "set" and broken:
            broken[at] = value
        elif what == "cut":
            del broken[at : at + value]
        elif what == "insert":
            broken[at:at] = value
    return bytes(broken)


@given(st.one_of(st.binary(max_size=200), damages.map(lambda changes: damaged(spm(PIECES, normalizer={2: MAP}), changes))))
@example(WHOLE)
@settings(max_examples=400)
def test_whatever_the_bytes_are_there_is_a_model_or_a_reason(data):
    try:
        found = parse_sentencepiece(data)
    except DamagedError:
        return
    assert len(found.pieces) == len(found.scores) == len(found.kinds) > found.unknown_id


@given(damages, st.text(max_size=30))
@settings(max_examples=300)
def test_a_damaged_character_map_is_refused_or_harmless(changes, text):
    data = damaged(MAP, changes)
    if fault_in(data) is None:
        normalizers.Precompiled(data).normalize_str(text + "Ｘ ﬁx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@given(damages)
@settings(max_examples=200)
def test_a_damaged_file_becomes_a_tokenizer_or_an_error_of_ours(folder, changes):
    """The files' own faults, and those that only building shows."""
    small = damaged(
        spm(
            (("[PAD]", 0.0, CONTROL), ("[CLS]", 0.0, CONTROL), ("[SEP]", 0.0, CONTROL), ("[UNK]", 0.0, UNKNOWN), *WORDS),
            trainer={40: 3},
        ),
        changes,
    )
    (folder / "spm.model").write_bytes(small)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "DebertaV2Tokenizer"}))
    try:
        tokenizer = Tokenizer.from_pretrained(folder)
    except TokenizerError:
        return
    assert tokenizer(["the fox", "ﬁx \0 é", ""]).input_ids

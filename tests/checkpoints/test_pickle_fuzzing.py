"""Whatever stands in a file of weights, reading it gives arrays or a ``WeightError``: never another error, never another name."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.checkpoints.pickled import read_pickled
from headway.checkpoints.pickles import STEPS
from headway.checkpoints.rebuilding import NAMES
from headway.errors import WeightError

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.bias": np.ones(5, np.float16),
    "b.weight": np.arange(6, dtype=np.float64).reshape(3, 2).T,
    "ids": np.arange(3),
}


@pytest.fixture(scope="module")
def whole(assemble, tmp_path_factory):
    """The bytes of an honest file of each form, and a path to write others to."""
    path = tmp_path_factory.mktemp("fuzz") / "x.bin"
    content, storages = assemble.weights(ARRAYS)
    zipped = assemble.zip(path, content, storages).read_bytes()
    only = {"a.weight": ARRAYS["a.weight"]}
    content, storages = assemble.weights(only, stream=True)
    return {"zip": zipped, "stream": assemble.stream(path, content, storages).read_bytes()}, path


def read_all(path, content: bytes) -> bool:
    """Whether the file can be read, to the last number; anything but a ``WeightError`` ends the test."""
    path.write_bytes(content)
    try:
        for tensor in read_pickled(path).values():
            array = tensor()
            assert array.dtype == np.float32
            assert array.shape == tensor.shape
            assert array.nbytes <= 64 * len(content)
    except WeightError:
        return False
    return True


@pytest.mark.parametrize("form", ["zip", "stream"])
def test_the_honest_file_is_read(whole, form):
    files, path = whole
    path.write_bytes(files[form])
    assert read_pickled(path)["a.weight"]().tolist() == ARRAYS["a.weight"].tolist()


edits = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["set", "insert", "delete"]), st.binary(min_size=1, max_size=4)), max_size=5
)


@pytest.mark.parametrize("form", ["zip", "stream"])
@settings(max_examples=250)
@given(changes=edits, cut=st.one_of(st.just(1.0), st.floats(0, 1)))
def test_an_honest_file_with_changed_bytes_is_read_or_refused(whole, form, changes, cut):
    files, path = whole
    content = bytearray(files[form])
    for place, kind, piece in changes:
        start = int(place * len(content))
        content[start : start + (0 if kind == "insert" else len(piece))] = b"" if kind == "delete" else piece
    read_all(path, bytes(content[: int(cut * len(content))]))


def test_each_byte_of_a_stream_may_be_any_other_kind_of_byte(whole):
    """All instructions, the lengths, the names: two bytes at every place."""
    files, path = whole
    read = [
        read_all(path, files["stream"][:place] + bytes([byte]) + files["stream"][place + 1 :])
        for place in range(len(files["stream"]))
        for byte in (0x2E, 0xFF)
    ]
    assert 0 < sum(read) < len(read)


def argument(code: int) -> st.SearchStrategy[bytes]:
    """What may stand behind an instruction."""
    match chr(code):
        case "c" | "i":
            return st.sampled_from(sorted(NAMES)).map(lambda name: "{}\n{}\n".format(*name.rsplit(".", 1)).encode())
        case "X" | "T":
            return st.sampled_from(["storage", "0", "1", "cpu", "torch"]).map(
                lambda text: struct.pack("<I", len(text)) + text.encode()
            )
        case "K" | "h" | "q" | "\x80":
            return st.integers(0, 5).map(lambda number: bytes([number]))
        case "J":
            return st.integers(-2, 7).map(lambda number: struct.pack("<i", number))
        case "M" | "j" | "r" | "G" | "U" | "\x8a" | "\x8c" | "\x8d" | "\x95":
            return st.binary(min_size=8, max_size=8)
    return st.just(b"")


instructions = st.sampled_from(sorted(STEPS)).flatmap(lambda code: argument(code).map(lambda behind: bytes([code]) + behind))
storage = st.builds(
    lambda kind, key, count: (
        b"(X\x07\x00\x00\x00storage" + f"ctorch\n{kind}Storage\n".encode() + key + b"X\x03\x00\x00\x00cpu" + count + b"tQ"
    ),
    st.sampled_from(["Float", "Half", "Byte", "Long", "None"]),
    st.sampled_from([b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x001", b"N"]),
    st.integers(-1, 9).map(lambda number: b"J" + struct.pack("<i", number)),
)
numbers = st.lists(st.integers(-1, 5), max_size=3).map(
    lambda values: b"(" + b"".join(b"J" + struct.pack("<i", n) for n in values) + b"t"
)
tensors = st.builds(
    lambda function, *parts: f"ctorch._utils\n{function}\n(".encode() + b"".join(parts) + b"\x89NtR",
    st.sampled_from(["_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter"]),
    storage,
    st.integers(-1, 5).map(lambda number: b"J" + struct.pack("<i", number)),
    numbers,
    numbers,
)
entries = st.builds(
    lambda name, value: b"X" + struct.pack("<I", len(name)) + name + value, st.sampled_from([b"a", b"b"]), tensors
)
pieces = st.lists(st.one_of(instructions, entries, tensors, storage), max_size=12).map(b"".join)


@settings(max_examples=350)
@given(body=st.one_of(pieces, st.lists(entries, max_size=3).map(lambda found: b"}(" + b"".join(found) + b"u")))
def test_any_sequence_of_known_instructions_is_read_or_refused(assemble, whole, body):
    path = assemble.zip(whole[1], b"\x80\x02" + body + b".", {"0": b"\0" * 24, "1": b"\1" * 7})
    read_all(path, path.read_bytes())


@settings(max_examples=150)
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"\x80\x02", b"PK\3\4", b"PK\5\6" + b"\0" * 18]))
def test_any_bytes_are_refused(whole, content, start):
    assert not read_all(whole[1], start + content)

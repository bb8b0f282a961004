import json
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from headway.checkpoints.mapped import taken_over
from headway.checkpoints.tensors import read_safetensors, write_safetensors
from headway.core.arrays import new_array
from headway.errors import CheckpointError, WeightError


def file_of(path, header, data: bytes = b""):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    return path


def entry(kind="F32", shape=(2, 3), start=0, stop=24):
    return {"dtype": kind, "shape": list(shape), "data_offsets": [start, stop]}


def test_what_the_library_wrote_is_read_bit_for_bit(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {
        "a": generator.normal(size=(3, 5)),
        "b": generator.normal(size=7),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 4)),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    save_file(arrays, tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = read_safetensors(tmp_path / "x.safetensors")
    assert found.keys() == arrays.keys()
    for name, tensor in found.items():
        assert tensor.shape == arrays[name].shape
        assert tensor().dtype == np.float32
        assert tensor().shape == arrays[name].shape
        assert tensor().tobytes() == arrays[name].tobytes()


def test_what_is_written_is_byte_for_byte_what_the_library_writes(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {"b": generator.normal(size=(3, 5)), "a": generator.normal(size=7), "ä.leer": np.zeros((0, 4)), "c": np.array(2.5)}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays["t"] = arrays["b"].T
    write_safetensors(tmp_path / "ours", arrays, kind="F32")
    save_file({name: array.copy(order="C") for name, array in arrays.items()}, tmp_path / "theirs", metadata={"format": "pt"})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.train
@pytest.mark.parametrize(("kind", "dtype"), [("BF16", "bfloat16"), ("F16", "float16")])
def test_half_precision_is_rounded_as_torch_rounds(tmp_path, kind, dtype):
    import torch
    from safetensors.torch import load_file

    generator = np.random.default_rng(0)
    ties = np.array([0x3F808000, 0x3F818000, 0x3F7FFFFF, 0x7F800000, 0xFF800000, 0x80000000, 1], np.uint32).view(np.float32)
    values = np.concatenate([ties, generator.normal(size=997).astype(np.float32) * 100])
    if kind == "F16":
        values = np.concatenate([values, np.float32([65519, 2**-25, 2**-24, 1 + 2**-11])])
    write_safetensors(tmp_path / "x.safetensors", {"a": values}, kind=kind)
    found = load_file(tmp_path / "x.safetensors")["a"]
    expected = torch.from_numpy(values).to(getattr(torch, dtype))
    assert found.dtype == expected.dtype
    assert torch.equal(found.view(torch.int16), expected.view(torch.int16))
    write_safetensors(tmp_path / "x.safetensors", {"a": np.float32([[np.nan, -np.nan]])}, kind=kind)
    assert load_file(tmp_path / "x.safetensors")["a"].isnan().all()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floating_point_numbers_become_float32(tmp_path, dtype):
    array = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    save_file({"a": array}, tmp_path / "x.safetensors")
    read = read_safetensors(tmp_path / "x.safetensors")["a"]()
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array.astype(np.float32))


def test_a_number_beyond_float32_is_an_error_and_infinity_is_not(tmp_path):
    signalling = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
    save_file({"a": np.array([1e300]), "b": np.array([np.inf, np.nan]), "c": signalling}, tmp_path / "x.safetensors")
    found = read_safetensors(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(found["b"](), np.array([np.inf, np.nan], np.float32))
    assert np.isnan(found["c"]())
    with pytest.raises(WeightError, match=r"a in .* has numbers beyond float32, which no weight has.*use another checkpoint"):
        found["a"]()


def test_bfloat16_becomes_float32_exactly(tmp_path):
    bits = np.array([[0x3F80, 0xBF80, 0x4049], [0x0001, 0x7F80, 0xFF7F]], dtype="<u2")
    path = file_of(tmp_path / "x.safetensors", {"a": entry(kind="BF16", stop=12)}, bits.tobytes())
    read = read_safetensors(path)["a"]()
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, [[1, -1, 3.140625], [2.0**-133, np.inf, -(2.0**128) * (1 - 2.0**-8)]])


def test_float32_is_a_view_of_the_file_that_cannot_be_written_to(tmp_path):
    save_file({"a": np.ones(4, np.float32)}, tmp_path / "x.safetensors")
    read = read_safetensors(tmp_path / "x.safetensors")["a"]()
    assert type(read) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 2


def test_unaligned_data_are_read_as_well(tmp_path):
    array = np.arange(6, dtype=np.float32)
    path = file_of(tmp_path / "x.safetensors", json.dumps({"a": entry()}).encode().ljust(91), array.tobytes())
    read = read_safetensors(path)["a"]()
    assert read.flags.aligned
    np.testing.assert_array_equal(read, array.reshape(2, 3))


def test_whole_numbers_have_a_shape_but_are_no_weight(tmp_path):
    save_file({"position_ids": np.arange(5)[None]}, tmp_path / "x.safetensors")
    tensor = read_safetensors(tmp_path / "x.safetensors")["position_ids"]
    assert tensor.shape == (1, 5)
    with pytest.raises(WeightError, match=r"position_ids in .* is stored as I64, but a weight is a floating-point number"):
        tensor()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param(b"{", "header is not JSON", id="cut header"),
        pytest.param(b"\xff\xfe\x00", "header is not JSON", id="not text"),
        pytest.param([1], "header is a JSON list", id="no object"),
        pytest.param(b"[" * 100_000, "header is not JSON", id="deep"),
        pytest.param({"a": 3}, "describes 'a' as 3", id="no entry"),
        pytest.param({"a": {"dtype": "F32", "shape": [1]}}, "describes 'a'", id="no offsets"),
        pytest.param({"a": entry(start=-4)}, "describes 'a'", id="before the data"),
        pytest.param({"a": entry(start=24, stop=0)}, "describes 'a'", id="backwards"),
        pytest.param({"a": entry(shape=(-2, -3))}, "describes 'a'", id="negative sizes"),
        pytest.param({"a": entry(shape=(2.0, 3.0))}, "describes 'a'", id="broken sizes"),
        pytest.param({"a": entry(shape=(2, 4))}, r"of type F32 and shape \(2, 4\) does not fit its 24 bytes", id="shape"),
        pytest.param({"a": entry(kind="F16")}, "of type F16", id="type"),
        pytest.param({"a": entry(start=8, stop=32)}, "should end at byte 32 of the data, but there are only 24", id="truncated"),
    ],
)
def test_a_damaged_file_is_an_error_that_says_what_is_wrong(tmp_path, header, reason):
    path = file_of(tmp_path / "x.safetensors", header, b"\0" * 24)
    with pytest.raises(WeightError, match=reason) as caught:
        read_safetensors(path)
    assert str(path) in str(caught.value)
    assert "download or save it again" in str(caught.value)


@pytest.mark.parametrize("size", [0, 3, 8, 20, 60, 150])
def test_a_file_truncated_anywhere_is_an_error(tmp_path, size):
    save_file({"a": np.ones((2, 3), np.float32), "b": np.ones(5, np.float32)}, tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    assert size < len(content)
    path = tmp_path / "x.safetensors"
    path.write_bytes(content[:size])
    with pytest.raises(WeightError, match="is not a whole safetensors file"):
        read_safetensors(path)


def test_a_header_that_claims_to_be_huge_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(WeightError, match="end before the header does"):
        read_safetensors(path)


def test_an_absent_file_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be opened"):
        read_safetensors(tmp_path / "x.safetensors")


def test_random_damage_to_the_header_is_never_another_kind_of_error(tmp_path):
    save_file({"a": np.ones((2, 3), np.float32), "b": np.ones(5, np.float16)}, tmp_path / "whole.safetensors")
    content = bytearray((tmp_path / "whole.safetensors").read_bytes())
    generator = np.random.default_rng(0)
    errors = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[generator.integers(0, len(content) - 34)] = generator.integers(0, 256)
        (tmp_path / "x.safetensors").write_bytes(damaged)
        try:
            for tensor in read_safetensors(tmp_path / "x.safetensors").values():
                tensor()
        except WeightError:
            errors += 1
    assert errors > 100


@pytest.fixture
def stored(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "half": np.ones(5, np.float16)}
    save_file(arrays, tmp_path / "x.safetensors")
    return read_safetensors(tmp_path / "x.safetensors")


def test_a_model_takes_the_memory_of_a_checkpoint_over_once(stored):
    array = stored["a"]()
    first, second = taken_over(array), taken_over(array)
    third = taken_over(stored["a"]())
    assert np.shares_memory(first, array)
    assert not any(np.shares_memory(first, other) for other in (second, third))
    assert not array.flags.writeable
    first += 1
    assert second.tolist() == third.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_a_model_changes_stays_in_the_process(tmp_path, stored):
    before = (tmp_path / "x.safetensors").read_bytes()
    taken_over(stored["a"]())[:] = 7
    assert (tmp_path / "x.safetensors").read_bytes() == before
    assert read_safetensors(tmp_path / "x.safetensors")["a"]()[1].tolist() == [3, 4, 5]


def test_numbers_that_had_to_be_converted_are_taken_over_as_well(stored):
    array = stored["half"]()
    taken = taken_over(array)
    assert np.shares_memory(taken, array)
    assert not np.shares_memory(taken_over(array), array)
    assert not np.shares_memory(taken_over(stored["half"]()), array)
    taken += 1
    assert taken.tolist() == [2.0] * 5


def resident(path):
    """How many bytes of a mapped file are in this process's memory."""
    found, here = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if " " not in line.split(":")[0]:
            found += here and line.startswith("Rss:") and 1024 * int(line.split()[1])
        else:
            here = line.endswith(str(path))
    return found


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux says what is in memory")
def test_bytes_that_were_copied_leave_memory_and_come_back_when_asked_for(tmp_path):
    half = (np.arange(1_000_003) % 1009).astype(np.float16)
    save_file({"half": half, "whole": half[:100_003].astype(np.float32)}, tmp_path / "x.safetensors")
    stored = read_safetensors(tmp_path / "x.safetensors")
    whole, array = stored["whole"](), stored["half"]()
    taken_over(whole)[:] = 7
    before = resident(tmp_path / "x.safetensors")
    assert before > 2_000_000
    stored["whole"].let_go(unless_in=whole)
    assert resident(tmp_path / "x.safetensors") == before
    stored["half"].let_go(unless_in=array)
    assert resident(tmp_path / "x.safetensors") <= before - half.nbytes + 2 * 4096
    assert set(whole.tolist()) == {7}  # what was changed, right beside, is still there
    np.testing.assert_array_equal(stored["half"](), array)


@pytest.mark.parametrize("freeze", [False, True])
def test_arrays_of_other_origin_are_copied(tmp_path, stored, freeze):
    np.arange(3, dtype=np.float32).tofile(tmp_path / "plain")
    part, wide = new_array(4), new_array(4, np.float64)
    part[:], wide[:] = 2, 3
    others = [
        np.ones(3, np.float32),
        part[1:],
        wide,
        np.arange(5.0),
        np.memmap(tmp_path / "plain", np.float32, mode="r"),
    ]
    for array in others:
        array.flags.writeable = not freeze and array.flags.writeable
        taken = taken_over(array)
        assert taken.flags.writeable
        assert taken.dtype == np.float32
        assert not np.shares_memory(taken, array)
        np.testing.assert_array_equal(taken, array)


def test_on_windows_arrays_are_copied_for_a_mapped_file_cannot_be_replaced_there(stored, monkeypatch):
    array = stored["a"]()
    monkeypatch.setattr("headway.checkpoints.mapped.os", SimpleNamespace(name="nt"))
    assert not np.shares_memory(taken_over(array), array)

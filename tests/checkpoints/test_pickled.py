"""Files that torch wrote, held against what torch itself reads from them."""

import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from headway.checkpoints import load_checkpoint
from headway.checkpoints.files import weight_files
from headway.checkpoints.pickled import read_pickled
from headway.errors import WeightError

FORMS = pytest.mark.parametrize("zipped", [pytest.param(True, id="zip"), pytest.param(False, id="stream")])


def same_as_torch(path):
    """Whether what is read here is what ``torch.load`` reads: names, order, shapes, and every number of the weights."""
    expected = torch.load(path, weights_only=True)
    found = read_pickled(path)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].shape == tuple(tensor.shape), name
        if tensor.is_floating_point():
            array = found[name]()
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert array.tobytes() == tensor.detach().float().contiguous().numpy().tobytes(), name
    return found


def state():
    """Tensors of every kind, shape and layout that a state dictionary may have."""
    torch.manual_seed(0)
    base = torch.randn(7, 5)
    linear = torch.nn.Linear(5, 3)
    tensors = OrderedDict(
        base=base,
        tied=base,
        transposed=base.t(),
        part=base[2:5, 1:4],
        every_other=base[:, ::2],
        last=base[6],
        repeated_once=torch.randn(1, 7).expand(1, 7),
        strange_step=torch.randn(5).as_strided((1, 5), (977, 1)),
        empty=torch.zeros(0, 4),
        scalar=torch.tensor(2.5),
        half=torch.randn(3, 5).half(),
        brain=torch.randn(3, 5).bfloat16(),
        brain_transposed=torch.randn(3, 5).bfloat16().t(),
        double=torch.randn(3, 5).double(),
        special=torch.tensor([torch.inf, -torch.inf, 1e-42, -0.0]),
        position_ids=torch.arange(5).expand((1, -1)),
        mask=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.randn(3)),
    )
    tensors.update(linear.state_dict())
    tensors._metadata = linear.state_dict()._metadata
    return tensors


@FORMS
@pytest.mark.parametrize("protocol", [2, 3])
def test_what_torch_saved_is_read_bit_for_bit(tmp_path, zipped, protocol):
    torch.save(state(), tmp_path / "x.bin", _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    if protocol == 2:
        found = same_as_torch(tmp_path / "x.bin")
    else:
        with pytest.warns(UserWarning, match="Detected pickle protocol 3"):
            found = same_as_torch(tmp_path / "x.bin")
    assert found["position_ids"].kind == "I64"
    assert found["mask"].kind == "BOOL"


@FORMS
@pytest.mark.parametrize("protocol", [4, 5])
def test_newer_protocols_which_torch_itself_reads_only_in_full_are_read_as_well(tmp_path, zipped, protocol):
    tensors = state()
    torch.save(tensors, tmp_path / "x.bin", _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    found = read_pickled(tmp_path / "x.bin")
    assert list(found) == list(tensors)
    for name in ("base", "part", "weight", "brain"):
        np.testing.assert_array_equal(found[name](), tensors[name].float().numpy())


@FORMS
def test_tensors_with_attributes_of_their_own_are_tensors(tmp_path, zipped):
    tensors = {"plain": torch.randn(3), "parameter": torch.nn.Parameter(torch.randn(2, 3))}
    for tensor in tensors.values():
        tensor.origin = "here"
    torch.save(tensors, tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
    same_as_torch(tmp_path / "x.bin")


def test_numbers_without_a_storage_class_of_their_own_are_known_and_are_no_weights(tmp_path):
    torch.save({"count": torch.arange(5).to(torch.uint16), "eighth": torch.ones(3).to(torch.float8_e5m2)}, tmp_path / "x.bin")
    found = read_pickled(tmp_path / "x.bin")
    assert (found["count"].kind, found["count"].shape) == ("U16", (5,))
    assert (found["eighth"].kind, found["eighth"].shape) == ("F8_E5M2", (3,))
    with pytest.raises(WeightError, match=r"eighth in .* is stored as F8_E5M2, but a weight is a floating-point number"):
        found["eighth"]()


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_order_of_bytes_is_that_which_the_file_names(tmp_path, order):
    names = (
        "base",
        "transposed",
        "part",
        "brain",
        "brain_transposed",
        "double",
        "position_ids",
    )  # no number of which turns into NaN
    torch.save({name: state()[name] for name in names}, tmp_path / "little.bin")
    with zipfile.ZipFile(tmp_path / "little.bin") as source, zipfile.ZipFile(tmp_path / "x.bin", "w") as target:
        for name in source.namelist():
            target.writestr(name, order if name.endswith("byteorder") else source.read(name))
    same_as_torch(tmp_path / "x.bin")


def test_an_archive_of_torch_1_6_has_no_byte_order(tmp_path):
    torch.save(state(), tmp_path / "new.bin")
    with zipfile.ZipFile(tmp_path / "new.bin") as source, zipfile.ZipFile(tmp_path / "x.bin", "w") as target:
        for name in source.namelist():
            if name.endswith(("data.pkl", "version")) or "/data/" in name:
                target.writestr(name, source.read(name))
    same_as_torch(tmp_path / "x.bin")


def test_float32_is_a_view_of_the_file_that_cannot_be_written_to(tmp_path):
    torch.save({"a": torch.randn(300, 7), "b": torch.randn(5)}, tmp_path / "x.bin")
    for tensor in read_pickled(tmp_path / "x.bin").values():
        array = tensor()
        assert not array.flags.owndata
        assert np.shares_memory(array, tensor.content)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2


def test_a_tensor_that_repeats_its_numbers_is_read_only_if_somebody_wants_it(tmp_path):
    torch.save({"wide": torch.ones(3, 1).expand(3, 2**40), "weight": torch.randn(3)}, tmp_path / "x.bin")
    found = read_pickled(tmp_path / "x.bin")
    assert found["weight"]().shape == (3,)
    assert found["wide"].shape == (3, 2**40)
    with pytest.raises(WeightError, match=r"wide in .* repeats 3 stored numbers to fill the shape .*weight\.contiguous\(\)"):
        found["wide"]()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(
            lambda: {"a": torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8)},
            "holds a quantised tensor",
            id="quantised",
        ),
        pytest.param(lambda: {"a": torch.eye(3).to_sparse()}, "holds a sparse tensor", id="sparse"),
        pytest.param(lambda: {"a": torch.empty(3, device="meta")}, "holds a tensor without values", id="meta"),
        pytest.param(
            lambda: {"a": torch.randn(3, dtype=torch.complex64).conj().imag},
            "the mark of a conjugate or negative view",
            id="negative",
        ),
    ],
)
@FORMS
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_that_are_not_plain_numbers_are_refused_with_the_reason(tmp_path, make, message, zipped):
    torch.save(make(), tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightError, match=message) as caught:
        read_pickled(tmp_path / "x.bin")
    assert str(tmp_path / "x.bin") in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: torch.nn.Linear(2, 3), r"asks for 'torch\.nn\.modules\.linear\.Linear'", id="model"),
        pytest.param(lambda: torch.randn(3), "it holds a StoredView instead of a table of weights", id="tensor"),
        pytest.param(lambda: [torch.randn(3)], "it holds a list instead of a table", id="list"),
        pytest.param(lambda: {"epoch": 3, "model": {"a": torch.randn(3)}}, "its entry 'epoch' is 3", id="training state"),
        pytest.param(lambda: {"model": {"a": torch.randn(3)}}, "its entry 'model' is a dict", id="nested"),
        pytest.param(lambda: {3: torch.randn(3)}, "has 3 for a key, which is no name", id="numbers for names"),
        pytest.param(lambda: {"a": np.ones(3)}, r"asks for 'numpy\._core\.multiarray\._reconstruct'", id="numpy"),
    ],
)
@FORMS
def test_what_is_no_table_of_weights_is_refused_with_the_way_out(tmp_path, make, message, zipped):
    torch.save(make(), tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightError, match=message) as caught:
        read_pickled(tmp_path / "x.bin")
    assert "is refused, and nothing in it was run" in str(caught.value)
    assert "save the weights alone: torch.save(model.state_dict(), path)" in str(caught.value)


def test_a_program_is_no_weights(tmp_path):
    with pytest.warns(DeprecationWarning, match="jit"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), tmp_path / "x.bin")
    with pytest.raises(WeightError, match="it is a TorchScript program"):
        read_pickled(tmp_path / "x.bin")


def test_a_dictionary_of_python_2_has_its_entries_given_along(tmp_path, assemble):
    storage = assemble.storage("0", 2)
    pair = b"](" + b"U\x01a" + assemble.tensor(storage, (2,), (1,)) + b"e"  # a list of a text of Python 2 and a tensor
    pickle = b"\x80\x02" + assemble.name("collections", "OrderedDict") + b"](" + pair + b"e\x85R."
    numbers = np.array([3, 5], np.float32)
    path = assemble.zip(tmp_path / "x.bin", pickle, {"0": numbers.tobytes()})
    np.testing.assert_array_equal(read_pickled(path)["a"](), numbers)
    np.testing.assert_array_equal(torch.load(path, weights_only=True)["a"].numpy(), numbers)


def test_sizes_may_be_of_torch_s_own_kind(tmp_path, assemble):
    size = assemble.name("torch", "Size") + assemble.numbers((2, 3)) + b"\x85R"
    tensor = assemble.tensor(assemble.storage("0", 6), (2, 3), (3, 1)).replace(assemble.numbers((2, 3)), size, 1)
    path = assemble.zip(tmp_path / "x.bin", assemble.table({"a": tensor}), {"0": np.arange(6, dtype=np.float32).tobytes()})
    assert same_as_torch(path)["a"].shape == (2, 3)


def test_a_part_of_a_storage_is_found_as_torch_finds_it(tmp_path, assemble):
    numbers = np.arange(11, dtype=np.float32)
    view = b"(" + assemble.text("part") + assemble.number(3) + assemble.number(5) + b"t"
    tensor = assemble.tensor(assemble.storage("0", 11, stream=True, view=view), (2, 2), (2, 1), offset=1)
    path = assemble.stream(tmp_path / "x.bin", assemble.table({"a": tensor}), {"0": numbers.tobytes()})
    found = same_as_torch(path)
    np.testing.assert_array_equal(found["a"](), [[4, 5], [6, 7]])


class TestModels:
    @pytest.fixture
    def saved(self, transformers_folder):
        """``saved(class_name)``: the same tiny model as safetensors and as a pickle."""

        def save(class_name, **arguments):
            safe = transformers_folder(class_name, name="safe", seed=3)
            return safe, transformers_folder(class_name, name="pickled", seed=3, safe_serialization=False, **arguments)

        return save

    @pytest.mark.parametrize("class_name", ["BertModel", "BertForSequenceClassification", "BertForMaskedLM"])
    def test_a_pickled_model_is_the_model(self, saved, class_name):
        safe, pickled = map(load_checkpoint, saved(class_name))
        assert weight_files(pickled.folder) == [pickled.folder / "pytorch_model.bin"]
        assert pickled.head == safe.head
        assert pickled.missing == pickled.unexpected == ()
        assert pickled.weights.keys() == safe.weights.keys()
        assert all(array.tobytes() == safe.weights[name].tobytes() for name, array in pickled.weights.items())

    def test_shards_are_one_model(self, saved):
        safe, pickled = map(load_checkpoint, saved("BertForSequenceClassification", max_shard_size="40kB"))
        files = weight_files(pickled.folder)
        assert [file.name for file in files][:2] == ["pytorch_model.bin.index.json", "pytorch_model-00001-of-00003.bin"]
        assert len(files) == 4
        assert all(array.tobytes() == safe.weights[name].tobytes() for name, array in pickled.weights.items())

    def test_safetensors_come_first(self, saved):
        safe, pickled = saved("BertModel")
        (safe / "pytorch_model.bin").write_bytes(b"broken")
        assert weight_files(safe) == [safe / "model.safetensors"]
        assert load_checkpoint(safe).missing == ()
        (safe / "model.safetensors").unlink()
        with pytest.raises(WeightError, match="neither a zip archive nor a pickle"):
            load_checkpoint(safe)
        assert load_checkpoint(pickled).missing == ()

    def test_a_missing_shard_is_an_error_that_names_it(self, saved):
        _, pickled = saved("BertModel", max_shard_size="40kB")
        (pickled / "pytorch_model-00002-of-00003.bin").unlink()
        with pytest.raises(
            OSError, match=r"no pytorch_model-00002-of-00003\.bin, though pytorch_model\.bin\.index\.json names it"
        ):
            load_checkpoint(pickled)

    def test_neither_torch_nor_python_s_unpickler_has_a_part_in_it(self, saved):
        _, pickled = saved("BertModel")
        code = f"""
import pickle, sys
from headway.checkpoints import load_checkpoint
pickle.load = pickle.loads = pickle.Unpickler = pickle._Unpickler = None
print(len(load_checkpoint({str(pickled)!r}).weights), sorted({{"torch", "transformers", "pickletools"}} & set(sys.modules)))
"""
        assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "43 []\n"

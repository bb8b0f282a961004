"""Hostile files of weights: each would run code in Python's own unpickler, or eat memory or time in a careless reader.

Nothing of torch is needed: the files are put together by hand. Every attack that Python alone can carry out is carried out first,
in a process of its own, to show that it is one.
"""

import json
import pickle
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from headway.checkpoints.pickled import read_pickled
from headway.checkpoints.pickles import MAX_BYTES, MAX_INSTRUCTIONS
from headway.checkpoints.rebuilding import UNSUPPORTED
from headway.errors import WeightError

TOUCH = "open({!r}, 'w').close()"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def stack_global(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def evaluated(path) -> bytes:
    return call("builtins", "eval", text(TOUCH.format(str(path))))


def shell(path) -> bytes:
    return text(f"touch '{path}'")


def command(path) -> bytes:
    return b"]" + text("touch") + b"a" + text(str(path)) + b"a"


def code(path) -> bytes:
    return text(TOUCH.format(str(path)))


# What each runs in Python's unpickler, given the path of a file to make.
ATTACKS = {
    "reduce os.system": lambda path: call("os", "system", shell(path)),
    "reduce posix.system": lambda path: call("posix", "system", shell(path)),
    "reduce subprocess.call": lambda path: call("subprocess", "call", command(path)),
    "reduce builtins.eval": evaluated,
    "reduce builtins.exec": lambda path: call("builtins", "exec", code(path)),
    "name of Python 2": lambda path: call("__builtin__", "eval", code(path)),
    "reduce open": lambda path: call("builtins", "open", text(str(path)), text("w")),
    "reduce runpy": lambda path: call(
        "runpy", "_run_code", call("builtins", "compile", code(path), text("x"), text("exec")), b"}"
    ),
    "reduce code.InteractiveInterpreter": lambda path: (
        call("builtins", "getattr", call("code", "InteractiveInterpreter"), text("runsource")) + b"(" + code(path) + b"tR"
    ),
    "reduce timeit": lambda path: call("timeit", "timeit", code(path), text("pass"), name("time", "perf_counter"), b"K\x01"),
    "reduce cProfile": lambda path: call("cProfile", "run", code(path)),
    "reduce functools.partial": lambda path: call("functools", "partial", name("os", "system"), shell(path)) + b")R",
    "reduce operator.methodcaller": lambda path: (
        call("operator", "methodcaller", text("system"), shell(path)) + b"(" + call("builtins", "__import__", text("os")) + b"tR"
    ),
    "getattr chain": lambda path: (
        call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system")) + b"(" + shell(path) + b"tR"
    ),
    "dotted name": lambda path: b"\x80\x04" + stack_global("builtins", "eval.__call__") + b"(" + code(path) + b"tR",
    "stack_global": lambda path: stack_global("os", "system") + b"(" + shell(path) + b"tR",
    "stack_global from memory": lambda path: (
        text("os") + b"q\x00" + text("system") + b"q\x01" + b"h\x00h\x01\x93(" + shell(path) + b"tR"
    ),
    "inst": lambda path: b"(" + shell(path) + b"ios\nsystem\n",
    "obj": lambda path: b"(" + name("subprocess", "Popen") + command(path) + b"o",
    "newobj": lambda path: name("subprocess", "Popen") + b")\x81}b" + evaluated(path),
    "newobj_ex": lambda path: name("collections", "Counter") + b")}\x92" + evaluated(path),
    "build with __setstate__": lambda path: (
        name("types", "SimpleNamespace") + b")R}(" + text("__setstate__") + name("os", "system") + b"ub" + shell(path) + b"b"
    ),
    "build on an allowed type": lambda path: (
        name("collections", "OrderedDict") + b"}(" + text("hidden") + evaluated(path) + b"ub"
    ),
    "nested pickle": lambda path: call(
        "pickle", "loads", b"C" + bytes([len(inner := b"\x80\x02" + evaluated(path) + b".")]) + inner
    ),
    "nested in map": lambda path: call(
        "builtins", "list", call("builtins", "map", name("builtins", "eval"), b"]" + code(path) + b"a")
    ),
    "among tensors": lambda path: name("collections", "OrderedDict") + b")R(" + text("weight") + evaluated(path) + b"u",
    "as arguments of an allowed function": lambda path: (
        call("collections", "OrderedDict", b"]" + evaluated(path) + b"a")[:-1] + b"0"
    ),
    "popped at once": lambda path: evaluated(path) + b"0}",
    "before the mark": lambda path: evaluated(path) + b"(10}",
    "in frames": lambda path: b"\x80\x04\x95" + struct.pack("<Q", len(evaluated(path)) + 1) + evaluated(path),
    "protocol 0": lambda path: b"(S" + repr(f"touch '{path}'").encode() + b"\ntp0\n0cos\nsystem\ng0\nR",
    "duplicated": lambda path: evaluated(path) + b"2\x86",
    "bytearray": lambda path: call("pickle", "loads", b"\x96" + struct.pack("<Q", len(inner := evaluated(path) + b".")) + inner),
    "set": lambda path: b"\x8f(" + evaluated(path) + b"\x90",
    "frozen set": lambda path: b"(" + evaluated(path) + b"\x91",
}

# What torch, or a library beside it, could be made to run.
NAMES = """
torch.storage._load_from_bytes torch.load torch.jit.load torch.hub.load torch.serialization.load
torch._utils._rebuild_device_tensor_from_numpy torch.jit.unsupported_tensor_ops.execWrapper
torch.utils._config_module.ConfigModule.load_config torch.utils.bottleneck.__main__.run_cprofile
torch._dynamo.guards.GuardBuilder.get torch.utils.collect_env.run torch.distributed.rpc.internal._run_function
torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression torch.nn.Module torch.Tensor.__class__ torch.os.system
numpy.load numpy.core.multiarray._reconstruct numpy.testing._private.utils.runstring numpy.f2py.crackfortran.getlincoef
types.CodeType types.FunctionType marshal.loads ctypes.CDLL shutil.rmtree os.remove os.execv pty.spawn webbrowser.open
pip.main pydoc.pipepager asyncio.unix_events._UnixSubprocessTransport._start bdb.Bdb.run lib2to3.pgen2.grammar.Grammar.loads
idlelib.pyshell.ModifiedInterpreter.runcommand logging.config._resolve smtplib.SMTP urllib.request.urlopen
collections.OrderedDict.__class__ collections.OrderedDict.__reduce_ex__ collections.namedtuple collections.Counter
_codecs.encode builtins.bytearray builtins.set builtins.complex copyreg._reconstructor transformers.AutoModel.from_pretrained
""".split()


@pytest.fixture(params=["zip", "stream"])
def write(request, assemble, tmp_path):
    """``write(pickle)``: a file of either form whose tensors are described by this pickle."""

    def file(content, storages=None):
        form = assemble.zip if request.param == "zip" else assemble.stream
        return form(tmp_path / "pytorch_model.bin", content, storages)

    return file


def whole(attack: bytes) -> bytes:
    return (attack if attack.startswith(b"\x80") else b"\x80\x02" + attack) + b"."


def refused(path) -> str:
    """The message with which a file is refused."""
    with pytest.raises(WeightError) as caught:
        read_pickled(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert ("nothing in it was run" in message and "Use the model's safetensors file instead" in message) or (
        "download or save it again" in message
    )
    return message


def test_the_attacks_are_real(tmp_path):
    """Python's own unpickler, in another process, does what each of them says."""
    files = {}
    for number, (attack, make) in enumerate(ATTACKS.items()):
        (tmp_path / f"{number}.pkl").write_bytes(whole(make(tmp_path / f"{number}.hit")))
        files[attack] = number
    code = f"""
import pathlib, pickle, sys
for file in pathlib.Path({str(tmp_path)!r}).glob("*.pkl"):
    try:
        pickle.loads(file.read_bytes())
    except BaseException:
        pass
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    time.sleep(0.2)  # for what was started without being waited for
    assert [attack for attack, number in files.items() if not (tmp_path / f"{number}.hit").exists()] == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_runs_nothing_and_is_named(write, tmp_path, attack):
    hit = tmp_path / "hit"
    message = refused(write(whole(ATTACKS[attack](hit))))
    assert not hit.exists()
    assert "its pickle " in message


@pytest.mark.parametrize(
    ("attack", "found"),
    [
        ("reduce os.system", "its pickle asks for 'os.system' (at byte 13)"),
        ("name of Python 2", "its pickle asks for '__builtin__.eval'"),
        ("dotted name", "its pickle asks for 'builtins.eval.__call__'"),
        ("inst", "its pickle makes an object of 'os.system'"),
        ("build on an allowed type", "its pickle asks for 'builtins.eval'"),
        ("protocol 0", "its pickle uses the instruction STRING"),
        ("set", "its pickle uses the instruction EMPTY_SET"),
    ],
)
def test_the_message_says_what_was_found(write, tmp_path, attack, found):
    message = refused(write(whole(ATTACKS[attack](tmp_path / "hit"))))
    assert found in message
    assert "do not open it elsewhere unless you trust its origin" in message


@pytest.mark.parametrize("wanted", NAMES)
def test_no_name_but_those_of_tensors_means_anything(write, wanted):
    module, _, attribute = wanted.rpartition(".")
    for pickled in (call(module, attribute, text("x")), stack_global(module, attribute) + b"(" + text("x") + b"tR"):
        with pytest.raises(WeightError, match=r"asks for|holds a tensor of another device"):
            read_pickled(write(whole(pickled)))


@pytest.mark.parametrize("wanted", UNSUPPORTED)
def test_tensors_of_other_kinds_are_refused_with_what_they_are(write, wanted):
    with pytest.raises(WeightError) as caught:
        read_pickled(write(whole(call(*wanted.rsplit(".", 1), b"N"))))
    assert f"cannot be used: it holds {UNSUPPORTED[wanted]} ({wanted})" in str(caught.value)
    assert "Use the original checkpoint, or save the model with dense weights" in str(caught.value)


def reference(assemble, *parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"tQ"


@pytest.mark.parametrize(
    ("instructions", "found"),
    [
        pytest.param(lambda a: b"\x82\x01", "uses the instruction EXT1", id="extension code"),
        pytest.param(lambda a: b"\x83\x01\x00", "uses the instruction EXT2", id="extension code of two bytes"),
        pytest.param(lambda a: b"\x84\x01\x00\x00\x00", "uses the instruction EXT4", id="extension code of four bytes"),
        pytest.param(lambda a: b"Pos.system\n", "uses the instruction PERSID", id="text id"),
        pytest.param(lambda a: text("os.system") + b"Q", "refers to 'os.system' outside itself", id="id that is a text"),
        pytest.param(lambda a: b"K\x03Q", "refers to 3 outside itself", id="id that is a number"),
        pytest.param(lambda a: b")Q", "refers to something that is no storage", id="empty id"),
        pytest.param(
            lambda a: reference(a, text("module"), name("torch", "Tensor"), text("x.py"), text("import os")),
            "something that is no storage: 'module'|the source code of a module",
            id="source code",
        ),
        pytest.param(
            lambda a: reference(a, text("storage"), name("torch", "Tensor"), text("0"), text("cpu"), b"K\x03N"),
            "refers to something that is no storage: 'storage', 'torch.Tensor'",
            id="storage of no kind",
        ),
        pytest.param(
            lambda a: reference(a, text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), a.number(-1)),
            "refers to",
            id="short",
        ),
        pytest.param(lambda a: b"\x97", "uses the instruction NEXT_BUFFER", id="buffer from outside"),
        pytest.param(lambda a: b"\xff", "uses the instruction 0xff, which does not exist", id="no instruction"),
        pytest.param(lambda a: b"}" + text("x") + b"b", "sets attributes of a dict", id="attributes that are a text"),
        pytest.param(lambda a: b"]}b", "sets attributes of a list", id="attributes of a list"),
        pytest.param(lambda a: name("torch", "Tensor") + b"}b", "sets attributes of 'torch.Tensor'", id="attributes of a type"),
        pytest.param(lambda a: name("torch", "Tensor") + b")R", "calls 'torch.Tensor'", id="call of a type"),
        pytest.param(lambda a: text("os.system") + b")R", "calls 'os.system'", id="call of a text"),
        pytest.param(
            lambda a: name("torch", "Size") + b"]R",
            "calls 'torch.Size' with a list instead of arguments",
            id="list for arguments",
        ),
        pytest.param(lambda a: b"}" + name("torch", "Size") + b"NsN", "for a key, which is no name", id="type for a key"),
        pytest.param(lambda a: b"}" + b")" * 2 + b"s", "has a tuple for a key", id="tuple for a key"),
        pytest.param(lambda a: b"](" + text("a") + b"Nu", "puts entries into a list", id="entries of a list"),
        pytest.param(lambda a: b"}Na", "appends to a dict", id="items of a dictionary"),
        pytest.param(lambda a: b"K\x03K\x03\x93", "makes a name of something that is no text", id="name of numbers"),
        pytest.param(
            lambda a: (
                name("torch._tensor", "_rebuild_from_type_v2") + b"(" + name("torch", "Size") + name("torch", "Tensor") + b"))tR"
            ),
            "gives 'torch._tensor._rebuild_from_type_v2' something that is no tensor",
            id="other function for a tensor",
        ),
        pytest.param(
            lambda a: name("torch._utils", "_rebuild_parameter") + b"(" + text("x") + b"\x88NtR",
            "gives 'torch._utils._rebuild_parameter' no tensor",
            id="parameter of a text",
        ),
        pytest.param(lambda a: call("torch", "Size"), "gives 'torch.Size' no sizes", id="no sizes"),
        pytest.param(
            lambda a: call("collections", "OrderedDict", text("abc")),
            "gives 'collections.OrderedDict' something else",
            id="letters",
        ),
        pytest.param(
            lambda a: call("torch._utils", "_rebuild_tensor_v3", *[b"N"] * 8),
            "no storage of bytes with a kind of number",
            id="v3",
        ),
    ],
)
def test_the_machine_does_nothing_but_describe_tensors(write, assemble, instructions, found):
    with pytest.raises(WeightError, match=found):
        read_pickled(write(whole(instructions(assemble))))


def test_what_stands_behind_the_end_is_never_read(assemble, tmp_path):
    """Python stops at the first STOP too; a scanner that reads on finds what nobody runs."""
    content, storages = assemble.weights({"a": np.arange(3, dtype=np.float32)})
    found = read_pickled(assemble.zip(tmp_path / "x.bin", content + evaluated(tmp_path / "hit") + b".", storages))
    assert found["a"]().tolist() == [0, 1, 2]
    assert not (tmp_path / "hit").exists()


@pytest.mark.parametrize("part", ["magic", "facts", "keys"])
def test_the_other_pickles_of_a_stream_are_read_by_the_same_machine(assemble, tmp_path, part):
    hit = tmp_path / "hit"
    content, storages = assemble.weights({"a": np.ones(3, np.float32)}, stream=True)
    path = assemble.stream(tmp_path / "x.bin", content, storages)
    whole_file = path.read_bytes()
    attack = whole(evaluated(hit))
    keys = whole_file.rindex(b"\x80\x02](")
    cut = {"magic": (0, 0), "facts": (21, 21), "keys": (keys, keys)}[part]
    path.write_bytes(whole_file[: cut[0]] + attack + whole_file[cut[1] :])
    assert "asks for 'builtins.eval'" in refused(path)
    assert not hit.exists()


def tensor(assemble, shape, strides, *, offset=0, count=3) -> bytes:
    return assemble.table({"a": assemble.tensor(assemble.storage("0", count), shape, strides, offset=offset)})


THREE = {"0": np.arange(3, dtype=np.float32).tobytes()}


@pytest.mark.parametrize(
    ("make", "found"),
    [
        pytest.param(lambda a: tensor(a, (4,), (1,)), r"the shape \(4,\) at 0, beyond the 3 elements of its storage", id="size"),
        pytest.param(lambda a: tensor(a, (3,), (1,), offset=1), r"the shape \(3,\) at 1, beyond the 3 elements", id="offset"),
        pytest.param(lambda a: tensor(a, (2, 2), (2, 1)), r"the shape \(2, 2\) at 0, beyond", id="step"),
        pytest.param(lambda a: tensor(a, (3,), (1,), offset=2**100), "beyond the 3 elements", id="huge offset"),
        pytest.param(lambda a: tensor(a, (2**100,), (0,)), "larger than any tensor", id="huge size"),
        pytest.param(lambda a: tensor(a, (0, 2**62), (1, 1)), "larger than any tensor", id="huge size of nothing"),
        pytest.param(lambda a: tensor(a, (3,), (-1,)), "-1 where a size or a place should be", id="backwards"),
        pytest.param(lambda a: tensor(a, (-3,), (1,)), "-3 where a size or a place should be", id="negative size"),
        pytest.param(lambda a: tensor(a, (3,), (1,), offset=-1), "-1 where a size or a place should be", id="before the storage"),
        pytest.param(lambda a: tensor(a, (3,), (1, 1)), "sizes and steps that do not belong together", id="dimensions"),
        pytest.param(
            lambda a: tensor(a, (1,) * 33, (1,) * 33), "sizes and steps that do not belong together", id="33 dimensions"
        ),
        pytest.param(
            lambda a: tensor(a, (3,), (1,), count=4), "'a' needs 4 elements of F32, more than its storage has", id="count"
        ),
        pytest.param(
            lambda a: tensor(a, (3,), (1,), count=-3), "refers to -3 where a size or a place should be", id="negative count"
        ),
        pytest.param(
            lambda a: a.table({"a": a.tensor(a.storage("../../../etc/passwd", 3), (3,), (1,))}),
            r"the storage '\.\./\.\./\.\./etc/passwd' is missing",
            id="path",
        ),
        pytest.param(
            lambda a: a.table({"a": call("torch._utils", "_rebuild_tensor_v2", a.storage("0", 3), b"K\x00")}),
            "gives 'torch._utils._rebuild_tensor_v2' no storage, offset, sizes and steps",
            id="arguments",
        ),
    ],
)
def test_a_tensor_never_reaches_beyond_its_storage(assemble, tmp_path, make, found):
    with pytest.raises(WeightError, match=found):
        read_pickled(assemble.zip(tmp_path / "x.bin", make(assemble), THREE))


def damaged(path, old: bytes, new: bytes, *, last: bool = False):
    content = path.read_bytes()
    assert old in content
    head, _, tail = content.rpartition(old) if last else content.partition(old)
    path.write_bytes(head + new + tail)
    return path


class TestStreams:
    @pytest.fixture
    def stream(self, assemble, tmp_path):
        content, storages = assemble.weights({"a": np.arange(3, dtype=np.float32)}, stream=True)
        return assemble.stream(tmp_path / "x.bin", content, storages)

    def test_it_is_whole(self, stream):
        assert read_pickled(stream)["a"]().tolist() == [0, 1, 2]

    @pytest.mark.parametrize(
        ("old", "new", "found"),
        [
            pytest.param(b"\x6c\xfc", b"\x6d\xfc", "does not begin with torch's magic number", id="magic"),
            pytest.param(b"M\xe9\x03", b"M\xea\x03", "does not begin with torch's magic number", id="version"),
            pytest.param(struct.pack("<q", 3), struct.pack("<q", 4), "has another size than its tensors say", id="size"),
            pytest.param(b"](" + text("0"), b"](" + text("1"), "the list of its storages is not that of its tensors", id="key"),
            pytest.param(b"](" + text("0"), b"](" + text("0") * 2, "the list of its storages is not that", id="key twice"),
            pytest.param(b"](" + text("0"), b"](K\x00", "the list of its storages is not that", id="key that is a number"),
            pytest.param(b"](" + text("0") + b"e", b"]", "the list of its storages is not that", id="no keys"),
            pytest.param(b"](" + text("0") + b"e", b"}", "the list of its storages is not that", id="keys that are no list"),
            pytest.param(np.float32(2).tobytes(), b"", "the storage '0' ends beyond it", id="cut"),
        ],
    )
    def test_damage_is_named(self, stream, old, new, found):
        with pytest.raises(WeightError, match=found):
            read_pickled(damaged(stream, old, new, last=True))

    def test_a_part_beyond_its_storage_is_refused(self, assemble, tmp_path):
        view = b"(" + text("part") + assemble.number(2) + assemble.number(2) + b"t"
        content = assemble.table({"a": assemble.tensor(assemble.storage("0", 3, stream=True, view=view), (2,), (1,))})
        with pytest.raises(WeightError, match="refers to something that is no storage"):
            read_pickled(assemble.stream(tmp_path / "x.bin", content, THREE))


class TestArchives:
    @pytest.fixture
    def archive(self, assemble, tmp_path):
        content, storages = assemble.weights({"a": np.arange(3, dtype=np.float32), "b": np.ones(5, np.float32)})
        return assemble.zip(tmp_path / "x.bin", content, storages)

    def rewritten(self, archive, **arguments):
        with zipfile.ZipFile(archive) as source:
            records = {name: source.read(name) for name in source.namelist()}
        with zipfile.ZipFile(archive, "w", **arguments) as target:
            for name, content in records.items():
                target.writestr(name, content)
        return archive

    def test_it_is_whole(self, archive):
        assert read_pickled(archive)["b"]().tolist() == [1] * 5

    def test_a_comment_at_the_end_is_no_harm(self, archive):
        with zipfile.ZipFile(archive, "a") as target:
            target.comment = b"made by hand"
        assert read_pickled(archive)["b"]().tolist() == [1] * 5

    def test_compressed_records_which_could_swell_are_refused(self, archive):
        with pytest.raises(WeightError, match="is compressed or encrypted, which torch never does"):
            read_pickled(self.rewritten(archive, compression=zipfile.ZIP_DEFLATED))

    def test_two_records_of_one_name_are_refused(self, archive):
        with zipfile.ZipFile(archive, "a") as target, pytest.warns(UserWarning, match="Duplicate name"):
            target.writestr("archive/data/0", b"\0" * 12)
        with pytest.raises(WeightError, match="it has two records 'archive/data/0'"):
            read_pickled(archive)

    def test_two_descriptions_are_refused(self, archive):
        with zipfile.ZipFile(archive, "a") as target:
            target.writestr("other/data.pkl", b"\x80\x02}.")
        with pytest.raises(WeightError, match=r"it has 2 records data\.pkl"):
            read_pickled(archive)

    def test_overlapping_records_are_refused(self, archive):
        """The directory's last entry is moved to the place of the one before, as zip bombs do."""
        content = bytearray(archive.read_bytes())
        places = [index for index in range(len(content)) if content[index : index + 4] == b"PK\1\2"]
        content[places[-1] + 42 : places[-1] + 46] = content[places[-2] + 42 : places[-2] + 46]
        archive.write_bytes(content)
        with pytest.raises(WeightError, match=r"overlaps another one|is not where the directory says"):
            read_pickled(archive)

    def test_a_record_that_claims_more_than_the_file_has_is_refused(self, archive):
        content = bytearray(archive.read_bytes())
        place = content.rindex(b"PK\1\2")
        content[place + 20 : place + 28] = struct.pack("<2L", 10**9, 10**9)
        archive.write_bytes(content)
        with pytest.raises(WeightError, match="record 'archive/data/1' ends beyond the file"):
            read_pickled(archive)

    @pytest.mark.parametrize(
        ("mark", "found"),
        [(b"PK\6\6", r"it claims to have 1,099,511,627,776 records"), (b"PK\6\x00", "the directory at its end is not whole")],
    )
    def test_a_directory_that_claims_to_be_endless_is_refused(self, archive, mark, found):
        end = struct.pack("<4sQ2H2L4Q", mark, 44, 45, 45, 0, 0, 2**40, 2**40, 0, 0)
        content = archive.read_bytes()
        place = content.rindex(b"PK\5\6")
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
        archive.write_bytes(content[:place] + end + locator + content[place:])
        with pytest.raises(WeightError, match=found):
            read_pickled(archive)

    @pytest.mark.parametrize(
        ("old", "new", "last", "found"),
        [
            pytest.param(b"PK\5\6", b"PK\5\7", True, "the directory at its end is missing", id="no end"),
            pytest.param(b"PK\1\2", b"PK\1\3", True, "its directory is not whole", id="no entry"),
            pytest.param(b"data/1", b"data/2", True, "is not where the directory says", id="other name"),
            pytest.param(b"data/1", b"data/\xff", True, "is no text", id="name that is no text"),
            pytest.param(b"little", b"middle", False, "its byte order is neither little nor big", id="byte order"),
        ],
    )
    def test_damage_is_named(self, archive, old, new, last, found):
        with pytest.raises(WeightError, match=found):
            read_pickled(damaged(archive, old, new, last=last))

    def test_numbers_of_64_bits_are_read(self, archive):
        """As torch writes them where a file is larger than 4 GB."""
        content = archive.read_bytes()
        place = content.rindex(b"PK\1\2")
        entry = bytearray(content[place : place + 46])
        packed, size = struct.unpack_from("<2L", entry, 20)
        (header,) = struct.unpack_from("<L", entry, 42)
        struct.pack_into("<2L", entry, 20, 2**32 - 1, 2**32 - 1)
        struct.pack_into("<L", entry, 42, 2**32 - 1)
        extra = struct.pack("<2HL", 7, 4, 0) + struct.pack("<2H3Q", 1, 24, size, packed, header)
        struct.pack_into("<H", entry, 30, len(extra))
        name_end = place + 46 + len("archive/data/1")
        archive.write_bytes(content[:place] + entry + content[place + 46 : name_end] + extra + content[name_end:])
        assert read_pickled(archive)["b"]().tolist() == [1] * 5

    @pytest.mark.parametrize("size", [0, 3, 10, 40, 90, 200, 500])
    def test_a_truncated_file_is_an_error(self, archive, size):
        archive.write_bytes(archive.read_bytes()[:size])
        refused(archive)


MANY = MAX_INSTRUCTIONS // 8
BOMBS = {
    "memory index": lambda: b"Nr\xff\xff\xff\xff" + b"N\x94" * 3,
    "text of 2^62 bytes": lambda: b"\x8d" + struct.pack("<Q", 2**62),
    "text of 4 GB": lambda: b"X\xff\xff\xff\xff",
    "frame of 2^62 bytes": lambda: b"\x95" + struct.pack("<Q", 2**62),
    "number of 2 GB": lambda: b"\x8b\xff\xff\xff\x7f",
    "number of 255 bytes": lambda: b"\x8a\xff" + b"\x7f" * 255,
    "bytes of 4 GB": lambda: b"B\xff\xff\xff\xff",
    "name without an end": lambda: b"c" + b"a" * 10**6,
    "lists in lists": lambda: b"]" * 3 * MANY + b"a" * (3 * MANY - 1),
    "tuples in tuples": lambda: b")" + b"\x85" * 7 * MANY,
    "marks": lambda: b"(" * 16 * MANY,
    "dictionaries": lambda: b"}" * 16 * MANY,
    "doubling lists": lambda: b"]q\x00(" + b"h\x00" * 3 * MANY + b"e" + b"(h\x00h\x00e" * MANY,
    "sizes over and over": lambda: b"(" + b"K\x01" * 3 * MANY + b"tq\x00" + (name("torch", "Size") + b"h\x00\x85R") * MANY,
    "steps over and over": lambda: b"(" + b"K\x01" * 3 * MANY + b"tq\x00" + STEPS_OVER_AND_OVER * (MANY // 4),
    "pairs over and over": lambda: (
        b"]("
        + (b"](" + text("a") + b"Ne") * MANY
        + b"eq\x00"
        + name("collections", "OrderedDict")
        + b"q\x01"
        + b"h\x01h\x00\x85R" * (MANY // 2)
        + b"K\x03"
    ),
    "longer than allowed": lambda: b"X" + struct.pack("<I", MAX_BYTES) + b"a" * MAX_BYTES,
}
STEPS_OVER_AND_OVER = name("torch._utils", "_rebuild_tensor") + b"(" + b"K\x00h\x00h\x00h\x00" + b"tR"


# Reads files that must be refused in a process that the system ends if it takes much memory or time.
CONFINED = """
import pathlib, resource, sys
from headway.checkpoints.pickled import read_pickled
from headway.errors import WeightError

used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for file in map(pathlib.Path, sys.argv[1:]):
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        read_pickled(file)
    except WeightError as error:
        seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before.ru_utime
        print(file.stem if seconds < 5 else f"{file.stem}: {seconds} s")
"""


def test_a_bomb_costs_little_memory_and_little_time(assemble, tmp_path):
    """A hundred megabytes hold the mapped file, the interpreter's values and the longest text; each is over within seconds."""
    files = [assemble.zip(tmp_path / f"{bomb}.bin", whole(make())) for bomb, make in BOMBS.items()]
    done = subprocess.run([sys.executable, "-c", CONFINED, *files], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == list(BOMBS)


def test_a_table_within_the_limits_is_read(assemble, tmp_path):
    arrays = {f"layers.{number}.weight": np.full(2, number, np.float32) for number in range(3000)}
    found = read_pickled(assemble.zip(tmp_path / "x.bin", *assemble.weights(arrays)))
    assert len(found) == 3000
    assert found["layers.2999.weight"]().tolist() == [2999, 2999]


def test_a_pointer_of_git_says_how_to_get_the_file(tmp_path):
    (tmp_path / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 440473133\n")
    with pytest.raises(WeightError, match=r"only Git's pointer to the weights.*Run `git lfs install` and `git lfs pull`"):
        read_pickled(tmp_path / "pytorch_model.bin")


def test_an_absent_file_and_another_file_are_errors(tmp_path):
    with pytest.raises(WeightError, match="it cannot be opened"):
        read_pickled(tmp_path / "absent.bin")
    (tmp_path / "x.bin").write_bytes(json.dumps({"a": 1}).encode())
    with pytest.raises(WeightError, match=r"neither a zip archive nor a pickle as torch\.save writes them"):
        read_pickled(tmp_path / "x.bin")
    (tmp_path / "x.bin").write_bytes(pickle.dumps({"a": 1}, protocol=4))
    with pytest.raises(WeightError, match="does not begin with torch's magic number and version"):
        read_pickled(tmp_path / "x.bin")

"""What the names in a pickle of torch weights mean: types of storages and numbers, and how tensors are put together.

The names are those of torch's own ``torch._utils``; what they do here is make a ``StoredView``, a description of a tensor.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from headway.checkpoints.pickles import Name, shown

MAX_DIMENSIONS = 32
MAX_ELEMENTS = 1 << 48


@dataclass(frozen=True, eq=False)
class Storage:
    """Part of a file that tensors look into: its key there, and how many elements of which kind, after how many others."""

    key: str
    kind: str
    count: int
    start: int = 0


@dataclass(frozen=True, eq=False)
class StoredView:
    """A tensor as an offset, sizes and steps, in elements, within a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def span(self) -> int:
        """How many elements lie from the first of the tensor to its last."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other, the last dimension fastest."""
        expected = 1
        for size, step in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and step != expected:
                return 0 in self.shape
            expected *= size
        return True


def whole(value: Any) -> int:
    """A size, an offset or a step."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{shown(value)} where a size or a place should be")
    return value


def _tensor(arguments: tuple[Any, ...]) -> StoredView:
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise ValueError("no storage, offset, sizes and steps")
    storage, offset, shape, strides = arguments[:4]
    if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("sizes and steps that do not belong together")
    view = StoredView(storage, whole(offset), tuple(map(whole, shape)), tuple(map(whole, strides)))
    if math.prod(max(1, size) for size in shape) > MAX_ELEMENTS:
        raise ValueError(f"the shape {shape}, larger than any tensor")
    if view.span and view.offset + view.span > storage.count:
        raise ValueError(f"the shape {shape} at {view.offset:,}, beyond the {storage.count:,} elements of its storage")
    return view


def _tensor_v2(arguments: tuple[Any, ...]) -> StoredView:
    if len(arguments) > 6 and arguments[6]:
        raise ValueError("the mark of a conjugate or negative view, which no weight is")
    return _tensor(arguments)


def _tensor_v3(arguments: tuple[Any, ...]) -> StoredView:
    """The kind of number comes by itself, and the storage counts bytes."""
    kind = arguments[6].kind if len(arguments) > 6 and isinstance(arguments[6], Name) else None
    if kind is None or not isinstance(arguments[0], Storage) or arguments[0].kind != "U8" or arguments[0].start:
        raise ValueError("no storage of bytes with a kind of number")
    storage = replace(arguments[0], kind=kind, count=arguments[0].count // ITEM_BYTES[kind])
    return _tensor_v2((storage, *arguments[1:6], *arguments[7:]))


def _parameter(arguments: tuple[Any, ...]) -> StoredView:
    if not arguments or not isinstance(arguments[0], StoredView):
        raise ValueError("no tensor")
    return arguments[0]


def _from_type(arguments: tuple[Any, ...]) -> StoredView:
    """A tensor with attributes, which go."""
    match arguments:
        case (Name(build=build), Name(name=kind), tuple(inner), _) if build in TENSORS and kind in TENSOR_TYPES:
            return TENSORS[TENSORS.index(build)](inner)
    raise ValueError("something that is no tensor")


def _dictionary(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """An empty one, as Python 3 writes it; Python 2 gives the entries along, in a list of pairs that is used up."""
    match arguments:
        case ():
            return {}
        case (list(pairs),) if all(type(pair) is list and len(pair) == 2 and type(pair[0]) is str for pair in pairs):
            found = dict(pairs)
            pairs.clear()
            return found
    raise ValueError("something else than pairs of a name and a value")


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or type(arguments[0]) is not tuple:
        raise ValueError("no sizes")
    return arguments[0]


STORAGES = {
    "Float": "F32",
    "Double": "F64",
    "Half": "F16",
    "BFloat16": "BF16",
    "Long": "I64",
    "Int": "I32",
    "Short": "I16",
    "Char": "I8",
    "Byte": "U8",
    "Bool": "BOOL",
    "ComplexFloat": "C64",
    "ComplexDouble": "C128",
}
NUMBERS = {
    "float32": "F32",
    "float64": "F64",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
    "complex64": "C64",
    "complex128": "C128",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "C64": 8, "C128": 16, "BOOL": 1}
ITEM_BYTES |= {f"{sign}{bits}": bits // 8 for sign in "IU" for bits in (8, 16, 32, 64)}
ITEM_BYTES |= {kind: 1 for kind in NUMBERS.values() if kind.startswith("F8")}

TENSORS: list[Callable[[tuple[Any, ...]], StoredView]] = [_tensor, _tensor_v2, _tensor_v3, _parameter]
TENSOR_TYPES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.Parameter")
BUILDERS = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.Size": _size,
    "collections.OrderedDict": _dictionary,
}
NAMES = {name: Name(name, build=build) for name, build in BUILDERS.items()}
NAMES |= {name: Name(name) for name in TENSOR_TYPES}
NAMES |= {name: Name(name, kind="U8") for name in ("torch.storage.UntypedStorage", "torch.UntypedStorage")}
NAMES |= {
    name: Name(name, kind=kind)
    for number, kind in STORAGES.items()
    for name in (f"torch.{number}Storage", f"torch.cuda.{number}Storage")
}
NAMES |= {f"torch.{number}": Name(f"torch.{number}", kind=kind) for number, kind in NUMBERS.items()}

UNSUPPORTED = {
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without values, on the device 'meta'",
    "torch._utils._rebuild_wrapper_subclass": "a tensor of a class of its own",
    "torch._utils._rebuild_device_tensor_from_numpy": "a tensor of another device, written through NumPy",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": "a tensor of another device",
}
NAMES |= {name: Name(name, unsupported=what) for name, what in UNSUPPORTED.items()}

"""A pickle read as data: an interpreter of our own that has no means to import, to call or to build anything but what it is told.

Python's unpickler is a small machine that looks names up and calls what it finds. This one knows the instructions with which
``torch.save`` writes names, numbers, tuples, lists and dictionaries. A name is looked up in the table that the caller gives and
nowhere else; the rest of the machine (new objects, attributes, extension codes, memory tricks) is refused by not being there.

The pickle's length and the number of its instructions are limited, every length is checked before it is believed, and values are
shared, never copied: what a hostile file can cost is a fixed amount of time and memory.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from headway.checkpoints.mapped import MappedFile

MAX_BYTES = 4 << 20
"""The longest pickle that is read. A thousand tensors take some 200 kB and 40,000 instructions."""
MAX_INSTRUCTIONS = 250_000
MAX_LINE = 256
MAX_NUMBER_BYTES = 16
NEWEST_PROTOCOL = 5
STOP = ord(".")


@dataclass(frozen=True, eq=False)
class Name:
    """A name that a pickle may use, and what it stands for.

    That is a function of ours from arguments (a ``ValueError`` says what is wrong with them), a kind of number, something that is
    known but not read here, or nothing but itself.
    """

    name: str
    build: Callable[[tuple[Any, ...]], Any] | None = None
    kind: str | None = None
    unsupported: str | None = None


Refer: TypeAlias = Callable[[tuple[Any, ...]], Any]
"""Makes something of a persistent id, torch's reference to a storage; a ``ValueError`` says what else it refers to."""


class Machine:
    """One pickle of a file, being read."""

    def __init__(
        self, file: MappedFile, *, start: int, names: Mapping[str, Name], refer: Callable[[tuple[Any, ...]], Any]
    ) -> None:
        self.file = file
        self.names = names
        self.refer = refer
        self.start = self.position = start
        self.content = file.content.data[: start + MAX_BYTES]
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle stands for; ``position`` is then behind it."""
        for _ in range(MAX_INSTRUCTIONS):
            code = self.take(1)[0]
            if code == STOP:
                return self.pop()
            step = STEPS.get(code)
            if step is None:
                raise self.refused(f"uses the instruction {_instruction(code)}")
            step(self)
        raise self.refused(f"has more than {MAX_INSTRUCTIONS:,} instructions")

    def take(self, count: int) -> memoryview:
        """The next bytes."""
        end = self.position + count
        if end > len(self.content):
            raise self.damaged(f"wants {count:,} bytes more than there are")
        piece = self.content[self.position : end]
        self.position = end
        return piece

    def number(self, form: struct.Struct) -> Any:
        """The next number of this form."""
        return form.unpack(self.take(form.size))[0]

    def text(self, length: int) -> str:
        """The next bytes as text."""
        try:
            return str(self.take(length), "utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged(f"has a text that is none ({error.reason})") from error

    def line(self) -> str:
        """The text up to the next line end."""
        length = bytes(self.content[self.position : self.position + MAX_LINE]).find(b"\n")
        if length < 0:
            raise self.damaged("has a name that does not end")
        found = self.text(length)
        self.position += 1
        return found

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        """The newest value above the newest mark."""
        self.need(1)
        return self.stack.pop()

    def top(self) -> Any:
        """The newest value, which stays."""
        self.need(1)
        return self.stack[-1]

    def need(self, count: int) -> None:
        """Refuse a pickle that uses values that it never made."""
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise self.damaged("uses a value that it never made")

    def since_mark(self) -> list[Any]:
        """All values above the newest mark, which goes with them."""
        if not self.marks:
            raise self.damaged("uses a mark that it never set")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def find(self, name: str) -> None:
        """Push what a name means; an unknown one ends everything."""
        if (found := self.names.get(name)) is None:
            raise self.refused(f"asks for {shown(name)}")
        if found.unsupported is not None:
            raise self.file.unsupported(f"{found.unsupported} ({name})")
        self.push(found)

    def damaged(self, reason: str) -> Exception:
        return self.file.damaged(f"its pickle {reason} (at byte {self.position - self.start:,})")

    def refused(self, reason: str) -> Exception:
        return self.file.refused(f"its pickle {reason} (at byte {self.position - self.start:,})")


Step: TypeAlias = Callable[[Machine], None]


def shown(value: object) -> str:
    """A value in a message: short, and without walking through what is inside."""
    if isinstance(value, Name):
        return repr(value.name)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return repr(value[:100]) if isinstance(value, str) else f"a {type(value).__name__}"


def _instruction(code: int) -> str:
    from pickletools import opcodes  # a description of the instructions, which runs none

    return next((known.name for known in opcodes if ord(known.code) == code), f"{code:#04x}, which does not exist")


def _protocol(machine: Machine) -> None:
    if (protocol := machine.take(1)[0]) > NEWEST_PROTOCOL:
        raise machine.damaged(f"calls itself protocol {protocol}")


def _frame(machine: Machine) -> None:
    if machine.number(U64) > len(machine.content) - machine.position:
        raise machine.damaged("has a frame longer than itself")


def _long(machine: Machine) -> None:
    if (length := machine.take(1)[0]) > MAX_NUMBER_BYTES:
        raise machine.refused(f"has a number of {length} bytes")
    machine.push(int.from_bytes(machine.take(length), "little", signed=True))


def _global(machine: Machine) -> None:
    machine.find(f"{machine.line()}.{machine.line()}")


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if type(name) is not str or type(module) is not str:
        raise machine.refused("makes a name of something that is no text")
    machine.find(f"{module}.{name}")


def _instance(machine: Machine) -> None:
    raise machine.refused(f"makes an object of {shown(f'{machine.line()}.{machine.line()}')}")


def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, Name) or function.build is None:
        raise machine.refused(f"calls {shown(function)}")
    if type(arguments) is not tuple:
        raise machine.refused(f"calls {shown(function)} with {shown(arguments)} instead of arguments")
    try:
        machine.push(function.build(arguments))
    except ValueError as error:
        raise machine.damaged(f"gives {shown(function)} {error}") from error


def _persistent(machine: Machine) -> None:
    reference = machine.pop()
    if type(reference) is not tuple:
        raise machine.refused(f"refers to {shown(reference)} outside itself")
    try:
        machine.push(machine.refer(reference))
    except ValueError as error:
        raise machine.refused(f"refers to {error}") from error


def _build(machine: Machine) -> None:
    """Attributes, such as the ``_metadata`` of a state dictionary: no weight needs them."""
    state, target = machine.pop(), machine.top()
    if type(target) is not dict or type(state) is not dict:
        raise machine.refused(f"sets attributes of {shown(target)}")


def _set_items(machine: Machine, values: list[Any]) -> None:
    target = machine.top()
    if type(target) is not dict:
        raise machine.refused(f"puts entries into {shown(target)}")
    if len(values) % 2:
        raise machine.damaged("has a key without a value")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if type(key) is not str:  # other keys could be made to collide, and no weight has one
            raise machine.refused(f"has {shown(key)} for a key, which is no name")
        target[key] = value


def _append(machine: Machine, values: list[Any]) -> None:
    target = machine.top()
    if type(target) is not list:
        raise machine.refused(f"appends to {shown(target)}")
    target += values


def _tuple(machine: Machine, count: int) -> None:
    machine.need(count)
    values = tuple(machine.stack[-count:])
    del machine.stack[-count:]
    machine.push(values)


def _put(machine: Machine, index: int) -> None:
    machine.memo[index] = machine.top()


def _get(machine: Machine, index: int) -> None:
    if index not in machine.memo:
        raise machine.damaged(f"uses number {index} of its memory, which it never set")
    machine.push(machine.memo[index])


def _pair(machine: Machine) -> list[Any]:
    machine.need(2)
    value, key = machine.pop(), machine.pop()
    return [key, value]


U8, U16, I32, U32, U64, F64 = (struct.Struct(form) for form in ("<B", "<H", "<i", "<I", "<Q", ">d"))

STEPS: Mapping[int, Step] = {
    0x80: _protocol,
    0x95: _frame,
    ord("("): lambda machine: machine.marks.append(len(machine.stack)),
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("K"): lambda machine: machine.push(machine.number(U8)),
    ord("M"): lambda machine: machine.push(machine.number(U16)),
    ord("J"): lambda machine: machine.push(machine.number(I32)),
    0x8A: _long,
    ord("G"): lambda machine: machine.push(machine.number(F64)),
    ord("X"): lambda machine: machine.push(machine.text(machine.number(U32))),
    0x8C: lambda machine: machine.push(machine.text(machine.number(U8))),
    0x8D: lambda machine: machine.push(machine.text(machine.number(U64))),
    ord("U"): lambda machine: machine.push(machine.text(machine.number(U8))),  # this and the next: texts of Python 2
    ord("T"): lambda machine: machine.push(machine.text(machine.number(U32))),
    ord(")"): lambda machine: machine.push(()),
    ord("t"): lambda machine: machine.push(tuple(machine.since_mark())),
    0x85: lambda machine: _tuple(machine, 1),
    0x86: lambda machine: _tuple(machine, 2),
    0x87: lambda machine: _tuple(machine, 3),
    ord("]"): lambda machine: machine.push([]),
    ord("a"): lambda machine: _append(machine, [machine.pop()]),
    ord("e"): lambda machine: _append(machine, machine.since_mark()),
    ord("}"): lambda machine: machine.push({}),
    ord("s"): lambda machine: _set_items(machine, _pair(machine)),
    ord("u"): lambda machine: _set_items(machine, machine.since_mark()),
    ord("q"): lambda machine: _put(machine, machine.number(U8)),
    ord("r"): lambda machine: _put(machine, machine.number(U32)),
    0x94: lambda machine: _put(machine, len(machine.memo)),
    ord("h"): lambda machine: _get(machine, machine.number(U8)),
    ord("j"): lambda machine: _get(machine, machine.number(U32)),
    ord("c"): _global,
    0x93: _stack_global,
    ord("i"): _instance,
    ord("R"): _reduce,
    ord("b"): _build,
    ord("Q"): _persistent,
}
"""What each instruction does. Those that are not here are refused."""

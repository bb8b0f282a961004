"""A model's parts by the names that they have on the Hub, beside Headway's own.

Headway's names are the same for all families: ``layers.0.attention.out``. Code that was written for transformers says
``bert.encoder.layer.0.attention.output.dense``; both are understood where somebody picks parts by name.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from torch import nn

from headway.core.config import closest
from headway.errors import ConfigError
from headway.families import family

if TYPE_CHECKING:
    from headway.neural.pretrained import PretrainedModel


def hub_names(model: "PretrainedModel") -> dict[str, list[str]]:
    """What each parameter is called on the Hub: several names where ours is a fusion, its own where a user added it."""
    table = family(model.config.model_type).weight_names(model.config, model.head_name)
    found = {}
    for name, _ in model.named_parameters():
        try:
            found[name] = table.names_of(name, has_head=model.architecture.head is not None)
        except KeyError:
            found[name] = [name]
    return found


def prefix(model: "PretrainedModel") -> str:
    """What stands before the base model's names on the Hub: ``bert.``."""
    return family(model.config.model_type).weight_names(model.config, model.head_name).prefix


def selected(model: "PretrainedModel", patterns: Sequence[str]) -> list[str]:
    """Our names of the parameters that lie under any of these names, ours or the Hub's; ``*`` stands for anything."""
    names, start = hub_names(model), prefix(model)
    chosen: set[str] = set()
    for pattern in patterns:
        found = {ours for ours, theirs in names.items() if _lies_under(pattern, ours, theirs, start)}
        if not found:
            raise ConfigError(_no_such_part(model, pattern, names))
        chosen |= found
    return [name for name in names if name in chosen]


def _lies_under(pattern: str, ours: str, theirs: list[str], start: str) -> bool:
    if _covers(pattern, ours):
        return True
    covered = [name for name in theirs if _covers(pattern, name) or _covers(pattern, name.removeprefix(start))]
    if covered and len(covered) < len(theirs):
        raise ConfigError(
            f"{pattern!r} is only a part of {ours}, which holds {', '.join(theirs)} as one matrix here. "
            "Name that, or something larger."
        )
    return bool(covered)


def _covers(pattern: str, name: str) -> bool:
    return name == pattern or name.startswith(f"{pattern}.") or fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _no_such_part(model: nn.Module, pattern: str, names: dict[str, list[str]]) -> str:
    every = {*names, *(their for theirs in names.values() for their in theirs)}
    parts = {".".join(name.split(".")[:count]) for name in every for count in range(1, name.count(".") + 2)}
    near = closest(pattern, parts) or f" Its parts are {', '.join(own_parts(model))}."
    return f"This {type(model).__name__} has no part {pattern!r}, so nothing would happen.{near}"


def own_parts(model: nn.Module) -> list[str]:
    """What the largest parts with parameters are called here."""
    return list(dict.fromkeys(name.partition(".")[0] for name, _ in model.named_parameters()))


def part(model: "PretrainedModel", path: str) -> Any:
    """What stands under a name of the Hub: a module of ours where one has just these parameters, else a view of several.

    ``encoder.layer`` is the list of layers, ``classifier`` BERT's last map, ``cls`` a view of the masked LM's parameters.
    """
    names = hub_names(model)
    for ours, theirs in names.items():
        if theirs == [path]:
            return model.get_parameter(ours)
    pairs = [(their, ours) for ours, theirs in names.items() for their in theirs if their.startswith(f"{path}.")]
    if not pairs:
        raise AttributeError(f"This {type(model).__name__} has nothing that the Hub calls {path!r}.")
    places = {_place(their.removeprefix(f"{path}."), ours) for their, ours in pairs}
    place = next(iter(places))
    return model.get_submodule(place) if len(places) == 1 and place is not None else HubPart(model, path)


def _place(rest: str, ours: str) -> str | None:
    """Our module whose parameter or layer has the same name from here on; None where there is none."""
    number = rest.partition(".")[0]
    if number.isdecimal() and f".{number}." in ours:
        return ours.partition(f".{number}.")[0]
    return ours.removesuffix(f".{rest}") if ours.endswith(f".{rest}") else None


class HubPart:
    """Several parameters that stand under one name on the Hub, though they are no single module here."""

    def __init__(self, model: "PretrainedModel", path: str) -> None:
        self._model = model
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return part(self._model, f"{self._path}.{name}")

    def __repr__(self) -> str:
        return f"HubPart({self._path!r}: {len(list(self.parameters()))} parameters of several modules)"

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters under Headway's names."""
        for name in selected(self._model, [self._path]):
            yield name, self._model.get_parameter(name)

    def parameters(self) -> Iterator[nn.Parameter]:
        """The parameters."""
        yield from (parameter for _, parameter in self.named_parameters())

    def requires_grad_(self, requires_grad: bool = True) -> "HubPart":
        """Whether training changes these parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

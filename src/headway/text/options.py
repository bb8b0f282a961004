"""How one call pads and cuts: what callers write, made definite and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from headway.errors import InputError
from headway.text.traits import UNLIMITED, Side, Traits
from headway.text.truncation import Cut, Truncation

Padding: TypeAlias = Literal["longest", "max_length", "do_not_pad"]


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How the texts of one call are brought to length. ``cut`` is None where nothing is cut."""

    padding: Padding
    padding_side: Side
    cut: Cut | None
    max_length: int | None
    pad_to_multiple_of: int | None

    def target(self, lengths: Sequence[int]) -> int | None:
        """The length to which texts of these lengths are padded; None pads none."""
        if self.padding == "do_not_pad":
            return None
        target = self.max_length if self.padding == "max_length" and self.max_length is not None else max(lengths, default=0)
        return target if self.pad_to_multiple_of is None else -(-target // self.pad_to_multiple_of) * self.pad_to_multiple_of


def fitting(
    traits: Traits,
    *,
    padding: bool | str = False,
    truncation: bool | str | None = None,
    max_length: int | None = None,
    stride: int = 0,
    pad_to_multiple_of: int | None = None,
    padding_side: str | None = None,
    truncation_side: str | None = None,
) -> Fitting:
    """What the arguments of a call mean, by transformers' rules.

    A ``max_length`` alone cuts; without one, the model's limit counts, and where that is not known nothing is too long.
    """
    if truncation is None:
        truncation = max_length is not None and padding is False
    strategy = cast(
        Truncation, _named("truncation", truncation, yes="longest_first", no="do_not_truncate", known=get_args(Truncation))
    )
    limit = _limit(max_length, traits)
    side = _side("truncation_side", truncation_side, traits.truncation_side)
    shared = _count("stride", stride, least=0)
    is_cut = strategy != "do_not_truncate"
    fit = Fitting(
        padding=cast(Padding, _named("padding", padding, yes="longest", no="do_not_pad", known=get_args(Padding))),
        padding_side=_side("padding_side", padding_side, traits.padding_side),
        cut=Cut(max_length=limit, strategy=strategy, side=side, stride=shared) if is_cut and limit is not None else None,
        max_length=limit,
        pad_to_multiple_of=None if pad_to_multiple_of is None else _count("pad_to_multiple_of", pad_to_multiple_of, least=1),
    )
    if fit.padding != "do_not_pad":
        _check_padding(fit, traits)
    return fit


def _named(name: str, value: Any, *, yes: str, no: str, known: tuple[str, ...]) -> str:
    found = (yes if value else no) if isinstance(value, bool) else value
    if found not in known:
        raise InputError(f"{name} is {value!r}; it is True, False or one of {', '.join(map(repr, known))}.")
    return str(getattr(found, "value", found))


def _side(name: str, value: str | None, usual: Side) -> Side:
    if value is not None and value not in ("left", "right"):
        raise InputError(f"{name} is {value!r}; it is 'left' or 'right', or None for the tokenizer's own, {usual!r}.")
    return usual if value is None else cast(Side, value)


def _limit(max_length: int | None, traits: Traits) -> int | None:
    if max_length is None:
        return None if traits.model_max_length >= UNLIMITED else traits.model_max_length
    return _count("max_length", max_length, least=1)


MEANINGS = {
    "max_length": "the greatest number of tokens of a text",
    "stride": "the number of tokens that neighbouring windows share",
    "pad_to_multiple_of": "the number that padded lengths are multiples of",
}


def _count(name: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise InputError(f"{name} is {value!r}; it is {MEANINGS[name]}, at least {least}.")
    return int(value)


def _check_padding(fit: Fitting, traits: Traits) -> None:
    multiple, limit = fit.pad_to_multiple_of, fit.max_length
    if "pad_token" not in traits.special_tokens:
        raise InputError(
            "This tokenizer has no padding token, so texts cannot be padded. Load it with one: from_pretrained(…, pad_token=…)."
        )
    if fit.padding == "max_length" and limit is None:
        raise InputError(
            "padding='max_length' needs a length, but there is no max_length and the model's limit is not known. "
            "Give max_length, or use padding=True."
        )
    if multiple is not None and fit.cut is not None and fit.cut.max_length % multiple:
        raise InputError(
            f"max_length ({fit.cut.max_length}) is not a multiple of pad_to_multiple_of ({multiple}), so cut and padded texts "
            "would differ in length. Change one of them."
        )

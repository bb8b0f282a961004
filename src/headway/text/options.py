"""How one call pads and cuts: what callers write, made definite and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from headway.errors import InputError
from headway.text.traits import UNLIMITED, Side, Traits
from headway.text.truncation import Truncation, kept_positions

if TYPE_CHECKING:
    from tokenizers import Encoding

Padding: TypeAlias = Literal["longest", "max_length", "do_not_pad"]
Tensors: TypeAlias = Literal["np", "pt"]


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How the texts of one call are brought to length."""

    padding: Padding
    truncation: Truncation
    max_length: int | None
    pad_to_multiple_of: int | None

    def kept(self, encoding: "Encoding", side: Side, *, has_pair: bool) -> list[int] | None:
        """The positions that stay of a text that is too long; None where it is not."""
        if self.truncation == "do_not_truncate" or self.max_length is None or len(encoding) <= self.max_length:
            return None
        return kept_positions(
            encoding.sequence_ids, max_length=self.max_length, strategy=self.truncation, side=side, has_pair=has_pair
        )

    def target(self, lengths: Sequence[int]) -> int:
        """The length to which texts of these lengths are padded; 0 pads none."""
        if self.padding == "do_not_pad":
            return 0
        target = self.max_length if self.padding == "max_length" and self.max_length is not None else max(lengths, default=0)
        return target if self.pad_to_multiple_of is None else -(-target // self.pad_to_multiple_of) * self.pad_to_multiple_of


def fitting(
    padding: bool | str, truncation: bool | str | None, *, max_length: int | None, pad_to_multiple_of: int | None, traits: Traits
) -> Fitting:
    """What the arguments of a call mean, by transformers' rules.

    A ``max_length`` alone cuts; without one, the model's limit counts, and where that is not known nothing is too long.
    """
    if truncation is None:
        truncation = max_length is not None and padding is False
    fit = Fitting(
        padding=cast(Padding, _named("padding", padding, yes="longest", no="do_not_pad", known=get_args(Padding))),
        truncation=cast(
            Truncation, _named("truncation", truncation, yes="longest_first", no="do_not_truncate", known=get_args(Truncation))
        ),
        max_length=_limit(max_length, traits),
        pad_to_multiple_of=pad_to_multiple_of,
    )
    if fit.padding != "do_not_pad":
        _check_padding(fit, traits)
    return fit


def _named(name: str, value: bool | str, *, yes: str, no: str, known: tuple[str, ...]) -> str:
    found = (yes if value else no) if isinstance(value, bool) else value
    if found not in known:
        raise InputError(f"{name} is {value!r}; it is True, False or one of {', '.join(map(repr, known))}.")
    return found


def _limit(max_length: int | None, traits: Traits) -> int | None:
    if max_length is None:
        return None if traits.model_max_length >= UNLIMITED else traits.model_max_length
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
        raise InputError(f"max_length is {max_length!r}; it is the greatest number of tokens of a text, at least 1.")
    return max_length


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
    if multiple is not None and multiple < 1:
        raise InputError(f"pad_to_multiple_of is {multiple}; it is at least 1.")
    if multiple is not None and limit is not None and limit % multiple and fit.truncation != "do_not_truncate":
        raise InputError(
            f"max_length ({limit}) is not a multiple of pad_to_multiple_of ({multiple}), so cut and padded texts would differ "
            "in length. Change one of them."
        )

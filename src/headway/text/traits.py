"""What ``tokenizer_config.json`` says beside the pieces themselves: special tokens by role, lengths, sides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from headway.architecture import TokenizerDefaults
from headway.core.config import nearest
from headway.errors import ConfigError, TokenizerError

Side: TypeAlias = Literal["left", "right"]

UNLIMITED = int(1e30)
"""The ``model_max_length`` of a tokenizer whose model has no known limit, as transformers writes it."""

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

SETTINGS = {
    *ROLES,
    "add_prefix_space",
    "additional_special_tokens",
    "byte_fallback",
    "clean_up_tokenization_spaces",
    "do_lower_case",
    "extra_special_tokens",
    "keep_accents",
    "model_input_names",
    "model_max_length",
    "pad_token_type_id",
    "padding_side",
    "split_by_punct",
    "strip_accents",
    "tokenize_chinese_chars",
    "trim_offsets",
    "truncation_side",
}
"""What is read of ``tokenizer_config.json``."""

SWITCHES = (
    "add_prefix_space",
    "byte_fallback",
    "clean_up_tokenization_spaces",
    "do_lower_case",
    "keep_accents",
    "split_by_punct",
    "strip_accents",
    "tokenize_chinese_chars",
    "trim_offsets",
)
"""Those that are on, off, or not said."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """A tokenizer's settings. ``file`` is ``tokenizer_config.json`` whole, so that what is not read is written back."""

    special_tokens: Mapping[str, str]
    additional_special_tokens: tuple[str, ...] = ()
    model_max_length: int = UNLIMITED
    model_input_names: tuple[str, ...] = ("input_ids", "token_type_ids", "attention_mask")
    padding_side: Side = "right"
    truncation_side: Side = "right"
    pad_token_type_id: int = 0
    clean_up_tokenization_spaces: bool = False
    file: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_file(
        cls,
        values: Mapping[str, Any],
        *,
        roles: Mapping[str, str],
        max_positions: int | None,
        usual: TokenizerDefaults | None = None,
    ) -> "Traits":
        """The traits that a ``tokenizer_config.json`` gives; ``roles`` are the special tokens where it names none.

        ``model_max_length`` is never more than ``max_positions``: a longer text would only fail later, in the model. ``usual``
        is what holds for the tokenizer's class where the file says nothing.
        """
        tokens = {**roles, **{role: content(values[role]) for role in ROLES if values.get(role) is not None}}
        others = [content(token) for token in special_tokens_without_role(values)] or (
            usual.additional_special_tokens if usual else ()
        )
        names = values.get("model_input_names") or (usual.model_input_names if usual else cls.model_input_names)
        limit = _number(values, "model_max_length", usual=UNLIMITED)
        return cls(
            special_tokens={role: tokens[role] for role in ROLES if role in tokens},
            additional_special_tokens=tuple(token for token in others if token not in tokens.values()),
            model_max_length=limit if max_positions is None else min(limit, max_positions),
            model_input_names=tuple(names),
            padding_side=_side(values, "padding_side"),
            truncation_side=_side(values, "truncation_side"),
            pad_token_type_id=_number(values, "pad_token_type_id", usual=0),
            clean_up_tokenization_spaces=bool(values.get("clean_up_tokenization_spaces", False)),
            file=values,
        )

    def to_file(self) -> dict[str, Any]:
        """``tokenizer_config.json``: what was read, with what Headway knows written over it."""
        values = {"tokenizer_class": "PreTrainedTokenizerFast", **self.file}
        values |= {role: token for role, token in self.special_tokens.items() if not _is_token(values.get(role), token)}
        values |= {
            "model_max_length": self.model_max_length,
            "model_input_names": list(self.model_input_names),
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
        }
        return values


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse the name of a setting that nothing would read; files may hold any, callers may not."""
    for name in settings:
        if name not in SETTINGS:
            raise ConfigError(f"A tokenizer has no setting {name!r}.{nearest(name, SETTINGS)}")


def check_kinds(values: Mapping[str, Any]) -> None:
    """Refuse settings of a kind that they cannot be of, before anything is made of them."""
    for name in SWITCHES:
        if values.get(name) not in (True, False, None):
            raise TokenizerError(f"{name} is {values[name]!r} in tokenizer_config.json; it is true or false. Correct it.")
    names, class_name = values.get("model_input_names"), values.get("tokenizer_class")
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise TokenizerError(f"model_input_names is {names!r} in tokenizer_config.json; it is a list of names. Correct it.")
    if not isinstance(class_name, str | None):
        raise TokenizerError(f"tokenizer_class is {class_name!r} in tokenizer_config.json; it is a name. Correct it.")


def special_tokens_without_role(values: Mapping[str, Any]) -> list[Any]:
    """The tokens that ``additional_special_tokens`` lists, or ``extra_special_tokens``, as later versions call them."""
    extra = values.get("extra_special_tokens") or []
    several = [values.get("additional_special_tokens") or [], list(extra.values()) if isinstance(extra, Mapping) else extra]
    if not all(isinstance(tokens, list | tuple) for tokens in several):
        raise TokenizerError(
            "additional_special_tokens or extra_special_tokens in tokenizer_config.json is no list of tokens. "
            "Save the tokenizer again."
        )
    return [token for tokens in several for token in tokens]


def content(token: Any) -> str:
    """A special token's text, from its plain form or from the object that transformers writes."""
    found = token.get("content") if isinstance(token, Mapping) else token
    if not isinstance(found, str):
        raise TokenizerError(
            f"tokenizer_config.json gives {token!r} as a special token, where a text belongs. Save the tokenizer again."
        )
    return found


def _is_token(value: Any, token: str) -> bool:
    return value is not None and content(value) == token


def _number(values: Mapping[str, Any], name: str, *, usual: int) -> int:
    value = values.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise TokenizerError(f"{name} is {value!r} in tokenizer_config.json; it is a number, not below zero.")
    return int(min(value, UNLIMITED))


def _side(values: Mapping[str, Any], name: str) -> Side:
    side = values.get(name, "right")
    if side not in ("left", "right"):
        raise TokenizerError(f"{name} is {side!r} in tokenizer_config.json; it is 'left' or 'right'.")
    return cast(Side, side)

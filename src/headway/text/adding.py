"""Tokens added to a tokenizer that threads share: another state is made beside the one in use, and put in its place whole."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tokenizers import AddedToken

from headway.core.config import nearest
from headway.errors import ConfigError, InputError
from headway.text.inputs import SURROGATE, shown
from headway.text.state import State
from headway.text.traits import ROLES, Traits

OTHERS = "additional_special_tokens"


def with_tokens(state: State, tokens: Any, *, special: bool) -> tuple[State, int]:
    """The state in which these are tokens of their own, and how many were not so before. Special ones are not normalised."""
    new = [checked_token(token) for token in _listed(tokens)]
    backend = state.copied()
    count = backend.add_special_tokens(new) if special else backend.add_tokens(new)
    return replace(state, backend=backend), int(count)


def with_special_tokens(state: State, tokens: Mapping[str, Any], *, replaces_others: bool) -> tuple[State, int]:
    """The state in which these tokens have these roles, and how many of them were not tokens of their own before."""
    for role in tokens:
        if role not in (*ROLES, OTHERS):
            raise ConfigError(f"A special token has no role {role!r}.{nearest(role, {*ROLES, OTHERS})}")
    others = [checked_token(token) for token in tokens.get(OTHERS, ())]
    roles = {role: checked_token(token) for role, token in tokens.items() if role != OTHERS}
    found, count = with_tokens(state, [*roles.values(), *others], special=True)
    named = {role: token_text(token) for role, token in roles.items()}
    more = [token_text(token) for token in others]
    kept = () if replaces_others and more else state.traits.additional_special_tokens
    return replace(found, traits=with_roles(state.traits, named, tuple(dict.fromkeys((*kept, *more))))), count


def with_roles(
    traits: Traits, roles: Mapping[str, str], others: tuple[str, ...], *, file: Mapping[str, Any] | None = None
) -> Traits:
    """The settings in which these tokens have these roles, and ``others`` none; ``file`` takes the old file's place."""
    special = {**traits.special_tokens, **roles}
    return replace(
        traits,
        special_tokens={role: special[role] for role in ROLES if role in special},
        additional_special_tokens=others,
        file={**(traits.file if file is None else file), **({OTHERS: list(others)} if others else {})},
    )


def _listed(tokens: Any) -> Iterable[Any]:
    if isinstance(tokens, str | AddedToken):
        return [tokens]
    if not isinstance(tokens, Iterable):
        raise InputError(f"Tokens to add are {shown(tokens)}, where a text or a list of texts belongs. Give at least one text.")
    return tokens


def checked_token(token: Any) -> Any:
    """A token to add, if it is one."""
    if not isinstance(token, str | AddedToken) or SURROGATE.search(token_text(token)):
        raise InputError(f"A token to add is {shown(token)}, but it is a text, or an AddedToken of the tokenizers library.")
    return token


def token_text(token: str | AddedToken) -> str:
    """What a token to add stands for in a text."""
    return token if isinstance(token, str) else str(token.content)

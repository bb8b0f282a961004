"""Tokens beside the vocabulary's own pieces, in the forms that transformers has written over the years."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from headway.architecture import TokenizerDefaults
from headway.errors import TokenizerError
from headway.text.traits import Traits, content, special_tokens_without_role

SIDES = ("lstrip", "rstrip", "single_word")
"""What a token takes along or wants beside it."""


@dataclass(frozen=True)
class Added:
    """What is added to a vocabulary: ``declared`` tokens by the ids that they must have, and ``special`` ones."""

    declared: Mapping[int, AddedToken]
    special: tuple[AddedToken, ...]

    @property
    def names(self) -> list[str]:
        """The texts of those that have ids of their own."""
        return [token.content for token in self.declared.values()]

    def add_unknown(self, backend: Backend) -> None:
        """Add what the tokenizer does not know yet; what it knows, it knows better."""
        known = {token.content for token in backend.get_added_tokens_decoder().values()}
        backend.add_tokens([token for token in self._in_order() if token.content not in known])

    def add_all(self, backend: Backend, marked: Iterable[AddedToken], *, path: Path) -> None:
        """Add everything to the vocabulary of the file ``path``, and its own ``marked`` pieces, each once.

        A declared token that comes to another id is a ``TokenizerError``: the model would read something else in its place.
        """
        backend.add_tokens(list({token.content: token for token in (*marked, *self._in_order())}.values()))
        for index, token in self.declared.items():
            found = backend.token_to_id(token.content)
            if found != index:
                raise TokenizerError(
                    f"The tokenizer's settings give {token.content!r} the id {index}, but behind the pieces in {path} it has the "
                    f"id {found}, so the model would take it for something else. Use files that belong together."
                )

    def _in_order(self) -> list[AddedToken]:
        return [*self.declared.values(), *(token for token in self.special if token.content not in self.names)]


def added_tokens(
    traits: Traits, settings: Mapping[str, Any], legacy: Mapping[str, Any], *, usual: TokenizerDefaults | None
) -> Added:
    """What the settings add. ``legacy`` is the object in ``added_tokens.json``, which holds ids alone."""
    special = _special(traits, settings, usual)
    forms = settings.get("added_tokens_decoder")
    try:
        if forms is None:
            forms = {index: special.get(text, {"content": text}) for text, index in legacy.items()}
            if len(forms) < len(legacy):
                raise ValueError("two have the same id")
        declared = {int(index): _token(form, is_special=content(form) in special) for index, form in forms.items()}
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise TokenizerError(
            f"added_tokens_decoder in tokenizer_config.json, or else added_tokens.json, does not hold tokens by id: {error}. "
            "Save the tokenizer again."
        ) from error
    return Added(dict(sorted(declared.items())), tuple(_token(form, is_special=True) for form in special.values()))


def decoder_form(backend: Backend) -> dict[str, dict[str, Any]]:
    """The tokenizer's added tokens as ``added_tokens_decoder``, so that transformers finds them as they are."""
    return {
        str(index): {"content": token.content, "special": token.special, "normalized": token.normalized}
        | {flag: getattr(token, flag) for flag in SIDES}
        for index, token in sorted(backend.get_added_tokens_decoder().items())
    }


def _special(traits: Traits, settings: Mapping[str, Any], usual: TokenizerDefaults | None) -> dict[str, Mapping[str, Any]]:
    """The special tokens by their texts, each as the settings describe it or else as is usual for its role."""
    forms = (*settings.values(), *special_tokens_without_role(settings))
    described = {content(form): form for form in forms if isinstance(form, Mapping) and "content" in form}
    found: dict[str, Mapping[str, Any]] = {}
    for role, text in (*traits.special_tokens.items(), *(("", text) for text in traits.additional_special_tokens)):
        habits = {} if usual is None else {"lstrip": role in usual.lstrip, "normalized": role in usual.normalized}
        found.setdefault(text, described.get(text, {"content": text, **habits}))
    return found


def _token(form: Mapping[str, Any], *, is_special: bool) -> AddedToken:
    is_special = is_special or bool(form.get("special"))
    sides = {side: bool(form.get(side)) for side in SIDES}
    return AddedToken(content(form), special=is_special, normalized=bool(form.get("normalized", not is_special)), **sides)

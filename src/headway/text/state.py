"""One consistent state of a tokenizer: what it tokenises with, and what follows from that. It never changes."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from headway.errors import TokenizerError
from headway.text.cutting import are_long, encode_beginnings, splits_at_spaces
from headway.text.encoded import Encodings, Filling
from headway.text.frame import Frame
from headway.text.inputs import without_surrogates
from headway.text.options import Fitting
from headway.text.traits import Traits
from headway.text.truncation import Cut, Stretches


@dataclass(frozen=True)
class State:
    """The ``tokenizers`` object, to which nothing is ever set, with the settings and the place that it came from."""

    backend: Backend
    traits: Traits
    name_or_path: str = ""

    def copied(self) -> Backend:
        """The ``tokenizers`` object once more, for whoever wants to change it."""
        return Backend.from_str(self.backend.to_str())

    @cached_property
    def size(self) -> int:
        """How many pieces there are, added ones included."""
        return int(self.backend.get_vocab_size(with_added_tokens=True))

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of the special tokens, in the order of their roles."""
        tokens = dict.fromkeys((*self.traits.special_tokens.values(), *self.traits.additional_special_tokens))
        found = (self.backend.token_to_id(token) for token in tokens)
        unknown = self.backend.token_to_id(self.traits.special_tokens.get("unk_token", ""))
        return tuple(unknown if index is None else index for index in found)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all that decides which ids a text becomes."""
        # Scores are rounded, because the library reads back the neighbour of what it wrote, in the last of 17 digits.
        state = json.loads(self.backend.to_str(), parse_float=lambda digits: f"{float(digits):.7g}")
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()

    @cached_property
    def frame(self) -> Frame:
        """What stands around a text."""
        return Frame.of(self._encode_one, self._some_text, pair=False)

    @cached_property
    def pair_frame(self) -> Frame:
        """What stands around a pair."""
        return Frame.of(self._encode_one, self._some_text, pair=True)

    @cached_property
    def untyped(self) -> tuple[bool, bool]:
        """Whether all type ids are 0: of a text, and of a pair."""
        return self._is_untyped("a"), self._is_untyped(("a", "a"))

    def specials(self, *, has_pair: bool, add_special_tokens: bool = True) -> int:
        """How many special tokens frame a text, or a pair."""
        return int(self.backend.num_special_tokens_to_add(has_pair)) if add_special_tokens else 0

    def encode(
        self,
        inputs: list[Any],
        *,
        cut: Cut | None = None,
        fast: bool = False,
        add_special_tokens: bool = True,
        is_pretokenized: bool = False,
        split_special_tokens: bool = False,
    ) -> list[Encoding]:
        """The encodings of texts or pairs. ``fast`` ones have no offsets; of those to be cut the beginning may be enough."""
        backend = self._splitting if split_special_tokens else self.backend
        options = {"add_special_tokens": add_special_tokens, "is_pretokenized": is_pretokenized}

        def encode(chosen: list[Any]) -> list[Encoding]:
            return _encoded(backend.encode_batch_fast if fast else backend.encode_batch, chosen, **options)

        if cut is None or is_pretokenized or cut.side == "left" or not are_long(inputs, cut) or not self._splits_at_spaces:
            return encode(inputs)
        specials = self.specials(has_pair=not isinstance(inputs[0], str), add_special_tokens=add_special_tokens)
        return encode_beginnings(encode, inputs, cut=cut, specials=specials)

    def fit(
        self, found: Sequence[Encoding], fit: Fitting, *, has_pair: bool, in_windows: bool = False
    ) -> tuple[Encodings, list[int]]:
        """The encodings brought to length, all windows of those that are too long or the first, and the text of each."""
        encodings, texts = Encodings(found), list(range(len(found)))
        if fit.cut is not None and max(encodings.lengths, default=0) > fit.cut.max_length:
            pieces = [
                (encoding, stretches, text)
                for text, encoding in enumerate(found)
                for stretches in _pieces(encoding, fit.cut, has_pair=has_pair, in_windows=in_windows)
            ]
            encodings = Encodings([encoding for encoding, _, _ in pieces], [stretches for _, stretches, _ in pieces])
            texts = [text for _, _, text in pieces]
        return encodings.padded(self.filling(fit, encodings.lengths)), texts

    def filling(self, fit: Fitting, lengths: Sequence[int]) -> Filling | None:
        """What pads texts of these lengths; None where nothing does."""
        length, token = fit.target(lengths), self.traits.special_tokens.get("pad_token", "")
        if length is None:
            return None
        return Filling(
            length=length,
            side=fit.padding_side,
            token_id=self.backend.token_to_id(token),
            type_id=self.traits.pad_token_type_id,
            token=token,
        )

    def _encode_one(self, entry: Any) -> Encoding:
        return _encoded(self.backend.encode_batch, [entry])[0]

    @property
    def _some_text(self) -> str:
        """A text that is at least one token: an added one, or else a letter that most vocabularies have."""
        return next((token.content for token in self.backend.get_added_tokens_decoder().values()), "a")

    def _is_untyped(self, entry: Any) -> bool:
        try:
            found = self._encode_one(entry)
        except TokenizerError:  # it has no such letter
            return False
        return 0 in found.sequence_ids and not any(found.type_ids)

    @cached_property
    def _splits_at_spaces(self) -> bool:
        return splits_at_spaces(self.backend)

    @cached_property
    def _splitting(self) -> Backend:
        """The same tokenizer, to which special tokens in a text are text like any other."""
        backend = self.copied()
        backend.encode_special_tokens = True
        return backend


def _encoded(encode: Callable[..., list[Encoding]], inputs: list[Any], **options: bool) -> list[Encoding]:
    try:
        try:
            return encode(inputs, **options)
        except TypeError:  # all of it is text, so some of it has no UTF-8 form
            return encode([without_surrogates(text) for text in inputs], **options)
    except Exception as error:
        if type(error) is not Exception:  # the library has no class for its own errors
            raise
        raise TokenizerError(
            f"The tokenizer cannot read a text: {error}. Most often its vocabulary lacks the unknown token that it names; "
            "load the tokenizer again from its own files."
        ) from error


def _pieces(encoding: Encoding, cut: Cut, *, has_pair: bool, in_windows: bool) -> Sequence[Stretches | None]:
    """What stays of a text: all of it (None), its first window, or all its windows."""
    if len(encoding) <= cut.max_length:
        return (None,)
    owners = encoding.sequence_ids
    return cut.windows(owners, has_pair=has_pair) if in_windows else (cut.kept(owners, has_pair=has_pair),)

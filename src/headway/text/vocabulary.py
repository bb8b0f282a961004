"""What a tokenizer knows: pieces, special tokens and their roles, and its settings, under the names of transformers."""

from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from headway.text.absent import absence
from headway.text.framing import Framing
from headway.text.state import State
from headway.text.traits import ROLES, Side, Traits


class Vocabulary(Framing):
    """Questions about a tokenizer, answered from its state.

    ``mask_token``, ``mask_token_id`` and their like for ``bos``, ``eos``, ``unk``, ``sep``, ``pad`` and ``cls`` are None where
    the tokenizer has no such token.
    """

    is_fast = True
    """Whether there is a way from tokens back to the text."""

    @property
    def state(self) -> State:
        """What it is at this moment, with the tokens added so far."""
        return self._state

    @property
    def traits(self) -> Traits:
        """The settings."""
        return self._state.traits

    @property
    def name_or_path(self) -> str:
        """What it was loaded from; empty for one that was made here."""
        return self._state.name_or_path

    @property
    def backend(self) -> Backend:
        """A copy of the tokenizer in the ``tokenizers`` library."""
        return self._state.copied()

    @property
    def backend_tokenizer(self) -> Backend:
        """As ``backend``: a copy, so that changing it changes nothing here."""
        return self._state.copied()

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all that decides which ids a text becomes; the same after saving and loading."""
        return self._state.fingerprint

    @property
    def vocab_size(self) -> int:
        """How many pieces there are, without those added later; ``len`` counts them too."""
        return int(self._state.backend.get_vocab_size(with_added_tokens=False))

    def __len__(self) -> int:
        return self._state.size

    def __bool__(self) -> bool:
        return True

    def get_vocab(self) -> dict[str, int]:
        """Ids by piece."""
        vocabulary: dict[str, int] = self._state.backend.get_vocab(with_added_tokens=True)
        return vocabulary

    @property
    def vocab(self) -> dict[str, int]:
        """Ids by piece."""
        return self.get_vocab()

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """The tokens that are found in a text before it is split, special ones among them, by id."""
        found: dict[int, AddedToken] = self._state.backend.get_added_tokens_decoder()
        return found

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """Their ids."""
        return {token.content: index for index, token in sorted(self.added_tokens_decoder.items())}

    def get_added_vocab(self) -> dict[str, int]:
        """As ``added_tokens_encoder``."""
        return self.added_tokens_encoder

    @property
    def all_special_tokens(self) -> list[str]:
        """The special tokens, each once."""
        return list(dict.fromkeys((*self.traits.special_tokens.values(), *self.traits.additional_special_tokens)))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of the special tokens."""
        return list(self._state.special_ids)

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Special tokens by role; those without one as ``additional_special_tokens``."""
        others = self.additional_special_tokens
        return {**self.traits.special_tokens, **({"additional_special_tokens": others} if others else {})}

    @property
    def additional_special_tokens(self) -> list[str]:
        """The special tokens that have no role."""
        return list(self.traits.additional_special_tokens)

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """Their ids."""
        return [self._state.backend.token_to_id(token) for token in self.traits.additional_special_tokens]

    @property
    def model_max_length(self) -> int:
        """How many tokens the model can read; 10^30 where that is not known."""
        return self.traits.model_max_length

    @property
    def max_len_single_sentence(self) -> int:
        """How many tokens of a text the model can read beside the special ones."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self) -> int:
        """How many tokens of a pair the model can read beside the special ones."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    @property
    def model_input_names(self) -> list[str]:
        """What the model takes of what a call can give."""
        return list(self.traits.model_input_names)

    @property
    def padding_side(self) -> Side:
        """Where padding goes."""
        return self.traits.padding_side

    @property
    def truncation_side(self) -> Side:
        """Which end of a text is cut."""
        return self.traits.truncation_side

    @property
    def pad_token_type_id(self) -> int:
        """The type id of padding."""
        return self.traits.pad_token_type_id

    @property
    def clean_up_tokenization_spaces(self) -> bool:
        """Whether ``decode`` takes away the spaces before punctuation."""
        return self.traits.clean_up_tokenization_spaces

    def __getattr__(self, name: str) -> Any:
        role = name.removesuffix("_id")
        if role not in ROLES:
            raise AttributeError(f"A tokenizer has no attribute {name!r}{absence(name)}.")
        state = self._state
        token = state.traits.special_tokens.get(role)
        return token if name == role or token is None else state.backend.token_to_id(token)

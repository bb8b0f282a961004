"""The tokenizer: text to token ids and back, never changed by a call, so that threads can share one.

The ``tokenizers`` library keeps truncation and padding as state of its object. Here that state is never set: every call cuts and
fills its own results.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from headway.core.batching import TokenSequence
from headway.core.updates import atomic_update
from headway.errors import InputError
from headway.text.batch import BatchEncoding, EncodedText, as_arrays, as_tensors
from headway.text.decoding import checked_ids, cleaned_up, plain_lists
from headway.text.inputs import check_batch, check_single, is_batch, without_surrogates
from headway.text.loading import VOCABULARY_FILES, load, saved_settings, without_padding_or_truncation
from headway.text.loading import add_special_tokens as recognise
from headway.text.options import Fitting, Tensors, fitting
from headway.text.traits import ROLES, Side, Traits, check_settings
from headway.text.truncation import kept_positions

TEXTS_AT_ONCE = 4096
"""How many texts are encoded before their ids are taken: the library's own objects are many times larger than the ids."""


class Tokenizer:
    """Turns texts into token ids for one model. Made by ``from_pretrained``, ``from_tokenizers`` or ``train_wordpiece``.

    ``mask_token``, ``mask_token_id`` and their like for ``bos``, ``eos``, ``unk``, ``sep``, ``pad`` and ``cls`` are None where
    the tokenizer has no such token.
    """

    traits: Traits
    _backend: Backend

    def __init__(self, backend: Backend, traits: Traits) -> None:
        vars(self).update(_backend=without_padding_or_truncation(backend), traits=traits)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        cache_dir: str | Path | None = None,
        **settings: Any,
    ) -> Self:
        """The tokenizer of a folder, of a model that ships with Headway, or of a Hub repository.

        ``settings`` win over those in ``tokenizer_config.json``: ``model_max_length=128``, ``padding_side="left"``. One that does
        not exist is a ``ConfigError``.
        """
        from headway.checkpoints import locate

        check_settings(settings)
        folder = locate(
            name_or_path,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            cache_dir=cache_dir,
            files="tokenizer",
        )
        return cls(*load(folder, settings))

    @classmethod
    def from_tokenizers(cls, backend: Backend, **settings: Any) -> Self:
        """A copy of a tokenizer of the ``tokenizers`` library.

        ``settings`` are those of ``tokenizer_config.json``, such as ``pad_token="[PAD]"``: the library itself knows no roles.
        """
        check_settings(settings)
        copy, traits = Backend.from_str(backend.to_str()), Traits.from_file(settings, roles={}, max_positions=None)
        recognise(copy, traits, settings)
        return cls(copy, traits)

    def __call__(  # noqa: PLR0913 (transformers' own arguments, under their names)
        self,
        text: str | Sequence[Any],
        text_pair: str | Sequence[Any] | None = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        return_tensors: Tensors | None = None,
        return_offsets_mapping: bool = False,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_special_tokens_mask: bool = False,
        pad_to_multiple_of: int | None = None,
        is_split_into_words: bool = False,
    ) -> BatchEncoding:
        """The inputs of a model for one text, or for a list of them: ids, type ids and attention mask by name.

        Values are lists, with one more level for a list of texts; ``return_tensors="np"`` or ``"pt"`` gives arrays, (texts,
        tokens). ``padding`` and ``truncation`` take transformers' values. A ``max_length`` by itself cuts; ``truncation=True`` by
        itself cuts to ``model_max_length``; ``truncation=False`` lets a text be longer than the model can read.

        Lone surrogates are read as U+FFFD. Raises ``InputError`` for what is not text, naming its place.
        """
        fit = fitting(padding, truncation, max_length=max_length, pad_to_multiple_of=pad_to_multiple_of, traits=self.traits)
        many = is_batch(text, is_split_into_words=is_split_into_words)
        if not many:
            text = [check_single(text, name="text", is_split_into_words=is_split_into_words)]
            if text_pair is not None:
                text_pair = [check_single(text_pair, name="text_pair", is_split_into_words=is_split_into_words)]
        inputs = check_batch(text, text_pair, is_split_into_words=is_split_into_words)
        found = self._encode(inputs, fast=False, add_special_tokens=add_special_tokens, is_pretokenized=is_split_into_words)
        texts = self._fitted(found, fit, has_pair=text_pair is not None)
        wanted = {
            "input_ids": True,
            "token_type_ids": self._wants("token_type_ids", return_token_type_ids),
            "attention_mask": self._wants("attention_mask", return_attention_mask),
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": return_offsets_mapping,
        }
        columns = self._columns(texts, [name for name, is_wanted in wanted.items() if is_wanted])
        return BatchEncoding(_shaped(columns, return_tensors, many=many), texts)

    def encode(self, text: str | Sequence[str], text_pair: str | Sequence[str] | None = None, **options: Any) -> list[int]:
        """The ids of one text or pair; options as for a call."""
        ids: list[int] = self(text, text_pair, **options)["input_ids"]
        return ids

    def encode_sequences(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> list[TokenSequence]:
        """The texts, or pairs, as a model reads them: cut to ``max_length`` tokens, the longer of a pair first, and not padded.

        Type ids are None where all of them are 0. Faster than a call, because nothing leads back to the text.
        """
        inputs = check_batch(texts, pairs, is_split_into_words=False)
        has_types = pairs is not None or self._single_texts_have_types
        return [
            self._sequence(encoding, max_length, has_pair=pairs is not None, has_types=has_types)
            for start in range(0, len(inputs), TEXTS_AT_ONCE)
            for encoding in self._encode(
                inputs[start : start + TEXTS_AT_ONCE], fast=True, add_special_tokens=add_special_tokens, is_pretokenized=False
            )
        ]

    def tokenize(self, text: str, pair: str | None = None, *, add_special_tokens: bool = False) -> list[str]:
        """The pieces of one text or pair."""
        return self(text, pair, add_special_tokens=add_special_tokens).tokens()

    def decode(
        self, token_ids: Any, *, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None
    ) -> str:
        """The text of one sequence of ids: a list, array or tensor."""
        ids = plain_lists(token_ids)
        checked = checked_ids([ids] if isinstance(ids, int) else ids, len(self))
        text: str = self._backend.decode(checked, skip_special_tokens=skip_special_tokens)
        own = self.traits.clean_up_tokenization_spaces
        return cleaned_up(text) if (own if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces) else text

    def batch_decode(
        self, sequences: Any, *, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None
    ) -> list[str]:
        """The texts of many sequences of ids."""
        return [
            self.decode(ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=clean_up_tokenization_spaces)
            for ids in plain_lists(sequences)
        ]

    def convert_ids_to_tokens(self, ids: Any, *, skip_special_tokens: bool = False) -> Any:
        """The piece of an id, or the pieces of many."""
        ids = plain_lists(ids)
        if isinstance(ids, int):
            return self._backend.id_to_token(checked_ids([ids], len(self))[0])
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self._backend.id_to_token(index) for index in checked_ids(ids, len(self)) if index not in skipped]

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a piece, or the ids of many; an unknown piece has the id of the unknown token."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        found = self._backend.token_to_id(tokens)
        return self.unk_token_id if found is None else found

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens frame a text or a pair."""
        return int(self._backend.num_special_tokens_to_add(pair))

    def save_pretrained(self, folder: str | Path) -> tuple[Path, Path]:
        """Write ``tokenizer_config.json`` and ``tokenizer.json``, which transformers loads too.

        They replace the tokenizer that was there, with all its files; other files in the folder stay.
        """
        names = ("tokenizer_config.json", "tokenizer.json")
        with atomic_update(folder, replaces=VOCABULARY_FILES) as draft:
            settings = json.dumps(saved_settings(self._backend, self.traits), indent=2, ensure_ascii=False)
            (draft / names[0]).write_text(settings + "\n", encoding="utf-8")
            self._backend.save(str(draft / names[1]))
        return Path(folder) / names[0], Path(folder) / names[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all that decides which ids a text becomes; the same after saving and loading."""
        # Scores are rounded, because the library reads back the neighbour of what it wrote, in the last of 17 digits.
        state = json.loads(self._backend.to_str(), parse_float=lambda digits: f"{float(digits):.7g}")
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()

    @property
    def backend(self) -> Backend:
        """A copy of the tokenizer in the ``tokenizers`` library."""
        return Backend.from_str(self._backend.to_str())

    @property
    def vocab_size(self) -> int:
        """How many pieces there are, without those added later; ``len`` counts them too."""
        return int(self._backend.get_vocab_size(with_added_tokens=False))

    def __len__(self) -> int:
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    def __bool__(self) -> bool:
        return True

    def get_vocab(self) -> dict[str, int]:
        """Ids by piece."""
        vocabulary: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        return vocabulary

    @property
    def all_special_tokens(self) -> list[str]:
        """The special tokens, each once."""
        return list(dict.fromkeys((*self.traits.special_tokens.values(), *self.traits.additional_special_tokens)))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of the special tokens."""
        ids: list[int] = self.convert_tokens_to_ids(self.all_special_tokens)
        return ids

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """Special tokens by role."""
        return dict(self.traits.special_tokens)

    @property
    def model_max_length(self) -> int:
        """How many tokens the model can read; 10^30 where that is not known."""
        return self.traits.model_max_length

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

    def __getattr__(self, name: str) -> Any:
        role = name.removesuffix("_id")
        if role not in ROLES:
            raise AttributeError(f"A tokenizer has no attribute {name!r}.")
        token = self.traits.special_tokens.get(role)
        return token if name == role or token is None else self._backend.token_to_id(token)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            "A tokenizer does not change, because threads and models share it. "
            f"Load one with the setting: from_pretrained(…, {name}=…)."
        )

    def __repr__(self) -> str:
        limit = f"{self.model_max_length:,}" if self.model_max_length < 1e20 else "unknown"
        return f"Tokenizer({len(self):,} pieces, model_max_length {limit}, special tokens {' '.join(self.all_special_tokens)})"

    def _encode(self, inputs: list[Any], *, fast: bool, **options: Any) -> list[Encoding]:
        encode = self._backend.encode_batch_fast if fast else self._backend.encode_batch
        try:
            found: list[Encoding] = encode(inputs, **options)
        except TypeError:  # all of it is text, so some of it has no UTF-8 form
            found = encode([without_surrogates(text) for text in inputs], **options)
        return found

    def _sequence(self, encoding: Encoding, max_length: int | None, *, has_pair: bool, has_types: bool) -> TokenSequence:
        ids = encoding.ids
        types = encoding.type_ids if has_types else None
        if max_length is not None and len(ids) > max_length:
            side = self.traits.truncation_side
            kept = kept_positions(encoding.sequence_ids, max_length=max_length, side=side, has_pair=has_pair)
            ids = [ids[position] for position in kept]
            types = types and [types[position] for position in kept]
        return TokenSequence(ids, types if types and any(types) else None)

    def _fitted(self, encodings: list[Encoding], fit: Fitting, *, has_pair: bool) -> list[EncodedText]:
        """The encodings cut and padded to length."""
        cut = [EncodedText(found, fit.kept(found, self.traits.truncation_side, has_pair=has_pair)) for found in encodings]
        target = fit.target([len(text) for text in cut])
        side, token = self.traits.padding_side, self.traits.special_tokens.get("pad_token", "")
        return [EncodedText(text.source, text.kept, max(0, target - len(text)), side, token) for text in cut]

    def _columns(self, texts: list[EncodedText], names: list[str]) -> dict[str, list[list[Any]]]:
        sources = {
            "input_ids": ("ids", self.pad_token_id),
            "token_type_ids": ("type_ids", self.traits.pad_token_type_id),
            "attention_mask": ("attention_mask", 0),
            "special_tokens_mask": ("special_tokens_mask", 1),
            "offset_mapping": ("offsets", (0, 0)),
        }
        return {name: [text.column(sources[name][0], padding=sources[name][1]) for text in texts] for name in names}

    def _wants(self, name: str, asked: bool | None) -> bool:
        return name in self.traits.model_input_names if asked is None else asked

    @cached_property
    def _single_texts_have_types(self) -> bool:
        return any(self._backend.encode("a").type_ids)


def _shaped(columns: dict[str, list[list[Any]]], tensors: Tensors | None, *, many: bool) -> dict[str, Any]:
    match tensors:
        case None:
            return dict(columns) if many else {name: rows[0] for name, rows in columns.items()}
        case "np":
            return dict(as_arrays(columns))
        case "pt":
            return as_tensors(columns)
        case _:
            raise InputError(f"return_tensors is {tensors!r}; it is None for lists, 'np' for NumPy or 'pt' for torch.")

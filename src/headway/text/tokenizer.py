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
from headway.core.files import atomic_file
from headway.text.inputs import check_pairs, check_texts, without_surrogates
from headway.text.loading import load, without_padding_or_truncation
from headway.text.traits import Traits
from headway.text.truncation import kept_positions


class Tokenizer:
    """Turns texts into token ids for one model. Made by ``from_pretrained``, ``from_tokenizers`` or ``train_wordpiece``."""

    def __init__(self, backend: Backend, traits: Traits) -> None:
        self._backend = without_padding_or_truncation(backend)
        self.traits = traits

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **where: Any) -> Self:
        """The tokenizer of a folder, a shipped model or a Hub repository; keyword arguments as for ``checkpoints.locate``."""
        folder = Path(name_or_path)
        if not folder.is_dir():
            from headway.checkpoints import locate

            folder = locate(str(name_or_path), **where)
        return cls(*load(folder))

    def encode_sequences(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, max_length: int | None = None, add_special_tokens: bool = True
    ) -> list[TokenSequence]:
        """The texts, or pairs, as a model reads them: cut to ``max_length`` tokens, the longer of a pair first, and not padded.

        Type ids are None where all of them are 0.
        """
        texts = check_texts(texts)
        if pairs is not None:
            pairs = check_texts(pairs, name="pairs")
            check_pairs(texts, pairs)
        return [self._sequence(encoding, max_length, pairs is not None) for encoding in self._encode_fast(texts, pairs, add_special_tokens)]

    def _encode_fast(self, texts: list[str], pairs: list[str] | None, add_special_tokens: bool) -> list[Encoding]:
        inputs = texts if pairs is None else list(zip(texts, pairs, strict=True))
        try:
            return self._backend.encode_batch_fast(inputs, add_special_tokens=add_special_tokens)
        except TypeError:  # all are strings, so one of them cannot be UTF-8
            clean = [without_surrogates(text) for text in texts]
            clean_pairs = pairs and [without_surrogates(text) for text in pairs]
            return self._backend.encode_batch_fast(
                clean if clean_pairs is None else list(zip(clean, clean_pairs, strict=True)), add_special_tokens=add_special_tokens
            )

    def _sequence(self, encoding: Encoding, max_length: int | None, has_types: bool) -> TokenSequence:
        ids = encoding.ids
        types = encoding.type_ids if has_types else None
        if max_length is not None and len(ids) > max_length:
            kept = kept_positions(
                encoding.sequence_ids, max_length=max_length, strategy="longest_first", side=self.traits.truncation_side
            )
            ids = [ids[position] for position in kept]
            types = types and [types[position] for position in kept]
        return TokenSequence(ids, types if types and any(types) else None)

    @property
    def vocab_size(self) -> int:
        """How many pieces there are without those added later."""
        return int(self._backend.get_vocab_size(with_added_tokens=False))

    def __len__(self) -> int:
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all that decides which ids a text becomes; the same after saving and loading."""
        settings = json.loads(self._backend.to_str())
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def save_pretrained(self, folder: str | Path) -> tuple[Path, Path]:
        """Write ``tokenizer_config.json`` and ``tokenizer.json``, which transformers loads too; other files in the folder stay."""
        settings, pieces = Path(folder) / "tokenizer_config.json", Path(folder) / "tokenizer.json"
        with atomic_file(settings) as draft:
            draft.write_text(json.dumps(self.traits.to_file(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with atomic_file(pieces) as draft:
            self._backend.save(str(draft))
        return settings, pieces

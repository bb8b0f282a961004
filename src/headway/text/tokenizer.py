"""The tokenizer: text to token ids and back, never changed by a call, so that threads can share one.

The ``tokenizers`` library keeps truncation and padding as state of its object. Here that state is never set: every call cuts and
fills its own results. Tokens that are added make another state, which takes the place of the first one whole.
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tokenizers import AddedToken, Encoding
from tokenizers import Tokenizer as Backend

from headway.core.batching import TokenSequence
from headway.core.updates import atomic_update
from headway.errors import ConfigError
from headway.text.adding import with_special_tokens, with_tokens
from headway.text.batch import BatchEncoding, with_labels
from headway.text.columns import COLUMNS, named_columns
from headway.text.decoding import Decoding
from headway.text.encoded import EncodedText, selected
from headway.text.inputs import as_list, check_batch, read_inputs
from headway.text.loading import VOCABULARY_FILES, load, without_padding_or_truncation
from headway.text.loading import add_special_tokens as recognise
from headway.text.options import Fitting, fitting
from headway.text.pairing import TEXTS_AT_ONCE, Pairing
from headway.text.saving import saved_settings, vocabulary_files
from headway.text.state import State
from headway.text.tensors import Tensors, as_tensor, checked_tensors
from headway.text.traits import UNLIMITED, Traits, check_settings
from headway.text.truncation import Cut, Truncation
from headway.text.vocabulary import Vocabulary

_ADDING = threading.Lock()


class Tokenizer(Vocabulary, Decoding):
    """Turns texts into token ids for one model. Made by ``from_pretrained``, ``from_tokenizers`` or ``train_wordpiece``.

    Threads may share it: settings travel with the call. Only ``add_tokens`` and ``add_special_tokens`` change it, for the calls
    that begin afterwards.
    """

    _state: State

    def __init__(self, backend: Backend, traits: Traits, *, name_or_path: str = "") -> None:
        vars(self)["_state"] = State(without_padding_or_truncation(backend), traits, name_or_path)

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
        not exist is a ``ConfigError``. ``use_fast`` changes nothing: there is one kind of tokenizer, and it is fast.
        """
        from headway.checkpoints import locate
        from headway.checkpoints.options import settings_among

        settings = settings_among(settings)
        check_settings(settings)
        folder = locate(
            name_or_path,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            cache_dir=cache_dir,
            files="tokenizer",
        )
        return cls(*load(folder, settings), name_or_path=str(name_or_path))

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
        text: Any = None,
        text_pair: Any = None,
        *,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        truncation_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        split_special_tokens: bool = False,
        verbose: bool = True,
    ) -> BatchEncoding:
        """The inputs of a model for one text, or for a list of them: ids, type ids and attention mask by name.

        A text is a string, or with ``is_split_into_words`` a list of words; second texts come as ``text_pair``, or each entry of
        a list holds two. Values are lists, with one more level for a list of texts; ``return_tensors="np"`` or ``"pt"`` gives
        arrays, (texts, tokens).

        ``padding`` and ``truncation`` take transformers' values. A ``max_length`` by itself cuts; ``truncation=True`` by itself
        cuts to ``model_max_length``; ``truncation=False`` lets a text be longer than the model can read. With
        ``return_overflowing_tokens`` a text that is too long becomes several rows, windows that share ``stride`` tokens, and
        ``overflow_to_sample_mapping`` says of each row which text it is from. ``verbose`` changes nothing: nothing is printed.

        The ids of ``text_target``, encoded in the same way, come as ``labels``; alone it is encoded as a text is.

        Lone surrogates are read as U+FFFD. Raises ``InputError`` for what is not text, naming its place.
        """
        state, tensors = self._state, checked_tensors(return_tensors)
        fit = fitting(
            state.traits, padding=padding, truncation=truncation, max_length=max_length, stride=stride,
            pad_to_multiple_of=pad_to_multiple_of, padding_side=padding_side, truncation_side=truncation_side,
        )  # fmt: skip
        names = _wanted(
            state.traits.model_input_names, token_type_ids=return_token_type_ids, attention_mask=return_attention_mask,
            special_tokens_mask=return_special_tokens_mask, offset_mapping=return_offsets_mapping,
        )  # fmt: skip
        encoded = partial(
            _encoded, state=state, fit=fit, names=names, tensors=tensors, add_special_tokens=add_special_tokens,
            is_split_into_words=is_split_into_words, split_special_tokens=split_special_tokens,
            in_windows=return_overflowing_tokens, has_length=return_length,
        )  # fmt: skip
        if text_target is None:
            return encoded(text, text_pair)
        targets = encoded(text_target, text_pair_target)
        return targets if text is None else with_labels(encoded(text, text_pair), targets)

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        """The ids of one text or pair, in a list unless ``return_tensors`` asks for an array; options as for a call."""
        return self(text, text_pair, **options)["input_ids"]

    def encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """A call under its old name, for one text or pair."""
        return self(text, text_pair, **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Any, **options: Any) -> BatchEncoding:
        """A call under its old name, for a list of texts, or of pairs."""
        return self(as_list(batch_text_or_text_pairs, "batch_text_or_text_pairs"), **options)

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
        state, has_pair = self._state, pairs is not None
        inputs = check_batch(texts, pairs, is_split_into_words=False)
        cut = None if max_length is None else Cut(max_length=max_length, side=state.traits.truncation_side)
        is_untyped = state.untyped[has_pair]
        return [
            _sequence(encoding, cut, has_pair=has_pair, is_untyped=is_untyped)
            for start in range(0, len(inputs), TEXTS_AT_ONCE)
            for encoding in state.encode(
                inputs[start : start + TEXTS_AT_ONCE], cut=cut, fast=True, add_special_tokens=add_special_tokens
            )
        ]

    def encode_windows(
        self,
        texts: Sequence[Any],
        pairs: Sequence[Any] | None = None,
        *,
        max_length: int,
        stride: int = 0,
        strategy: Truncation = "longest_first",
        in_windows: bool = True,
        is_split_into_words: bool = False,
    ) -> list[list[EncodedText]]:
        """The windows of each text, or pair: of at most ``max_length`` tokens, of which neighbours share ``stride``.

        One that is not too long is a single window; with ``in_windows`` off only the first of each is made. They lead back to the
        characters and words of the text. ``strategy`` says which text of a pair is cut.
        """
        state = self._state
        fit = fitting(state.traits, truncation=strategy, max_length=max_length, stride=stride)
        inputs = check_batch(texts, pairs, is_split_into_words=is_split_into_words)
        found = state.encode(inputs, cut=None if in_windows else fit.cut, is_pretokenized=is_split_into_words)
        encodings, owners = state.fit(found, fit, has_pair=pairs is not None, in_windows=in_windows)
        windows: list[list[EncodedText]] = [[] for _ in inputs]
        for owner, window in zip(owners, encodings, strict=True):
            windows[owner].append(window)
        return windows

    def pairing(self, *, max_length: int) -> Pairing:
        """What joins texts into pairs of at most ``max_length`` tokens, where each text stands in many pairs."""
        return Pairing(self._state, max_length)

    def tokenize(self, text: Any, pair: Any = None, *, add_special_tokens: bool = False, **options: Any) -> list[str]:
        """The pieces of one text or pair; options as for a call."""
        return self(text, pair, add_special_tokens=add_special_tokens, **options).tokens()

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Let these be tokens of their own, whole wherever they stand in a text, and return how many of them were not so before.

        What the vocabulary lacks gets the ids from ``len(tokenizer)`` on: ``model.resize_token_embeddings(len(tokenizer))``.
        Safe while other threads tokenise: a call that has begun ends with the tokens that it began with.
        """
        with _ADDING:
            vars(self)["_state"], count = with_tokens(self._state, new_tokens, special=special_tokens)
        return count

    def add_special_tokens(self, special_tokens_dict: Mapping[str, Any], replace_additional_special_tokens: bool = True) -> int:
        """Give tokens roles, ``{"mask_token": "<fill>"}``; otherwise as ``add_tokens``.

        ``additional_special_tokens`` takes a list, which replaces the one that was there, or adds to it.
        """
        with _ADDING:
            vars(self)["_state"], count = with_special_tokens(
                self._state, special_tokens_dict, replaces_others=replace_additional_special_tokens
            )
        return count

    def train_new_from_iterator(
        self,
        text_iterator: Iterable[Any],
        vocab_size: int,
        *,
        length: int | None = None,
        new_special_tokens: Sequence[str | AddedToken] | None = None,
        special_tokens_map: Mapping[str, str] | None = None,
        min_frequency: int = 0,
        limit_alphabet: int | None = None,
        show_progress: bool = True,
    ) -> Self:
        """Another tokenizer of this kind, with at most ``vocab_size`` pieces learnt from texts, or from lists of texts.

        It normalises, splits and frames as this one does, with the same special tokens under the first ids and the same
        settings. ``special_tokens_map`` gives special tokens new names, and ``length`` says how many texts there are, for the
        bar. ``min_frequency`` is how often two pieces, or a word, must be seen; ``limit_alphabet`` how many characters there are
        at most. The same texts give the same tokenizer. A model made for this one cannot read the ids of the other.
        """
        from headway.text.relearning import Wanted, relearned

        wanted = Wanted(
            vocab_size=vocab_size, length=length, new_special_tokens=tuple(new_special_tokens or ()),
            special_tokens_map=special_tokens_map or {}, min_frequency=min_frequency, limit_alphabet=limit_alphabet,
            show_progress=show_progress,
        )  # fmt: skip
        return type(self)(*relearned(self._state, text_iterator, wanted))

    def save_pretrained(self, folder: str | Path, *, push_to_hub: bool = False, **hub: Any) -> tuple[Path, Path]:
        """Write ``tokenizer_config.json`` and ``tokenizer.json``, which transformers loads too.

        They replace the tokenizer that was there, with all its files; other files in the folder stay. With ``push_to_hub`` the
        tokenizer is published as well, and ``hub`` says where and how, as for the method of that name.
        """
        if hub and not push_to_hub:
            raise ConfigError(
                f"{', '.join(hub)} says how to publish a tokenizer. Give push_to_hub=True as well, or leave it out."
            )
        state, names = self._state, ("tokenizer_config.json", "tokenizer.json")
        with atomic_update(folder, replaces=VOCABULARY_FILES) as draft:
            settings = json.dumps(saved_settings(state.backend, state.traits), indent=2, ensure_ascii=False)
            (draft / names[0]).write_text(settings + "\n", encoding="utf-8")
            state.backend.save(str(draft / names[1]))
        if push_to_hub:
            self.push_to_hub(hub.pop("repo_id", Path(folder).name), **hub)
        return Path(folder) / names[0], Path(folder) / names[1]

    def save_vocabulary(self, folder: str | Path, filename_prefix: str | None = None) -> tuple[Path, ...]:
        """Write the pieces alone, ``vocab.txt``, or ``vocab.json`` with ``merges.txt``, and return the files.

        A prefix stands before each name, with a hyphen. Tokens that were added, and all settings, are not in these files.
        """
        return vocabulary_files(self._state.backend, folder, prefix=filename_prefix)

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Publish the tokenizer in a repository of the Hub, beside what is there; its address. ``hub`` as for models."""
        from headway.checkpoints import push_folder

        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **hub)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            "A tokenizer's settings do not change, because threads and models share it. "
            f"Load one with the setting, from_pretrained(…, {name}=…), or give it to the call where that takes it."
        )

    def __repr__(self) -> str:
        limit = f"{self.model_max_length:,}" if self.model_max_length < UNLIMITED else "unknown"
        return f"Tokenizer({len(self):,} pieces, model_max_length {limit}, special tokens {' '.join(self.all_special_tokens)})"


def _wanted(usual: Sequence[str], **asked: bool | None) -> list[str]:
    """The names of the columns that a call returns; where it does not say, those that the model takes."""
    return [name for name in COLUMNS if (name in usual if asked.get(name, True) is None else asked.get(name, True))]


def _encoded(
    text: Any,
    text_pair: Any,
    *,
    state: State,
    fit: Fitting,
    names: Sequence[str],
    tensors: Tensors | None,
    is_split_into_words: bool,
    in_windows: bool,
    has_length: bool,
    **options: bool,
) -> BatchEncoding:
    """The named columns of texts or pairs, cut or in windows, filled, and as arrays where these are asked for."""
    inputs = read_inputs(text, text_pair, is_split_into_words=is_split_into_words)
    cut = None if in_windows else fit.cut
    found = state.encode(inputs.entries, cut=cut, is_pretokenized=is_split_into_words, **options)
    encodings, texts = state.fit(found, fit, has_pair=inputs.has_pair, in_windows=in_windows)
    data = named_columns(encodings, names, is_untyped=state.untyped[inputs.has_pair], tensors=tensors)
    if not (inputs.is_batch or tensors or in_windows):
        data = {name: rows[0] for name, rows in data.items()}
    counts = {"length": list(map(len, encodings))} if has_length else {}
    counts |= {"overflow_to_sample_mapping": texts} if in_windows else {}
    return BatchEncoding({**data, **_as_asked(counts, tensors)}, encodings)


def _as_asked(counts: Mapping[str, list[int]], tensors: Tensors | None) -> dict[str, Any]:
    """Numbers of each row, in a list or as an array."""
    return {name: values if tensors is None else as_tensor(values, tensors, name=name) for name, values in counts.items()}


def _sequence(encoding: Encoding, cut: Cut | None, *, has_pair: bool, is_untyped: bool) -> TokenSequence:
    kept = None
    if cut is not None and len(encoding) > cut.max_length:
        kept = cut.kept(encoding.sequence_ids, has_pair=has_pair)
    types = None if is_untyped else selected(encoding.type_ids, kept)
    return TokenSequence(selected(encoding.ids, kept), types if types and any(types) else None)

"""Raw text as token ids on disk: tokenised once, memory-mapped afterwards, so that memory does not grow with the text.

Each file becomes a shard, a folder named by a hash of the file, the tokenizer and what is kept: ``tokens.bin`` (all documents'
ids end to end, without special tokens), ``ends.npy`` (where each document ends), where asked for ``sentences.npy`` (where each
sentence ends) and ``words.bin`` (1 where a token begins a word), and ``corpus.json``. A shard is written whole or not at all, so
a run that was killed tokenises only what is missing, and one with more files only those. A shard, or a folder of them, that
some run has made stands in the place of its file.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import numpy as np

from headway.core.files import atomic_folder
from headway.errors import DataError
from headway.tables import STANDARD_INPUT, Source
from headway.text import Tokenizer
from headway.training.documents import documents, is_table, read_documents, sentences, sources
from headway.training.pieces import SHORTEST, Pieces

__all__ = ["SHORTEST", "Corpus", "Kept", "Pieces", "documents", "tokenise_corpus"]

DOCUMENTS_AT_ONCE = 512
CHARACTERS_AT_ONCE = 1 << 22
BYTES_AT_ONCE = 1 << 20
FORMAT, FACTS = 2, "corpus.json"
TOLD = ("file", "sha256", "documents", "tokens")
"""What is told of each file."""
Sentences: TypeAlias = Literal["lines", "punctuation"]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept beside tokens and documents: where sentences end, told by lines or by punctuation; where words begin."""

    sentences: Sentences | None = None
    words: bool = False


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Tokenised documents.

    ``shards`` are memory-mapped; places count through all of them, and no document crosses from one to the next. ``ends`` says
    where each document stops, ``sentence_ends`` where each sentence does.
    """

    shards: tuple[np.ndarray, ...]
    words: tuple[np.ndarray, ...]
    firsts: np.ndarray
    ends: np.ndarray
    sentence_ends: np.ndarray
    fingerprint: str
    files: tuple[Mapping[str, Any], ...] = ()
    """Of each file its name, the SHA-256 of its bytes where it is one, and how many documents and tokens it holds."""

    @property
    def starts(self) -> np.ndarray:
        """Where each document begins."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    def read(self, start: int, stop: int) -> np.ndarray:
        """The ids from one place to another of a document."""
        shard = int(np.searchsorted(self.firsts, start, side="right")) - 1
        return self.shards[shard][start - self.firsts[shard] : stop - self.firsts[shard]].astype(np.int64)

    def word_starts(self, start: int, stop: int) -> np.ndarray | None:
        """Which of these tokens begin a word; None where that is not kept."""
        if not self.words:
            return None
        shard = int(np.searchsorted(self.firsts, start, side="right")) - 1
        return self.words[shard][start - self.firsts[shard] : stop - self.firsts[shard]].astype(bool)

    def pieces(self, *, max_length: int) -> Pieces:
        """The documents in consecutive pieces of at most ``max_length`` tokens, two of which are kept for [CLS] and [SEP]."""
        room = max_length - 2
        starts = self.starts
        counts = -(-(self.ends - starts) // room)
        document = np.repeat(np.arange(len(self.ends)), counts)
        within = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = starts[document] + within * room
        last = np.minimum(first + room, self.ends[document])
        long_enough = last - first >= SHORTEST - 2
        return Pieces(self, first[long_enough], last[long_enough], document[long_enough])


def tokenise_corpus(
    files: Sequence[str | Path] | str | Path,
    tokenizer: Tokenizer,
    folder: str | Path,
    *,
    column: str = "text",
    keep: Kept = Kept(),
    stream: Iterable[str] | None = None,
    progress: bool = True,
) -> Corpus:
    """The documents of files, or of a ``stream`` of them, as token ids, tokenised with all cores.

    A file is read from ``folder`` if that already holds it under this tokenizer, else tokenised there. Standard input (``-``) and
    a stream are read anew each time: only what they hold says whether they are the same. ``column`` is that of tables. A folder
    among the files is one of shards, which are read where they are.
    """
    folder, found = Path(folder), []
    if stream is not None:
        found.append(_from_stream(stream, tokenizer, folder, keep, name="documents"))
    words = [files] if isinstance(files, str | Path) else files
    ready = [shard for word in words if Path(word).is_dir() for shard in ready_shards(Path(word), tokenizer, keep)]
    plain = [word for word in words if not Path(word).is_dir()]
    found += ready
    for name in sources(plain) if plain or not (ready or stream is not None) else ():
        if name == STANDARD_INPUT:
            found.append(_from_stream(read_documents(name, column=column, progress=progress), tokenizer, folder, keep, name=name))
            continue
        digest = _digest(name)
        fingerprint = _fingerprint(name, digest, tokenizer, keep, column)
        shard = folder / fingerprint[:16]
        if not (shard / FACTS).exists():
            with atomic_folder(shard) as draft:
                texts = read_documents(name, column=column, progress=progress)
                facts = {"file": Path(name).name, "sha256": digest.hex(), "fingerprint": fingerprint}
                _write(draft, texts, tokenizer, keep, facts)
        found.append(shard)
    return _open(found, described=", ".join(map(str, [files] if isinstance(files, str | Path) else files)))


def ready_shards(folder: Path, tokenizer: Tokenizer, keep: Kept) -> list[Path]:
    """The shards in a folder, or the folder where it is one; those that this training could not read are a ``DataError``."""
    found = [folder] if (folder / FACTS).exists() else sorted(file.parent for file in folder.glob(f"*/{FACTS}"))
    if not found:
        raise DataError(
            f"{folder} is a folder, but none of tokenised text. Give the files in it, as '{folder}/*.txt', or what a "
            "pre-training left in OUTPUT/tokens."
        )
    for shard in found:
        facts = json.loads((shard / FACTS).read_text(encoding="utf-8"))
        if facts.get("tokenizer") != tokenizer.fingerprint:
            raise DataError(
                f"{shard} was tokenised with another tokenizer, so its numbers stand for other tokens. Give the tokenizer "
                "that it was made with, or the text itself."
            )
        kept = Kept(sentences=facts["sentences"], words=facts["words"])
        if (keep.sentences or kept.sentences) != kept.sentences or (keep.words and not kept.words):
            lacks = "words begin" if keep.words and not kept.words else "sentences end"
            raise DataError(
                f"{shard} does not say where {lacks}, which this objective or masking needs to know. Make it with the same "
                "settings (--tokenize-only), or give the text itself."
            )
    return found


def _digest(name: str) -> bytes:
    digest = hashlib.sha256()
    with Source(name).stored() as file:
        while block := file.read(BYTES_AT_ONCE):
            digest.update(block)
    return digest.digest()


def _fingerprint(name: str, digest: bytes, tokenizer: Tokenizer, keep: Kept, column: str) -> str:
    settings = [FORMAT, tokenizer.fingerprint, keep.sentences, keep.words, column if is_table(name) else None]
    return hashlib.sha256(json.dumps(settings).encode() + digest).hexdigest()


def _from_stream(texts: Iterable[str], tokenizer: Tokenizer, folder: Path, keep: Kept, *, name: str) -> Path:
    settings = json.dumps([FORMAT, tokenizer.fingerprint, keep.sentences, keep.words, name])
    shard = folder / f"stream-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"
    with atomic_folder(shard) as draft:
        _write(draft, iter(texts), tokenizer, keep, {"file": name})
    return shard


def _write(folder: Path, texts: Iterator[str], tokenizer: Tokenizer, keep: Kept, facts: dict[str, Any]) -> None:
    kind = np.dtype(np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32)
    ends, sentence_ends = array("q"), array("q")
    with (folder / "tokens.bin").open("wb") as tokens, (folder / "words.bin").open("wb") as words:
        _write_documents(texts, tokenizer, _Files(tokens, words, kind, ends, sentence_ends, keep))
    np.save(folder / "ends.npy", np.array(ends, dtype=np.int64))
    np.save(folder / "sentences.npy", np.array(sentence_ends, dtype=np.int64))
    with (folder / "tokens.bin").open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    counted = {"dtype": kind.name, "documents": len(ends), "tokens": ends[-1] if ends else 0, **asdict(keep)}
    values = {"fingerprint": content, **facts, **counted, "tokenizer": tokenizer.fingerprint}
    (folder / FACTS).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Files:
    """What a shard is written to."""

    tokens: IO[bytes]
    words: IO[bytes]
    kind: np.dtype
    ends: "array[int]"
    sentence_ends: "array[int]"
    keep: Kept


def _write_documents(texts: Iterator[str], tokenizer: Tokenizer, files: _Files) -> None:
    place = 0
    for batch in _batched(texts):
        for number, ids, words in _tokenised(batch, tokenizer, files.keep):
            place += len(ids)
            files.tokens.write(ids.astype(files.kind).tobytes())
            if words is not None:
                files.words.write(words.astype(np.uint8).tobytes())
            if files.keep.sentences is not None:
                files.sentence_ends.append(place)
            if number:
                files.ends.append(place)
            else:
                files.ends[-1] = place


def _tokenised(batch: list[str], tokenizer: Tokenizer, keep: Kept) -> Iterator[tuple[bool, np.ndarray, np.ndarray | None]]:
    """The ids of each document, or of each sentence; whether it begins a document; which ids begin a word where that is kept."""
    units, owners = batch, list(range(len(batch)))
    if keep.sentences is not None:
        parted = [sentences(document, by_line=keep.sentences == "lines") for document in batch]
        units = [sentence for document in parted for sentence in document]
        owners = [number for number, document in enumerate(parted) for _ in document]
    before = -1
    for owner, encoding in zip(owners, tokenizer.state.encode(units, fast=not keep.words, add_special_tokens=False), strict=True):
        ids = np.array(encoding.ids, dtype=np.int64)
        if len(ids):
            yield owner != before, ids, _begins(encoding.word_ids) if keep.words else None
            before = owner


def _begins(words: list[int | None]) -> np.ndarray:
    """Whether each token begins a word; what belongs to none is one by itself."""
    numbers = np.array([-1 if word is None else word for word in words])
    return np.concatenate([[True], (numbers[1:] != numbers[:-1]) | (numbers[1:] < 0)])


def _batched(items: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for item in items:
        batch.append(item)
        characters += len(item)
        if len(batch) == DOCUMENTS_AT_ONCE or characters > CHARACTERS_AT_ONCE:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _open(folders: Sequence[Path], *, described: str) -> Corpus:
    facts = [json.loads((folder / FACTS).read_text(encoding="utf-8")) for folder in folders]
    if not sum(fact["tokens"] for fact in facts):
        raise DataError(f"There is no text in {described or 'the stream'}, so there is nothing to learn from. Give some that is.")
    firsts = np.cumsum([0, *(fact["tokens"] for fact in facts)])[:-1]
    shards = tuple(_mapped(folder / "tokens.bin", fact["dtype"], fact) for folder, fact in zip(folders, facts, strict=True))
    words = tuple(
        _mapped(folder / "words.bin", "uint8", fact) for folder, fact in zip(folders, facts, strict=True) if fact["words"]
    )

    def joined(name: str) -> np.ndarray:
        return np.concatenate([np.load(folder / name) + first for folder, first in zip(folders, firsts, strict=True)])

    fingerprint = hashlib.sha256("".join(fact["fingerprint"] for fact in facts).encode()).hexdigest()
    return Corpus(
        shards=shards,
        words=words,
        firsts=firsts,
        ends=joined("ends.npy"),
        sentence_ends=joined("sentences.npy"),
        fingerprint=fingerprint,
        files=tuple({name: fact.get(name) for name in TOLD} for fact in facts),
    )


def _mapped(path: Path, kind: str, facts: dict[str, Any]) -> np.ndarray:
    found = np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.zeros(0, dtype=kind)
    if len(found) != facts["tokens"]:
        raise DataError(
            f"{path.parent} holds {len(found)} tokens where {facts['tokens']} were written. Remove the folder; the next run "
            "makes it again."
        )
    return found

"""Raw text as token ids on disk: tokenised once, memory-mapped afterwards, so that memory does not grow with the text.

A folder holds ``tokens.bin`` (all documents' ids end to end, without special tokens), ``ends.npy`` (where each document ends) and
``corpus.json``. It is written whole or not at all.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from headway.core.batching import TokenSequence
from headway.core.files import atomic_folder
from headway.errors import DataError
from headway.text import Tokenizer
from headway.text.files import check_files, read_lines

DOCUMENTS_AT_ONCE = 512
SHORTEST = 8
"""Pieces with fewer tokens are left out: there is too little around a mask to predict it from."""


@dataclass(frozen=True)
class Corpus:
    """Tokenised documents. ``tokens`` is memory-mapped, ``ends`` says where each document stops."""

    tokens: np.ndarray
    ends: np.ndarray
    fingerprint: str

    def pieces(self, *, max_length: int) -> "Pieces":
        """The documents in consecutive pieces of at most ``max_length`` tokens, two of which are kept for [CLS] and [SEP]."""
        room = max_length - 2
        starts = np.concatenate([[0], self.ends[:-1]])
        counts = -(-(self.ends - starts) // room)
        document = np.repeat(np.arange(len(self.ends)), counts)
        within = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = starts[document] + within * room
        last = np.minimum(first + room, self.ends[document])
        long_enough = last - first >= SHORTEST - 2
        return Pieces(self, first[long_enough], last[long_enough], document[long_enough])


@dataclass(frozen=True)
class Pieces:
    """Pieces of documents by where they start and stop, and which document each is from."""

    corpus: Corpus
    starts: np.ndarray
    stops: np.ndarray
    documents: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each piece, with its two special tokens."""
        return self.stops - self.starts + 2

    def read(self, index: int, *, first: int, last: int) -> TokenSequence:
        """One piece between the special tokens ``first`` and ``last``."""
        ids = self.corpus.tokens[self.starts[index] : self.stops[index]]
        return TokenSequence([first, *ids.tolist(), last])

    def of_documents(self, chosen: np.ndarray) -> "Pieces":
        """The pieces of the documents for which ``chosen``, one boolean a document, is true."""
        kept = chosen[self.documents]
        return Pieces(self.corpus, self.starts[kept], self.stops[kept], self.documents[kept])


def tokenise_corpus(files: Sequence[str | Path], tokenizer: Tokenizer, folder: str | Path, *, progress: bool = True) -> Corpus:
    """The files' documents as token ids.

    They are read from ``folder`` if it already holds these files under this tokenizer, else made there.
    """
    paths = check_files(files)
    fingerprint = _fingerprint(paths, tokenizer)
    folder = Path(folder) / fingerprint[:16]
    if not (folder / "corpus.json").exists():
        with atomic_folder(folder) as draft:
            _write(draft, paths, tokenizer, fingerprint, progress=progress)
    return _open(folder)


def documents(lines: Iterable[str]) -> Iterator[str]:
    """Documents from lines: a blank line ends one."""
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield "".join(paragraphs)
            paragraphs = []
    if paragraphs:
        yield "".join(paragraphs)


def _fingerprint(paths: Sequence[Path], tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(tokenizer.fingerprint.encode())
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _write(folder: Path, paths: Sequence[Path], tokenizer: Tokenizer, fingerprint: str, *, progress: bool) -> None:
    kind = np.dtype(np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32)
    ends: list[int] = []
    with (folder / "tokens.bin").open("wb") as file:
        for path in paths:  # a file's last document ends with the file
            _write_documents(
                documents(read_lines([path], progress=progress, doing=f"Tokenising {path.name}")), tokenizer, file, kind, ends
            )
    if not ends:
        raise DataError(
            f"There is no text in {', '.join(map(str, paths))}, so there is nothing to learn from. Give files that hold text."
        )
    np.save(folder / "ends.npy", np.array(ends, dtype=np.int64))
    facts = {
        "dtype": kind.name,
        "fingerprint": fingerprint,
        "files": [path.name for path in paths],
        "documents": len(ends),
        "tokens": ends[-1],
    }
    (folder / "corpus.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _write_documents(texts: Iterator[str], tokenizer: Tokenizer, file: IO[bytes], kind: np.dtype, ends: list[int]) -> None:
    for batch in _batched(texts, DOCUMENTS_AT_ONCE):
        for sequence in tokenizer.encode_sequences(batch, add_special_tokens=False):
            if len(sequence):
                file.write(np.array(sequence.ids, dtype=kind).tobytes())
                ends.append((ends[-1] if ends else 0) + len(sequence))


def _batched(items: Iterator[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _open(folder: Path) -> Corpus:
    facts = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    tokens = np.memmap(folder / "tokens.bin", dtype=facts["dtype"], mode="r")
    if len(tokens) != facts["tokens"]:
        raise DataError(
            f"{folder} holds {len(tokens)} tokens where {facts['tokens']} were written. Remove the folder; the next run "
            "makes it again."
        )
    return Corpus(tokens, np.load(folder / "ends.npy"), facts["fingerprint"])

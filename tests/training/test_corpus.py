"""Raw text on disk: documents whole, pieces within their documents, made once."""

import numpy as np
import pytest

from headway.errors import DataError
from headway.text import Tokenizer
from headway.training.corpus import documents, tokenise_corpus


def test_a_blank_line_ends_a_document():
    assert list(documents(["\n", "a\n", "b\n", " \n", "\n", "c"])) == ["a\nb\n", "c"]


def test_pieces_cover_each_document_in_order_and_never_cross_into_the_next(tmp_path, text_file, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    corpus = tokenise_corpus([text_file], tokenizer, tmp_path, progress=False)
    assert len(corpus.ends) == 67
    pieces = corpus.pieces(max_length=23)
    assert pieces.lengths.max() == 23
    assert pieces.lengths.min() >= 8
    texts = list(documents(text_file.read_text(encoding="utf-8").splitlines(keepends=True)))
    whole = [tokenizer.encode_sequences([text], add_special_tokens=False)[0].ids for text in texts]
    for number in range(67):
        mine = np.flatnonzero(pieces.documents == number)
        read = [token for index in mine for token in pieces.text(int(index), first=2, last=3).ids[1:-1].tolist()]
        assert list(whole[number])[: len(read)] == read
        assert len(whole[number]) - len(read) < 6  # a tail too short to learn from
    assert pieces.text(0, first=2, last=3).ids[0] == 2
    assert pieces.text(0, first=2, last=3).ids[-1] == 3


def test_text_is_tokenised_once(tmp_path, text_file, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    tokenise_corpus([text_file], tokenizer, tmp_path, progress=False)
    (folder,) = tmp_path.iterdir()
    written = (folder / "tokens.bin").stat().st_mtime_ns
    tokenise_corpus([text_file], tokenizer, tmp_path, progress=False)
    assert (folder / "tokens.bin").stat().st_mtime_ns == written


def test_documents_held_out_share_no_piece_with_the_rest(tmp_path, text_file, tokenizer_folder):
    pieces = tokenise_corpus([text_file], Tokenizer.from_pretrained(tokenizer_folder), tmp_path, progress=False).pieces(
        max_length=23
    )
    chosen = np.arange(67) % 5 == 0
    inside, outside = pieces.of_documents(chosen), pieces.of_documents(~chosen)
    assert len(inside.starts) + len(outside.starts) == len(pieces.starts)
    assert not set(inside.documents) & set(outside.documents)


def test_a_damaged_copy_is_named(tmp_path, text_file, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    tokenise_corpus([text_file], tokenizer, tmp_path, progress=False)
    (folder,) = tmp_path.iterdir()
    (folder / "tokens.bin").write_bytes((folder / "tokens.bin").read_bytes()[:-10])
    with pytest.raises(DataError, match="Remove the folder"):
        tokenise_corpus([text_file], tokenizer, tmp_path, progress=False)


def test_empty_text_is_refused(tmp_path, tokenizer_folder):
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(DataError, match="There is no text in"):
        tokenise_corpus(
            [tmp_path / "empty.txt"], Tokenizer.from_pretrained(tokenizer_folder), tmp_path / "tokens", progress=False
        )

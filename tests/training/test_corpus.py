"""Raw text on disk: documents whole, pieces within their documents, made once."""

import io
import json
import lzma

import numpy as np
import pytest

from headway.errors import DataError
from headway.text import Tokenizer, train_tokenizer
from headway.training import corpus as corpus_module
from headway.training.corpus import Kept, documents, tokenise_corpus


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


TEXTS = ["the good film was warm .\nthe song was dull .", "the bad room was cold . the story was funny !", "the trip"]


def ids_of(corpus):
    return [corpus.read(int(start), int(stop)).tolist() for start, stop in zip(corpus.starts, corpus.ends, strict=True)]


@pytest.fixture
def forms(tmp_path):
    """The same documents in every form."""
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "a.txt").write_text("\n\n".join(TEXTS))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress("\n\n".join(TEXTS).encode()))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"n": 1, "body": text}) + "\n" for text in TEXTS))
    parquet.write_table(pa.table({"body": TEXTS, "n": [1, 2, 3]}), tmp_path / "a.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.xz", "a.jsonl", "a.parquet"])
def test_documents_are_the_same_from_every_form(forms, tokenizer_folder, name):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    expected = tokenise_corpus([], tokenizer, forms / "tokens", stream=TEXTS)
    found = tokenise_corpus([forms / name], tokenizer, forms / "tokens", column="body", progress=False)
    assert ids_of(found) == ids_of(expected)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.xz", "a.jsonl", "a.parquet"])
def test_a_file_in_an_object_store_is_the_file(forms, tokenizer_folder, name):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    here = tokenise_corpus([forms / name], tokenizer, forms / "tokens", column="body", progress=False)
    there = tokenise_corpus((forms / name).as_uri(), tokenizer, forms / "tokens", column="body", progress=False)
    assert (there.fingerprint, there.files) == (here.fingerprint, here.files)  # known by what it holds: tokenised once
    anew = tokenise_corpus((forms / name).as_uri(), tokenizer, forms / "anew", column="body", progress=False)
    assert ids_of(anew) == ids_of(here)


def test_a_text_in_an_object_store_that_cannot_be_read_is_named(forms, tokenizer_folder):
    (forms / "bad.txt").write_bytes(b"good \xff")
    (forms / "bad.txt.xz").write_bytes(lzma.compress(b"good")[:-5])
    for name in ("bad.txt", "bad.txt.xz"):
        with pytest.raises(DataError, match=rf"file://.*{name} cannot be read as UTF-8 text"):
            tokenise_corpus(
                (forms / name).as_uri(), Tokenizer.from_pretrained(tokenizer_folder), forms / "tokens", progress=False
            )


def test_shards_stand_in_the_place_of_their_files(tmp_path, text_file, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    (tmp_path / "more.txt").write_text("the good song was warm\n\nthe trip was dull")
    expected = tokenise_corpus([text_file, tmp_path / "more.txt"], tokenizer, tmp_path / "made", progress=False)
    shards = sorted((tmp_path / "made").iterdir())
    for given in ([tmp_path / "made"], shards):
        found = tokenise_corpus(given, tokenizer, tmp_path / "never", progress=False)
        assert {json.dumps(file) for file in found.files} == {json.dumps(file) for file in expected.files}
        assert sorted(ids_of(found)) == sorted(ids_of(expected))
    assert not (tmp_path / "never").exists()
    one = tokenise_corpus([text_file], tokenizer, tmp_path / "made", progress=False)
    own = next(shard for shard in shards if json.loads((shard / "corpus.json").read_text())["file"] == text_file.name)
    assert tokenise_corpus(own, tokenizer, tmp_path / "never").fingerprint == one.fingerprint
    both = tokenise_corpus([own, tmp_path / "more.txt"], tokenizer, tmp_path / "made", progress=False)
    assert len(both.ends) == len(expected.ends)


def test_shards_that_this_training_cannot_read_are_refused(tmp_path, text_file, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    tokenise_corpus([text_file], tokenizer, tmp_path / "made", progress=False)
    with pytest.raises(DataError, match=r"does not say where words begin, .*--tokenize-only"):
        tokenise_corpus(tmp_path / "made", tokenizer, tmp_path, keep=Kept(words=True))
    with pytest.raises(DataError, match="does not say where sentences end"):
        tokenise_corpus(tmp_path / "made", tokenizer, tmp_path, keep=Kept(sentences="lines"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"empty is a folder, but none of tokenised text\. Give the files in it, as '.*empty/\*\.txt'"
    ):
        tokenise_corpus(tmp_path / "empty", tokenizer, tmp_path)
    train_tokenizer([text_file], vocab_size=61, progress=False).save_pretrained(tmp_path / "other")
    with pytest.raises(DataError, match=r"was tokenised with another tokenizer, .*Give the tokenizer that it was made with"):
        tokenise_corpus(tmp_path / "made", Tokenizer.from_pretrained(tmp_path / "other"), tmp_path)


def test_patterns_mean_files_and_another_file_tokenises_only_itself(forms, tokenizer_folder, monkeypatch):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    one = tokenise_corpus([forms / "a.txt"], tokenizer, forms / "tokens", progress=False)
    written = []
    real = corpus_module._write
    monkeypatch.setattr(corpus_module, "_write", lambda *given: written.append(given[-1]["file"]) or real(*given))
    both = tokenise_corpus(
        [str(forms / "a.[tj]*"), str(forms / "a.txt")], tokenizer, forms / "tokens", column="body", progress=False
    )
    assert written == ["a.jsonl", "a.txt.xz"]
    assert ids_of(both) == ids_of(one) * 3
    assert both.fingerprint != one.fingerprint
    with pytest.raises(DataError, match=r"No file matches .*b\*"):
        tokenise_corpus([str(forms / "b*")], tokenizer, forms / "tokens", progress=False)


def test_a_column_that_is_not_there_or_holds_no_text_is_named(forms, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    with pytest.raises(DataError, match=r"a.jsonl has no column 'text' with documents; it has n, body. .*--text-column"):
        tokenise_corpus([forms / "a.jsonl"], tokenizer, forms / "tokens", progress=False)
    with pytest.raises(DataError, match=r"Row 0 of a block of .*a.parquet holds a int where a document belongs"):
        tokenise_corpus([forms / "a.parquet"], tokenizer, forms / "tokens", column="n", progress=False)


def test_standard_input_is_a_stream(tmp_path, tokenizer_folder, monkeypatch):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    found = []
    for text in (TEXTS, TEXTS, TEXTS[:2]):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n\n".join(text)))
        found.append(tokenise_corpus("-", tokenizer, tmp_path, progress=False))
    assert ids_of(found[2]) == ids_of(found[0])[:2]
    assert found[0].fingerprint == found[1].fingerprint != found[2].fingerprint


def test_sentences_end_at_lines_or_at_punctuation(tmp_path, tokenizer_folder):
    tokenizer = Tokenizer.from_pretrained(tokenizer_folder)
    by_line, by_sign = (
        tokenise_corpus([], tokenizer, tmp_path, stream=TEXTS, keep=Kept(sentences=how)) for how in ("lines", "punctuation")
    )
    assert len(by_line.sentence_ends) == 2 + 1 + 1
    assert len(by_sign.sentence_ends) == 2 + 2 + 1
    assert ids_of(by_line) == ids_of(by_sign)
    assert set(by_line.ends) <= set(by_line.sentence_ends)


@pytest.mark.parametrize("algorithm", ["wordpiece", "byte-level-bpe", "unigram"])
def test_words_begin_where_the_tokenizer_says(tmp_path, text_file, algorithm):
    """Right for pieces that continue a word (##ly), for those that begin with a space (Ġ), and for marks (▁)."""
    size = {"wordpiece": 83, "byte-level-bpe": 280, "unigram": 83}[algorithm]
    tokenizer = train_tokenizer([text_file], algorithm=algorithm, vocab_size=size, progress=False)
    text = "the lovely story was unbelievably good and bright"
    corpus = tokenise_corpus([], tokenizer, tmp_path, stream=[text], keep=Kept(words=True))
    begins = corpus.word_starts(0, int(corpus.ends[0]))
    assert begins.sum() == 8 < len(begins)
    words = np.split(corpus.read(0, int(corpus.ends[0])), np.flatnonzero(begins)[1:])
    assert [tokenizer.decode(word.tolist()).strip() for word in words] == text.split()

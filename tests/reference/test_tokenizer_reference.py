"""Ids, offsets and type ids against transformers' BertTokenizerFast, on text that breaks tokenizers."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer as TheirAutoTokenizer
from transformers import BertTokenizerFast

from headway.text import AutoTokenizer, Tokenizer, train_wordpiece
from reference.hard_texts import HARD


@pytest.fixture(scope="module")
def text_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "hard.txt"
    plain = "the quick brown fox jumps over the lazy dog while unaffable readers were reading quoted words again\n"
    path.write_text(plain * 7 + "\n".join(HARD).replace("\ufeff", "") * 3, encoding="utf-8", newline="")
    return path


@pytest.fixture(scope="module", params=[True, False], ids=["lowercase", "cased"])
def folder(request, text_file, tmp_path_factory) -> Path:
    where = tmp_path_factory.mktemp("saved")
    train_wordpiece([text_file], vocab_size=701, lowercase=request.param, progress=False).save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def both(folder) -> tuple[Tokenizer, BertTokenizerFast]:
    return AutoTokenizer.from_pretrained(folder), TheirAutoTokenizer.from_pretrained(folder)


def vocabulary_folder(where: Path, pieces: list[str], **settings) -> Path:
    where.mkdir(exist_ok=True)
    (where / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    (where / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **settings}))
    (where / "config.json").write_text(json.dumps({"model_type": "bert"}))
    return where


def assert_equal(ours, theirs):
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_array_equal(np.array(ours[name], dtype=object), np.array(theirs[name], dtype=object), err_msg=name)


WORDS = ["fox", "dog", "the", "over", "lazy"]
ALL = {"return_offsets_mapping": True, "return_special_tokens_mask": True}


def test_what_we_save_transformers_loads_as_bert_with_the_same_vocabulary(both):
    ours, theirs = both
    assert type(theirs) is BertTokenizerFast
    assert ours.get_vocab() == theirs.get_vocab()
    assert (len(ours), ours.vocab_size) == (len(theirs), theirs.vocab_size)
    assert ours.all_special_tokens == theirs.all_special_tokens
    assert ours.all_special_ids == theirs.all_special_ids
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours.model_input_names == theirs.model_input_names
    assert ours.model_max_length == theirs.model_max_length
    for role in ("unk", "sep", "pad", "cls", "mask"):
        assert getattr(ours, f"{role}_token") == getattr(theirs, f"{role}_token")
        assert getattr(ours, f"{role}_token_id") == getattr(theirs, f"{role}_token_id")


@pytest.mark.parametrize("text", HARD)
def test_a_hard_text_gives_the_same_ids_offsets_and_masks(both, text):
    ours, theirs = both
    assert_equal(ours(text, **ALL), theirs(text, **ALL))
    assert ours(text).tokens() == theirs(text).tokens()
    assert ours(text).word_ids() == theirs(text).word_ids()
    assert ours.tokenize(text) == theirs.tokenize(text)
    assert ours.encode_sequences([text])[0].ids == theirs(text)["input_ids"]


def test_hard_texts_in_one_batch_and_as_pairs_are_the_same(both):
    ours, theirs = both
    others = HARD[::-1]
    assert_equal(ours(HARD, **ALL), theirs(HARD, **ALL))
    assert_equal(ours(HARD, others, **ALL), theirs(HARD, others, **ALL))
    assert_equal(ours(HARD, others, add_special_tokens=False), theirs(HARD, others, add_special_tokens=False))
    for mine, expected in zip(ours.encode_sequences(HARD, others), theirs(HARD, others)["token_type_ids"], strict=True):
        assert (mine.type_ids or [0] * len(mine)) == expected


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("padding", [False, True, "longest", "max_length", "do_not_pad"])
@pytest.mark.parametrize("truncation", [None, True, False, "longest_first", "only_first", "do_not_truncate"])
@pytest.mark.filterwarnings("ignore:.*max_length. is ignored")
def test_padding_and_truncation_are_the_same(both, folder, monkeypatch, side, padding, truncation):
    ours = AutoTokenizer.from_pretrained(folder, padding_side=side, truncation_side=side)
    theirs = both[1]
    monkeypatch.setattr(theirs, "padding_side", side)
    monkeypatch.setattr(theirs, "truncation_side", side)
    texts = [text for text in HARD if 3 < len(text) < 150]
    pairs = [text[:7] for text in texts[1:] + texts[:1]]
    options = {"padding": padding, "truncation": truncation, **ALL}
    for arguments in ([texts], [texts, pairs]):
        assert_equal(ours(*arguments, max_length=23, **options), theirs(*arguments, max_length=23, **options))
        if truncation is not None:
            even = {"pad_to_multiple_of": 8, "max_length": 24}
            assert_equal(ours(*arguments, **even, **options), theirs(*arguments, **even, **options))


@pytest.mark.parametrize("truncation", ["longest_first", "only_second"])
def test_pairs_of_any_two_lengths_are_cut_alike(both, truncation):
    ours, theirs = both
    words = random.Random(5)
    firsts = [" ".join(words.choices(WORDS, k=words.randrange(1, 12))) for _ in range(97)]
    seconds = [" ".join(words.choices(WORDS, k=words.randrange(1, 40))) for _ in range(97)]
    for max_length in (31, 38, 53):
        options = {"truncation": truncation, "max_length": max_length}
        assert_equal(ours(firsts, seconds, **options), theirs(firsts, seconds, **options))
        sequences = ours.encode_sequences(firsts, seconds, max_length=max_length)
        if truncation == "longest_first":
            expected = theirs(firsts, seconds, **options)
            assert [sequence.ids for sequence in sequences] == expected["input_ids"]
            assert [sequence.type_ids for sequence in sequences] == expected["token_type_ids"]


def test_words_that_the_caller_split_are_the_same(both):
    ours, theirs = both
    batch = [text.split(" ") for text in HARD if text.strip()]
    options = {"is_split_into_words": True, "truncation": True, "max_length": 19, **ALL}
    assert_equal(ours(batch, **options), theirs(batch, **options))
    assert_equal(ours(batch[0], **options), theirs(batch[0], **options))
    assert [ours(batch, **options).word_ids(at) for at in range(len(batch))] == [
        theirs(batch, **options).word_ids(at) for at in range(len(batch))
    ]


def test_the_way_back_from_characters_and_tokens_is_the_same(both):
    ours, theirs = both
    texts, pairs = ["Café fox  dogs", "one"], ["lazy [MASK] dog", "漢字 two"]
    mine, expected = ours(texts, pairs, padding=True), theirs(texts, pairs, padding=True)
    for batch in range(2):
        assert mine.sequence_ids(batch) == expected.sequence_ids(batch)
        for sequence, text in enumerate((texts[batch], pairs[batch])):
            for char in range(len(text)):
                assert mine.char_to_token(batch, char, sequence) == expected.char_to_token(batch, char, sequence)
        for token in range(len(mine["input_ids"][batch])):
            assert mine.token_to_chars(batch, token) == expected.token_to_chars(batch, token)


@pytest.mark.parametrize("tensors", ["np", "pt"])
def test_arrays_and_tensors_are_the_same(both, tensors):
    ours, theirs = both
    for texts in (["one", "lazy dog", ""], "one"):
        mine, expected = (
            ours(texts, padding=True, return_tensors=tensors, **ALL),
            theirs(texts, padding=True, return_tensors=tensors, **ALL),
        )
        for name, values in expected.items():
            assert type(mine[name]) is type(values)
            assert mine[name].dtype == values.dtype
            assert mine[name].shape == values.shape
            assert (mine[name] == values).all()


def test_decoding_is_the_same(both):
    ours, theirs = both
    ids = theirs(HARD)["input_ids"]
    for options in ({}, {"skip_special_tokens": True}, {"clean_up_tokenization_spaces": True}):
        assert ours.batch_decode(ids, **options) == theirs.batch_decode(ids, **options)
    assert ours.decode(np.array(ids[3])) == theirs.decode(ids[3])
    assert ours.convert_ids_to_tokens(ids[3], skip_special_tokens=True) == theirs.convert_ids_to_tokens(
        ids[3], skip_special_tokens=True
    )
    assert ours.convert_tokens_to_ids(["fox", "no such piece"]) == theirs.convert_tokens_to_ids(["fox", "no such piece"])


def test_what_transformers_saves_we_load_and_save_again_with_the_same_ids(both, tmp_path):
    first, theirs = both
    theirs.save_pretrained(tmp_path / "theirs")
    second = AutoTokenizer.from_pretrained(tmp_path / "theirs")
    assert second.fingerprint == first.fingerprint
    second.save_pretrained(tmp_path / "ours")
    again = TheirAutoTokenizer.from_pretrained(tmp_path / "ours")
    assert_equal(again(HARD), theirs(HARD))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"do_lower_case": False}, id="cased"),
        pytest.param({"do_lower_case": True, "strip_accents": False}, id="lowercase with accents"),
        pytest.param({"do_lower_case": False, "strip_accents": True}, id="cased without accents"),
        pytest.param({"tokenize_chinese_chars": False}, id="Chinese in one piece"),
        pytest.param({"mask_token": "<fill>", "model_max_length": 29, "clean_up_tokenization_spaces": True}, id="own mask token"),
        pytest.param({"additional_special_tokens": ["fox"], "padding_side": "left"}, id="another special token"),
    ],
)
def test_a_vocabulary_alone_becomes_the_tokenizer_that_transformers_makes_of_it(both, tmp_path, settings):
    pieces = sorted(both[0].get_vocab(), key=both[0].get_vocab().get)
    folder = vocabulary_folder(
        tmp_path / "vocabulary", ["<fill>" if piece == "[PAD]" else piece for piece in pieces] + ["[PAD]"], **settings
    )
    ours, theirs = AutoTokenizer.from_pretrained(folder), BertTokenizerFast.from_pretrained(folder)
    assert_equal(ours(HARD, HARD[::-1], **ALL), theirs(HARD, HARD[::-1], **ALL))
    assert_equal(ours(HARD, padding=True), theirs(HARD, padding=True))
    assert ours.batch_decode(ours(HARD).input_ids) == theirs.batch_decode(theirs(HARD)["input_ids"])
    ours.save_pretrained(tmp_path / "again")
    assert_equal(TheirAutoTokenizer.from_pretrained(tmp_path / "again")(HARD), theirs(HARD))
    assert AutoTokenizer.from_pretrained(tmp_path / "again").fingerprint == ours.fingerprint


def test_a_cased_file_without_settings_is_saved_so_that_transformers_keeps_the_case(folder, both, tmp_path):
    pieces = json.loads((folder / "tokenizer.json").read_text())
    pieces["normalizer"]["lowercase"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(pieces))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    ours = AutoTokenizer.from_pretrained(tmp_path)
    ours.save_pretrained(tmp_path / "again")
    assert TheirAutoTokenizer.from_pretrained(tmp_path / "again")("Fox").input_ids == ours("Fox", "").input_ids[:-1]
    assert ours.traits.file.get("do_lower_case") is None


def test_byte_level_tokenizers_keep_their_ids_and_offsets(tmp_path):
    """Framed with two separators and trimmed offsets, as RoBERTa's."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Backend(models.BPE())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    roles = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
    backend.train_from_iterator(
        HARD * 3, trainers.BpeTrainer(vocab_size=431, special_tokens=list(roles.values()), show_progress=False)
    )
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)
    theirs = PreTrainedTokenizerFast(tokenizer_object=backend, **roles)
    theirs.save_pretrained(tmp_path)
    options = {"truncation": True, "max_length": 17, "padding": True, **ALL}
    for ours in (AutoTokenizer.from_pretrained(tmp_path), Tokenizer.from_tokenizers(backend, **roles)):
        assert_equal(ours(HARD, **options), theirs(HARD, **options))
        assert_equal(ours(HARD, HARD[::-1], **options), theirs(HARD, HARD[::-1], **options))
        assert ours.decode(ours.encode(HARD[5]), skip_special_tokens=True) == HARD[5]


@pytest.mark.data
def test_the_published_vocabulary_gives_the_published_ids(data_folder, tmp_path):
    pieces = (data_folder / "vocab" / "bert-base-uncased" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    folder = vocabulary_folder(tmp_path / "bert", pieces)
    ours, theirs = AutoTokenizer.from_pretrained(folder), BertTokenizerFast.from_pretrained(folder)
    assert ours("hello world").input_ids == [101, 7592, 2088, 102]
    assert_equal(ours(HARD, HARD[::-1], **ALL), theirs(HARD, HARD[::-1], **ALL))
    lines = (data_folder / "trec" / "train.jsonl").read_text(encoding="utf-8").splitlines()[:997]
    assert [sequence.ids for sequence in ours.encode_sequences(lines, max_length=13)] == theirs(
        lines, truncation=True, max_length=13
    )["input_ids"]

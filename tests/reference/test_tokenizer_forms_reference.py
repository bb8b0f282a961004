"""Tokenizers built from each form of vocabulary against those that transformers' fast classes build from the same files."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers
from transformers import AddedToken, PreTrainedTokenizerFast
from transformers import AutoTokenizer as TheirAutoTokenizer

from headway.families import family
from headway.text import AutoTokenizer, Tokenizer, cutting, train_wordpiece
from headway.text.cutting import splits_at_spaces
from reference.hard_texts import HARD

# Their warning that bytes of unknown text are lost, which holds for ours too where byte_fallback is not asked for.
pytestmark = pytest.mark.filterwarnings("ignore:The sentencepiece tokenizer that you are converting:UserWarning")

LINES = [line for text in HARD for line in text.splitlines() if 3 < len(line) < 200 and "\0" not in line]
PLAIN = "the quick brown fox jumps over the lazy dog while unaffable readers were reading quoted words again"
ALL = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_token_type_ids": True}

FAIRSEQ = {"unk_id": 0, "bos_id": 1, "eos_id": 2}
DEBERTA = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "byte_fallback": True} | {
    f"{name}_piece": token for name, token in {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]"}.items()
}
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "pad_piece": "<pad>", "control_symbols": "[CLS],[SEP],[MASK]"}

MODELS = {
    "bert": ("bert", {}),
    "distilbert": ("distilbert", {}),
    "electra": ("electra", {}),
    "mpnet": ("mpnet", {}),
    "roberta": ("roberta", {}),
    "deberta": ("deberta", {}),
    "xlm-roberta": ("xlm-roberta", FAIRSEQ),
    "xlm-roberta, merges": ("xlm-roberta", FAIRSEQ | {"model_type": "bpe"}),
    "xlm-roberta, identity": ("xlm-roberta", FAIRSEQ | {"normalization_rule_name": "identity"}),
    "camembert": ("camembert", FAIRSEQ),
    "deberta-v2": ("deberta-v2", DEBERTA | {"user_defined_symbols": "fox,[X]"}),
    "deberta-v2, merges": ("deberta-v2", DEBERTA | {"model_type": "bpe", "byte_fallback": False}),
    "albert": ("albert", ALBERT | {"user_defined_symbols": '(,),",-,.,\u2013,\u00a3,\u20ac'}),
}


def wordpiece(where: Path, lines: Path, renamed: dict[str, str]) -> None:
    vocabulary = train_wordpiece([lines], vocab_size=701, progress=False).get_vocab()
    pieces = [renamed.get(piece, piece) for piece in sorted(vocabulary, key=vocabulary.__getitem__)]
    (where / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")


def byte_level(where: Path, special: list[str]) -> None:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=701, initial_alphabet=alphabet, special_tokens=special, show_progress=False)
    backend.train_from_iterator([PLAIN, *LINES] * 3, trainer)
    backend.model.save(str(where))


def spm(where: Path, **options: Any) -> None:
    written = io.BytesIO()
    usual = {"vocab_size": 701, "hard_vocab_limit": False, "character_coverage": 0.99, "num_threads": 1, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([PLAIN, *LINES] * 3), model_writer=written, **usual, **options
    )
    where.write_bytes(written.getvalue())


def write(where: Path, model_type: str, lines: Path, options: dict[str, Any]) -> Path:
    """A folder as old checkpoints of this family have it: a vocabulary, and the model's configuration."""
    where.mkdir(parents=True)
    (where / "config.json").write_text(json.dumps({"model_type": model_type}))
    roberta = {"[CLS]": "<s>", "[PAD]": "<pad>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    if model_type == "roberta":
        byte_level(where, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    elif model_type == "deberta":
        byte_level(where, ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    elif options:
        form = family(model_type).tokenizer
        spm(where / (form.files or ("sentencepiece.bpe.model",))[0], **options)
    else:
        wordpiece(where, lines, roberta if model_type == "mpnet" else {})
    return where


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """``folders("roberta")``: written once."""
    root, made = tmp_path_factory.mktemp("forms"), {}
    lines = root / "lines.txt"
    lines.write_text("\n".join([PLAIN] * 7 + LINES * 3), encoding="utf-8")

    def folder(name: str) -> Path:
        if name not in made:
            model_type, options = MODELS[name]
            made[name] = write(root / name, model_type, lines, options)
        return made[name]

    return folder


def state(backend):
    """A tokenizer as the library writes it, with its scores as written and read once: the last of 17 digits changes."""
    return json.loads(Backend.from_str(backend.to_str()).to_str())


def assert_equal(ours: Tokenizer, theirs: Any, texts: list[str] = HARD) -> None:
    assert state(ours.backend) == state(theirs.backend_tokenizer)
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours.all_special_tokens == theirs.all_special_tokens
    assert ours.all_special_ids == theirs.all_special_ids
    assert sorted(ours.model_input_names) == sorted(theirs.model_input_names)
    assert (len(ours), ours.vocab_size) == (len(theirs), theirs.vocab_size)
    assert_same_calls(ours, theirs, texts)
    assert ours.batch_decode(ours(texts).input_ids) == theirs.batch_decode(theirs(texts)["input_ids"])


def assert_same_calls(ours: Tokenizer, theirs: Any, texts: list[Any], **options: Any) -> None:
    for arguments in ((texts,), (texts, texts[::-1])):
        found, expected = ours(*arguments, **ALL, **options), theirs(*arguments, **ALL, **options)
        assert set(found) == set(expected)
        for name in expected:
            for text, mine, other in zip(texts, found[name], expected[name], strict=True):
                assert list(mine) == list(other), (name, text)
        assert [found.word_ids(at) for at in range(len(texts))] == [expected.word_ids(at) for at in range(len(texts))]


@pytest.mark.parametrize("name", MODELS)
def test_a_vocabulary_becomes_the_tokenizer_that_transformers_makes_of_it(folders, name):
    ours, theirs = AutoTokenizer.from_pretrained(folders(name)), TheirAutoTokenizer.from_pretrained(folders(name))
    class_name = family(MODELS[name][0]).tokenizer.class_name
    assert type(theirs).__name__ == f"{class_name}Fast"
    assert_equal(ours, theirs)
    assert ours.traits.clean_up_tokenization_spaces == theirs.clean_up_tokenization_spaces


@pytest.mark.parametrize("name", MODELS)
def test_what_either_saves_the_other_loads_with_the_same_ids(folders, name, tmp_path):
    ours, theirs = AutoTokenizer.from_pretrained(folders(name)), TheirAutoTokenizer.from_pretrained(folders(name))
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    assert_equal(AutoTokenizer.from_pretrained(tmp_path / "theirs"), theirs)
    assert_equal(AutoTokenizer.from_pretrained(tmp_path / "ours"), TheirAutoTokenizer.from_pretrained(tmp_path / "ours"))
    both = (AutoTokenizer.from_pretrained(tmp_path / name).fingerprint for name in ("ours", "theirs"))
    assert {*both} == {ours.fingerprint}


@pytest.mark.parametrize("older", [False, True], ids=["added_tokens_decoder", "added_tokens.json"])
@pytest.mark.parametrize("name", ["bert", "mpnet", "roberta", "deberta", "xlm-roberta", "camembert", "deberta-v2", "albert"])
def test_tokens_that_somebody_added_are_found_in_the_files_of_a_slow_tokenizer(folders, name, tmp_path, older):
    """Such a tokenizer saves a vocabulary and up to three files of settings, but no ``tokenizer.json``."""
    slow = TheirAutoTokenizer.from_pretrained(folders(name), use_fast=False)
    slow.add_tokens(["foxlike", AddedToken("Dog", single_word=True, normalized=False)])
    slow.add_special_tokens({"additional_special_tokens": ["<left>", AddedToken("<x>", lstrip=True, rstrip=True)]})
    slow.save_pretrained(tmp_path)
    assert not (tmp_path / "tokenizer.json").exists()
    shutil.copyfile(folders(name) / "config.json", tmp_path / "config.json")
    if older:
        settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
        del settings["added_tokens_decoder"], settings["additional_special_tokens"]
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    ours, theirs = AutoTokenizer.from_pretrained(tmp_path), TheirAutoTokenizer.from_pretrained(tmp_path)
    assert state(ours.backend) == state(theirs.backend_tokenizer)
    theirs.save_pretrained(tmp_path / "again")  # a token that they add twice, in two manners, acts in both until then
    theirs = TheirAutoTokenizer.from_pretrained(tmp_path / "again")
    assert_equal(ours, theirs, [*HARD, "a foxlike Dog, Dogs <x> <left> fox <x>", "<left>Dog<x>foxlike"])


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bert", {"do_lower_case": False}),
        ("bert", {"strip_accents": False, "tokenize_chinese_chars": False}),
        ("mpnet", {"do_lower_case": False, "strip_accents": True, "mask_token": "fox"}),
        ("roberta", {"add_prefix_space": True}),
        ("roberta", {"trim_offsets": False}),
        ("deberta", {"add_prefix_space": True}),
        ("xlm-roberta", {"do_lower_case": True, "unk_token": "\u2581fox"}),
        ("deberta-v2", {"do_lower_case": True, "split_by_punct": True}),
        ("albert", {"do_lower_case": False}),
        ("albert", {"keep_accents": True, "remove_space": False}),
    ],
)
def test_settings_mean_what_they_mean_to_transformers(folders, name, settings, tmp_path):
    folder = shutil.copytree(folders(name), tmp_path / "settings")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    ours, theirs = AutoTokenizer.from_pretrained(folder), TheirAutoTokenizer.from_pretrained(folder)
    assert state(ours.backend) == state(theirs.backend_tokenizer)
    assert_same_calls(ours, theirs, HARD)


@pytest.mark.parametrize("name", MODELS)
def test_words_that_the_caller_split_become_the_same_tokens(folders, name):
    prefixed = {"add_prefix_space": True} if name in ("roberta", "deberta") else {}
    ours = AutoTokenizer.from_pretrained(folders(name), **prefixed)
    theirs = TheirAutoTokenizer.from_pretrained(folders(name), **prefixed)
    batch = [text.split(" ") for text in HARD if text.strip()]
    assert_same_calls(ours, theirs, batch, is_split_into_words=True)


def test_a_tokenizer_json_of_modernbert_is_taken_as_it_is(folders, tmp_path):
    """Its class says nothing, so the model's family says what a call gives."""
    backend = TheirAutoTokenizer.from_pretrained(folders("deberta")).backend_tokenizer
    backend.normalizer = normalizers.NFC()
    roles = family("modernbert").tokenizer.special_tokens
    PreTrainedTokenizerFast(tokenizer_object=backend, **roles).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "modernbert"}')
    for prefixed in ({}, {"add_prefix_space": True}):
        ours = AutoTokenizer.from_pretrained(tmp_path, **prefixed)
        theirs = TheirAutoTokenizer.from_pretrained(tmp_path, model_input_names=ours.model_input_names, **prefixed)
        assert ours.model_input_names == ["input_ids", "attention_mask"]
        assert_equal(ours, theirs)


SOUND = [
    "The quick brown fox, unaffable; jumps",
    "",
    " ",
    " fox  the   fox ",
    "a\u00e9 \ufb01x \u6f22 \U0001f600 \u2163",
    "\u0451\u043b\u043a\u0430 ~\u0416",
]


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({}, {}),
        ({}, {"byte_fallback": True}),
        ({"add_dummy_prefix": False}, {}),
        ({"remove_extra_whitespaces": False}, {}),
        ({"remove_extra_whitespaces": False, "add_dummy_prefix": False}, {}),
        ({"split_by_whitespace": False}, {}),
        ({"model_type": "bpe"}, {"byte_fallback": True}),
    ],
    ids=lambda value: ", ".join(value) or "usual",
)
def test_what_a_file_says_of_spaces_and_bytes_holds_as_for_sentencepiece_itself(tmp_path, options, changes):
    """transformers' fast classes put a dummy prefix, join spaces and lose bytes in any case."""
    spm(tmp_path / "spm.model", **DEBERTA | options)
    ours = AutoTokenizer.from_pretrained(tmp_path, **changes)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spm.model"))
    known = [text for text in SOUND if changes or 3 not in theirs.encode(text)]
    assert known
    for text in SOUND:
        expected = theirs.encode(text)
        if not changes:  # without bytes, each stretch of unknown text is one token
            as_bytes = {theirs.piece_to_id(f"<0x{value:02X}>") for value in range(256)}
            expected = [3 if index in as_bytes else index for index in expected]
            expected = [index for at, index in enumerate(expected) if index != 3 or at == 0 or expected[at - 1] != 3]
        assert ours(text, add_special_tokens=False).input_ids == expected, text
    assert ours.decode(ours.encode(SOUND[0]), skip_special_tokens=True) == SOUND[0]


@pytest.mark.data
@pytest.mark.parametrize(("name", "model_type"), [("roberta-base", "roberta"), ("deberta-v3", "deberta-v2")])
def test_published_vocabularies_become_the_same_tokenizers(data_folder, tmp_path, name, model_type):
    folder = shutil.copytree(data_folder / "vocab" / name, tmp_path / name)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    ours, theirs = AutoTokenizer.from_pretrained(folder), TheirAutoTokenizer.from_pretrained(folder)
    lines = (data_folder / "trec" / "train.jsonl").read_text(encoding="utf-8").splitlines()[:197]
    assert (len(ours), ours.special_tokens_map) == (len(theirs), theirs.special_tokens_map)
    assert_same_calls(ours, theirs, [*HARD, *lines])
    assert ours("Hello world").input_ids == {"roberta-base": [0, 31414, 232, 2], "deberta-v3": [1, 5365, 447, 2]}[name]


@pytest.mark.parametrize("name", MODELS)
def test_windows_of_long_texts_are_the_same(folders, name):
    ours, theirs = AutoTokenizer.from_pretrained(folders(name)), TheirAutoTokenizer.from_pretrained(folders(name))
    options = {"truncation": "only_second", "max_length": 37, "stride": 11, "padding": "max_length"}
    options |= {"return_offsets_mapping": True, "return_overflowing_tokens": True, "return_special_tokens_mask": True}
    questions = [PLAIN[:9]] * len(HARD)
    found, expected = ours(questions, HARD, **options), theirs(questions, HARD, **options)
    assert dict(found) == dict(expected)
    assert len(found.input_ids) > len(HARD)
    assert [found.sequence_ids(at) for at in range(len(found.input_ids))] == [
        expected.sequence_ids(at) for at in range(len(found.input_ids))
    ]


@pytest.mark.parametrize("name", MODELS)
def test_the_beginning_of_a_long_text_gives_the_tokens_of_the_whole(folders, name, monkeypatch):
    ours = AutoTokenizer.from_pretrained(folders(name))
    assert splits_at_spaces(ours.backend)
    short = [text for text in HARD if len(text) < 150]
    texts = [" ".join(short[at:] + short[:at]) for at in range(0, len(short), 5)]
    for arguments in ([texts], [texts, texts[::-1]]):
        options = {"truncation": True, "max_length": 101, "return_offsets_mapping": True}
        monkeypatch.setattr(cutting, "CHARACTERS_PER_TOKEN", 10**6)
        whole = ours(*arguments, **options)
        monkeypatch.setattr(cutting, "CHARACTERS_PER_TOKEN", 1)
        assert ours(*arguments, **options) == whole

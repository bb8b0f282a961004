"""Tokenizers from vocabularies: which file is read in whose way, and what is said where files are not what they should be."""

import json
import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.architecture import SentencePieceForm
from headway.errors import ConfigError, TokenizerError
from headway.text import Tokenizer
from headway.text.sentencepiece import parse_sentencepiece
from headway.text.traits import SETTINGS
from headway.text.unigram import build_sentencepiece
from text.spm_messages import BYTE, CONTROL, FRAME, NORMAL, UNKNOWN, USER_DEFINED, character_map, spm

MAP = character_map({"ﬁ": "fi", "\t": " "})
WORDS = tuple((text, -1.0 - at / 8, NORMAL) for at, text in enumerate(["▁fox", "es", "▁the", "▁", "f", "i", "x", "o", "1,", ","]))
FAIRSEQ = spm((*FRAME, *WORDS), normalizer={2: MAP})
SPECIAL = (("[PAD]", 0.0, CONTROL), ("[CLS]", 0.0, CONTROL), ("[SEP]", 0.0, CONTROL), ("[UNK]", 0.0, UNKNOWN))
BERT_PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] fox ##es the é".split()
MPNET_PIECES = "<s> <pad> </s> <unk> [UNK] fox ##es the <mask>".split()
ROBERTA_PIECES = "<s> <pad> </s> <unk> f o x e s Ġ Ġf Ġfo Ġfox # ## <mask>".split()
MERGES = ["Ġ f", "Ġf o", "Ġfo x", "# #"]


def deberta(words=WORDS, **parts):
    return spm((*SPECIAL, *words), trainer={40: 3, **parts.pop("trainer", {})}, **parts)


@pytest.fixture
def folder(tmp_path):
    """``folder(name=content)``: a folder with these files; lists are lines, dictionaries JSON, ``__`` in a name is a dot."""

    def write(**files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", ".")
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text("".join(f"{line}\n" for line in content) if isinstance(content, list) else json.dumps(content))
        return tmp_path

    return write


def roberta(folder, *, merges=MERGES, pieces=ROBERTA_PIECES, **files):
    return folder(vocab__json={piece: at for at, piece in enumerate(pieces)}, merges__txt=["#version: 0.2", *merges], **files)


def load(folder, **settings):
    return Tokenizer.from_pretrained(folder, **settings)


FORMS = [
    pytest.param({"vocab__txt": BERT_PIECES}, {}, ["[CLS]", "fox", "##es", "[SEP]"], id="WordPiece"),
    pytest.param(
        {"vocab__txt": MPNET_PIECES}, {"tokenizer_class": "MPNetTokenizer"}, ["<s>", "fox", "##es", "</s>"], id="a class"
    ),
    pytest.param(
        {"vocab__txt": MPNET_PIECES}, {"tokenizer_class": "MPNetTokenizerFast"}, ["<s>", "fox", "##es", "</s>"], id="Fast"
    ),
    pytest.param(
        {"vocab__txt": MPNET_PIECES, "config__json": {"model_type": "mpnet"}}, {}, ["<s>", "fox", "##es", "</s>"], id="a type"
    ),
    pytest.param(
        {"vocab__txt": MPNET_PIECES, "config__json": {"model_type": "bert", "tokenizer_class": "MPNetTokenizer"}},
        {},
        ["<s>", "fox", "##es", "</s>"],
        id="a class in config.json",
    ),
    pytest.param({"sentencepiece__bpe__model": FAIRSEQ}, {}, ["<s>", "▁fox", "es", "</s>"], id="XLM-R by its file"),
    pytest.param({"spm__model": deberta()}, {}, ["[CLS]", "▁fox", "es", "[SEP]"], id="DeBERTa by its file"),
    pytest.param(
        {"spm__model": FAIRSEQ},
        {"tokenizer_class": "XLMRobertaTokenizer"},
        ["<s>", "▁fox", "es", "</s>"],
        id="a class, not the name",
    ),
    pytest.param(
        {"sentencepiece__bpe__model": FAIRSEQ, "config__json": {"model_type": "bert"}},
        {"tokenizer_class": "BertTokenizer"},
        ["<s>", "▁fox", "es", "</s>"],
        id="files against class and type",
    ),
]


@pytest.mark.parametrize(("files", "said", "expected"), FORMS)
def test_the_files_decide_then_the_class_then_the_models_type(folder, files, said, expected):
    assert load(folder(**files, tokenizer_config__json=said))("foxes").tokens() == expected


def test_bytes_are_merged_in_the_order_of_the_file(folder):
    tokenizer = load(roberta(folder))
    assert tokenizer("fox foxes").tokens() == ["<s>", "f", "o", "x", "Ġfox", "e", "s", "</s>"]
    assert tokenizer("fox foxes").offsets()[4] == (4, 7)  # without the space before it
    assert load(roberta(folder), add_prefix_space=True)("fox", "fox").tokens() == ["<s>", "Ġfox", "</s>", "</s>", "Ġfox", "</s>"]
    assert load(roberta(folder), trim_offsets=False)("x fox").offsets()[2] == (1, 5)
    assert tokenizer("fox", "x", return_token_type_ids=True).token_type_ids == [0] * 8


@pytest.mark.parametrize(
    "text", ["Ġ f\nĠf o\nĠfo x\n# #", "#version: 0.2\nĠ f\nĠf o\nĠfo x\n# #\n", "#version: 0.2\r\nĠ f\r\nĠf o\r\nĠfo x\r\n# #"]
)
def test_no_merge_is_lost_at_the_ends_of_the_file(folder, text):
    """transformers leaves out the first line, whatever it is, and the last one if no line end follows it."""
    where = roberta(folder)
    (where / "merges.txt").write_text(text, encoding="utf-8", newline="")
    assert load(where)("x fox ##").tokens() == ["<s>", "x", "Ġfox", "Ġ", "##", "</s>"]


def test_a_multilingual_tokenizer_of_a_bert_model_keeps_its_own_form(folder):
    """As in paraphrase-multilingual-MiniLM-L12-v2: what the model is says nothing of its pieces."""
    config = {"model_type": "bert", "max_position_embeddings": 41}
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": True, "cls_token": "<s>", "sep_token": "</s>"}
    where = folder(sentencepiece__bpe__model=FAIRSEQ, config__json=config, tokenizer_config__json=said)
    tokenizer = load(where)
    assert tokenizer("the Fox").input_ids == [0, 6, 7, 3, 11, 10, 2]
    assert (tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.mask_token_id, tokenizer.model_max_length) == (0, 1, 14, 41)
    tokenizer.save_pretrained(where)
    assert sorted(path.name for path in where.iterdir()) == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    assert load(where)("the Fox").input_ids == [0, 6, 7, 3, 11, 10, 2]


def test_fairseq_numbers_four_tokens_first_and_the_mask_last(folder):
    tokenizer = load(folder(sentencepiece__bpe__model=FAIRSEQ))
    assert tokenizer.convert_ids_to_tokens(range(5)) == ["<s>", "<pad>", "</s>", "<unk>", "▁fox"]
    assert (tokenizer.mask_token_id, len(tokenizer)) == (14, 15)
    assert tokenizer("fox <mask>").input_ids == [0, 4, 14, 2]  # the mask takes the space before it
    assert tokenizer("ﬁ").tokens() == ["<s>", "▁", "f", "i", "</s>"]


def test_camemberts_numbers_start_with_tokens_that_nobody_uses(folder):
    tokenizer = load(folder(sentencepiece__bpe__model=FAIRSEQ, config__json={"model_type": "camembert"}))
    assert tokenizer("foxes").input_ids == [5, 7, 8, 6]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.mask_token_id) == (1, 3, 17)
    assert "<unk>NOTUSED" in tokenizer.all_special_tokens


def test_a_mask_that_debertas_file_lacks_follows_its_pieces(folder):
    tokenizer = load(folder(spm__model=deberta()))
    assert (tokenizer.mask_token_id, len(tokenizer), tokenizer.vocab_size) == (14, 15, 14)
    assert tokenizer("fox[MASK]", "the").token_type_ids == [0, 0, 0, 0, 1, 1]


def test_a_sentencepiece_file_is_taken_at_its_word_about_spaces(folder):
    def tokens(text, **parts):
        return load(folder(spm__model=deberta(**parts)))(text, add_special_tokens=False).tokens()

    assert tokens(" fox  fox ") == ["▁fox", "▁fox"]
    assert tokens(" fox  fox ", normalizer={4: 0}) == ["▁", "▁fox", "▁", "▁fox", "▁"]
    assert tokens("fox fox", normalizer={3: 0}) == ["f", "o", "x", "▁fox"]
    whole = ("▁fox▁fox", -0.5, NORMAL)
    assert tokens("fox fox", words=(*WORDS, whole)) == ["▁fox", "▁fox"]
    assert tokens("fox fox", words=(*WORDS, whole), trainer={22: 0}) == ["▁fox▁fox"]


def test_user_defined_pieces_are_found_before_anything_else(folder):
    tokenizer = load(folder(spm__model=deberta(words=(*WORDS, ("oxe", 0.0, USER_DEFINED)))))
    assert tokenizer("foxes", add_special_tokens=False).tokens() == ["▁", "f", "oxe", "▁", "s"]
    assert "oxe" not in tokenizer.all_special_tokens
    assert tokenizer.decode(tokenizer.encode("fox[CLS]oxe"), skip_special_tokens=True) == "foxoxe"


def test_a_model_of_merges_in_a_sentencepiece_file(folder):
    merged = [("▁f", -0.0, NORMAL), ("ox", -1.0, NORMAL), ("▁fox", -2.0, NORMAL), *((text, -9.0, NORMAL) for text in "▁fox")]
    tokenizer = load(folder(spm__model=deberta(words=merged, trainer={3: 2})))
    assert tokenizer("fox of  zz", add_special_tokens=False).tokens() == ["▁fox", "▁", "o", "f", "▁", "[UNK]"]


def test_bytes_stand_for_what_no_piece_covers_if_that_is_asked_for(folder):
    letters = [(f"<0x{value:02X}>", 0.0, BYTE) for value in range(256)]
    where = folder(spm__model=deberta(words=(*WORDS, *letters)))
    assert load(where)("fox ß").input_ids == [1, 4, 7, 3, 2]
    exact = load(where, byte_fallback=True)
    assert exact("fox ß", add_special_tokens=False).tokens() == ["▁fox", "▁", "<0xC3>", "<0x9F>"]
    assert exact.decode(exact.encode("fox ß"), skip_special_tokens=True) == "fox ß"
    with pytest.raises(ConfigError, match=r"byte_fallback=True needs pieces for single bytes, but .*spm.model has none"):
        load(folder(spm__model=deberta()), byte_fallback=True)


def test_punctuation_stands_alone_if_that_is_asked_for(folder):
    where = folder(spm__model=deberta())
    assert load(where)("1,", add_special_tokens=False).tokens() == ["▁", "1,"]
    assert load(where, split_by_punct=True)("1,", add_special_tokens=False).tokens() == ["▁", "1", "▁", ","]


def test_case_and_accents_follow_the_settings(folder):
    where = folder(vocab__txt=BERT_PIECES)
    assert load(where)("Foxes É").tokens() == ["[CLS]", "fox", "##es", "[UNK]", "[SEP]"]
    assert load(where, strip_accents=False)("É").tokens() == ["[CLS]", "é", "[SEP]"]
    assert load(where, do_lower_case=False)("Foxes é").tokens() == ["[CLS]", "[UNK]", "é", "[SEP]"]


@pytest.mark.parametrize(("avoids", "expected"), [(False, ["▁", "1,"]), (True, ["▁", "1", ","])])
def test_a_family_may_avoid_pieces_of_a_digit_with_a_comma(avoids, expected):
    """As ALBERT's does, so that a number is the same wherever it stands in a list."""
    model = parse_sentencepiece(deberta(words=(*WORDS, ("1", -9.0, NORMAL))))
    form = SentencePieceForm(normalization=(), avoids_digits_with_comma=avoids)
    backend, _ = build_sentencepiece(model, form, lowercase=False, settings={}, path=Path("spm.model"))
    assert backend.encode("1,").tokens == expected


@pytest.mark.parametrize("saved", [False, True], ids=["built", "tokenizer.json"])
def test_a_caller_changes_how_a_tokenizer_reads_a_text(folder, saved):
    where = roberta(folder)
    if saved:
        load(where).save_pretrained(where)
    assert load(where)(["fox", "x"], is_split_into_words=True).tokens() == ["<s>", "f", "o", "x", "x", "</s>"]
    changed = load(where, add_prefix_space=True)
    assert changed(["fox", "fox"], is_split_into_words=True).tokens() == ["<s>", "Ġfox", "Ġfox", "</s>"]
    changed.save_pretrained(where)
    assert load(where)("fox").tokens() == ["<s>", "Ġfox", "</s>"]
    assert json.loads((where / "tokenizer_config.json").read_text())["add_prefix_space"] is True


def test_a_caller_changes_the_case_of_a_saved_tokenizer(folder):
    where = folder(vocab__txt=BERT_PIECES)
    load(where).save_pretrained(where)
    cased = load(where, do_lower_case=False, strip_accents=False)
    assert cased("Fox é").tokens() == ["[CLS]", "[UNK]", "é", "[SEP]"]
    assert load(where)("Fox").tokens() == ["[CLS]", "fox", "[SEP]"]


@pytest.mark.parametrize(
    ("files", "changes", "message"),
    [
        ({"vocab__txt": BERT_PIECES}, {"trim_offsets": True}, "trim_offsets=True changes nothing about this tokenizer"),
        ({"vocab__txt": BERT_PIECES}, {"keep_accents": True}, "keep_accents=True changes nothing"),
        ({"sentencepiece__bpe__model": FAIRSEQ}, {"do_lower_case": True}, "do_lower_case=True changes nothing"),
        (
            {"sentencepiece__bpe__model": FAIRSEQ},
            {"split_by_punct": True},
            "split_by_punct=True changes nothing.*without tokenizer.json",
        ),
    ],
)
@pytest.mark.parametrize("saved", [False, True], ids=["built", "tokenizer.json"])
def test_a_setting_that_would_change_nothing_is_refused(folder, files, changes, message, saved):
    where = folder(**files)
    if saved:
        load(where).save_pretrained(where)
    with pytest.raises(ConfigError, match=message):
        load(where, **changes)
    assert load(where, **dict.fromkeys(changes, False))  # what is off stays off


def test_a_space_before_the_first_word_is_no_news_to_most_tokenizers(folder):
    """Scripts for token classification ask for it whatever the model is."""
    where = folder(vocab__txt=BERT_PIECES)
    assert load(where, add_prefix_space=True)("fox").tokens() == ["[CLS]", "fox", "[SEP]"]


def test_lowercasing_in_tokenizer_json_cannot_be_switched_off(folder):
    where = folder(spm__model=deberta(), tokenizer_config__json={"do_lower_case": True})
    load(where).save_pretrained(where)
    assert load(where, do_lower_case=True)("FOX").tokens() == ["[CLS]", "▁fox", "[SEP]"]
    with pytest.raises(ConfigError, match=r"do_lower_case=False cannot be had: this tokenizer.json lowercases"):
        load(where, do_lower_case=False)


@pytest.mark.parametrize(
    ("files", "config", "expected"),
    [
        (
            {"sentencepiece__bpe__model": FAIRSEQ},
            {"model_type": "xlm-roberta", "max_position_embeddings": 41, "pad_token_id": 1},
            39,
        ),
        ({"sentencepiece__bpe__model": FAIRSEQ}, {"model_type": "bert", "max_position_embeddings": 41}, 41),
        ({"vocab__txt": MPNET_PIECES}, {"model_type": "mpnet", "max_position_embeddings": 41}, 39),
        ({"vocab__txt": BERT_PIECES}, {"model_type": "albatross", "max_position_embeddings": 41}, 41),
        ({"vocab__txt": BERT_PIECES}, {"model_type": "bert", "max_position_embeddings": 41, "hidden_act": "sine"}, 41),
    ],
    ids=["XLM-R", "XLM-R's pieces, BERT's positions", "MPNet", "an unknown model", "a model that cannot be computed"],
)
def test_a_text_may_be_as_long_as_the_model_has_positions_for_it(folder, files, config, expected):
    assert load(folder(**files, config__json=config)).model_max_length == expected


TOKEN = {"content": "<x>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}
MASK = {"content": "[MASK]", "special": True}


@pytest.mark.parametrize(
    "files",
    [
        {"added_tokens__json": {"<x>": 15, "[MASK]": 14}, "special_tokens_map__json": {"additional_special_tokens": [TOKEN]}},
        {"tokenizer_config__json": {"added_tokens_decoder": {"15": {**TOKEN, "special": True}, "14": MASK}}},
        {"tokenizer_config__json": {"extra_special_tokens": [TOKEN]}},
        {"tokenizer_config__json": {"extra_special_tokens": {"image_token": TOKEN}}},
    ],
    ids=["added_tokens.json", "added_tokens_decoder", "a list of extra tokens", "extra tokens by name"],
)
def test_tokens_are_added_in_each_form_that_settings_have(folder, files):
    tokenizer = load(folder(spm__model=deberta(), **files))
    assert tokenizer("fox <x>fox[MASK]", add_special_tokens=False).input_ids == [4, 15, 4, 14]
    assert tokenizer("fox <x>").offsets()[2] == (3, 7)  # with the space before it
    assert tokenizer.decode([4, 15], skip_special_tokens=True) == "fox"
    assert len(tokenizer) == 16


def test_the_older_file_of_special_tokens_counts_where_the_newer_one_says_nothing_of_added_tokens(folder):
    older = {"mask_token": {"content": "es", "lstrip": True}}
    assert (
        load(
            folder(spm__model=deberta(), special_tokens_map__json=older, tokenizer_config__json={"mask_token": "fox"})
        ).mask_token
        == "es"
    )
    newer = {"mask_token": "▁fox", "added_tokens_decoder": {}}
    assert load(folder(spm__model=deberta(), special_tokens_map__json=older, tokenizer_config__json=newer)).mask_token == "▁fox"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(
            {"added_tokens__json": {"<x>": 99}},
            r"'<x>' the id 99, but behind the pieces in .*spm.model it has the id 14",
            id="a gap",
        ),
        pytest.param({"added_tokens__json": {"▁fox": 14}}, r"'▁fox' the id 14, but .* the id 4", id="a piece with another id"),
        pytest.param({"added_tokens__json": {"<x>": "last"}}, r"does not hold tokens by id: .*'last'.*Save", id="no number"),
        pytest.param(
            {"added_tokens__json": {"<x>": 15, "<y>": 15}}, "does not hold tokens by id: two have the same id", id="an id twice"
        ),
        pytest.param({"added_tokens__json": {"<x>": [15]}}, "does not hold tokens by id", id="a list for an id"),
        pytest.param(
            {"tokenizer_config__json": {"do_lower_case": "no"}}, "do_lower_case is 'no'.* true or false", id="no switch"
        ),
        pytest.param(
            {"tokenizer_config__json": {"model_input_names": "input_ids"}}, "'input_ids'.* a list of names", id="no names"
        ),
        pytest.param({"tokenizer_config__json": {"tokenizer_class": 3}}, "tokenizer_class is 3 .* a name", id="no class"),
        pytest.param({"config__json": {"tokenizer_class": 3}}, "names the tokenizer class '3'", id="no class in config.json"),
        pytest.param(
            {"added_tokens__json": b'{"\\ud800": 15}'}, "added_tokens.json is not valid JSON.*surrogates", id="half a character"
        ),
        pytest.param({"tokenizer_config__json": {"added_tokens_decoder": ["<x>"]}}, "does not hold tokens by id", id="a list"),
        pytest.param({"tokenizer_config__json": {"added_tokens_decoder": {"14": 3}}}, "gives 3 as a special token", id="no text"),
        pytest.param({"tokenizer_config__json": {"additional_special_tokens": "<x>"}}, "is no list of tokens", id="no list"),
        pytest.param(
            {"tokenizer_config__json": {"model_max_length": "many"}}, "model_max_length is 'many'.*a number", id="no length"
        ),
        pytest.param(
            {"tokenizer_config__json": {"pad_token_type_id": -1}}, "pad_token_type_id is -1.*not below zero", id="no type"
        ),
        pytest.param({"tokenizer_config__json": b"[" * 100_000}, "tokenizer_config.json is not valid JSON", id="too deep"),
        pytest.param(
            {"tokenizer_config__json": {"tokenizer_class": "XLNetTokenizer"}},
            r"class 'XLNetTokenizer', whose way .*BertTokenizer, .*save",
            id="another class",
        ),
        pytest.param(
            {"config__json": {"model_type": "modernbert"}},
            "has no tokenizer.json, and a vocabulary alone does not say",
            id="ModernBERT",
        ),
    ],
)
def test_settings_that_cannot_be_followed_are_named(folder, files, message):
    with pytest.raises(TokenizerError, match=f"(?s){message}"):
        load(folder(spm__model=deberta(), **files))


WRONG = [
    pytest.param({"vocab__txt": [*BERT_PIECES, "fox"]}, r"Line 10 of .*vocab.txt repeats line 6 \('fox'\)", id="a line twice"),
    pytest.param({"vocab__json": {}}, "vocab.json lies there without merges.txt", id="no merges"),
    pytest.param({"vocab__json": b'["a"]', "merges__txt": []}, "vocab.json is not an object with a whole number", id="a list"),
    pytest.param({"vocab__json": b"{", "merges__txt": []}, "vocab.json is not valid JSON", id="half a file"),
    pytest.param({"vocab__json": b"[" * 100_000, "merges__txt": []}, "vocab.json is not valid JSON", id="too deep"),
    pytest.param({"vocab__json": {"a": 1.5}, "merges__txt": []}, "not an object with a whole number", id="half an id"),
    pytest.param({"vocab__json": {"a": True}, "merges__txt": []}, "not an object with a whole number", id="yes for an id"),
    pytest.param({"vocab__json": {"a": -1}, "merges__txt": []}, "not an object with a whole number", id="an id below zero"),
    pytest.param({"vocab__json": {"a": 2**31}, "merges__txt": []}, "not an object with a whole number", id="an id beyond all"),
    pytest.param(
        {"vocab__json": b'{"\\udc00": 0}', "merges__txt": []}, "not an object with a whole number", id="half a character"
    ),
    pytest.param({"vocab__json": b'{"a": 0, "a": 1}', "merges__txt": []}, "has the piece 'a' more than once", id="a piece twice"),
    pytest.param({"vocab__json": {"a": 0, "b": 0}, "merges__txt": []}, "has the id 0 more than once", id="an id twice"),
    pytest.param({"vocab__json": {"a": 0}, "merges__txt": b"\xff"}, "merges.txt is not UTF-8 text", id="not text"),
    pytest.param(
        {"vocab__json": {"a": 0, "aa": 1}, "merges__txt": ["aa"]}, "Line 1 of .*merges.txt is 'aa', but a merge", id="no space"
    ),
    pytest.param(
        {"vocab__json": {"a": 0, "b": 1}, "merges__txt": ["a b"]}, "Line 1 .* 'a b', but .* in vocab.json", id="unknown"
    ),
    pytest.param(
        {"vocab__json": {"a": 0, "aa": 1}, "merges__txt": ["a a", "a a"]}, "Line 2 .* repeats line 1 .*'a a'", id="a merge twice"
    ),
    pytest.param(
        {"vocab__json": {"a": 0}, "merges__txt": []},
        "vocab.json lacks the special tokens <s>, </s>, <unk>, <pad>, <mask>",
        id="no frame",
    ),
    pytest.param(
        {"spm__model": FAIRSEQ},
        r"spm.model lacks the special tokens \[CLS\], \[SEP\], \[UNK\], \[PAD\],",
        id="other special tokens",
    ),
    pytest.param(
        {"sentencepiece__bpe__model": deberta()},
        r"starts with the pieces '\[PAD\]', .* the first 3 .*tokenizer_class",
        id="DeBERTa's pieces",
    ),
    pytest.param(
        {"sentencepiece__bpe__model": spm((*FRAME, ("<mask>", 0.0, CONTROL)))},
        "'<mask>' not be in the file",
        id="a mask of its own",
    ),
    pytest.param({"spm__model": deberta(trainer={3: 3})}, "its algorithm is 'word'", id="words"),
    pytest.param({"spm__model": deberta(trainer={24: 1})}, "its pieces hold the spaces after words", id="spaces last"),
    pytest.param({"spm__model": deberta(normalizer={5: 0})}, "its pieces hold spaces themselves", id="spaces as they are"),
]


@pytest.mark.parametrize(("files", "message"), WRONG)
def test_files_that_are_no_vocabulary_are_named(folder, files, message):
    with pytest.raises(TokenizerError, match=f"(?s){message}"):
        load(folder(**files))


def test_blank_lines_at_the_end_of_a_vocabulary_are_no_harm(folder):
    assert load(folder(vocab__txt=[*BERT_PIECES, "", ""]))("fox").input_ids == [2, 5, 3]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"vocab__txt": BERT_PIECES}, "BertTokenizer"),
        ({"vocab__txt": MPNET_PIECES, "config__json": {"model_type": "mpnet"}}, "MPNetTokenizer"),
        ({"spm__model": deberta()}, "PreTrainedTokenizerFast"),
        (
            {"sentencepiece__bpe__model": FAIRSEQ, "tokenizer_config__json": {"tokenizer_class": "BertTokenizer"}},
            "PreTrainedTokenizerFast",
        ),
    ],
    ids=["BERT", "MPNet", "DeBERTa", "XLM-R of a BERT"],
)
def test_a_tokenizer_is_saved_under_a_class_that_leaves_it_as_it_is(folder, files, expected):
    """transformers 5 builds the others anew: DeBERTa-v3 loses its normalisation, DeBERTa's pairs lose their types."""
    where = folder(**files)
    load(where).save_pretrained(where)
    assert json.loads((where / "tokenizer_config.json").read_text())["tokenizer_class"] == expected


def test_a_class_that_does_not_fit_the_pieces_is_not_saved_again(folder):
    where = folder(sentencepiece__bpe__model=FAIRSEQ)
    load(where).save_pretrained(where)
    folder(tokenizer_config__json={"tokenizer_class": "BertTokenizer", "cls_token": "<s>"})
    load(where).save_pretrained(where)
    assert json.loads((where / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_a_tokenizer_json_with_a_damaged_character_map_is_refused(folder):
    where = folder(sentencepiece__bpe__model=FAIRSEQ)
    load(where).save_pretrained(where)
    saved = json.loads((where / "tokenizer.json").read_text())
    saved["normalizer"]["normalizers"][0]["precompiled_charsmap"] = "BAAAAAAABAAAAA=="
    (where / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(TokenizerError, match=r"tokenizer.json is damaged: its character map points outside of itself"):
        load(where)


def at(value, path):
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("normalizer normalizers 1 precompiled_charsmap", "%"),
        ("post_processor special_tokens", {}),
        ("post_processor single 0 SpecialToken id", "<cls>"),
        ("model vocab", []),
        ("model unk_id", 99),
        ("pre_tokenizer", "Metaspace"),
    ],
)
def test_a_tokenizer_json_that_the_library_cannot_use_is_refused(folder, path, value):
    """Some of these the library meets with a panic, in the first text or before."""
    where = folder(spm__model=deberta(normalizer={2: MAP}))
    load(where).save_pretrained(where)
    saved = json.loads((where / "tokenizer.json").read_text())
    *way, last = (int(step) if step.isdigit() else step for step in path.split())
    at(saved, way)[last] = value
    (where / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(TokenizerError, match=r"tokenizer.json is not a tokenizer file \(.*again"):
        load(where)


JUNK = st.one_of(
    st.sampled_from([None, True, -1, 3, 2**70, 1e308, float("inf"), float("nan"), "", "left", "[CLS]", "\x00", "\ud800", "fox"]),
    st.sampled_from(
        [[], {}, ["a"], [1], [["a"]], {"content": "<x>"}, {"content": ""}, [{"content": "<x>"}], {"14": {"content": "<x>"}}]
    ),
    st.sampled_from([{"a": "<x>"}, {"-5": {"content": "<x>"}}, {"9" * 5000: {"content": "<x>"}}, {"14": {"content": "▁fox"}}]),
)


@given(
    st.dictionaries(st.sampled_from([*sorted(SETTINGS), "added_tokens_decoder", "tokenizer_class"]), JUNK, max_size=3),
    st.booleans(),
)
@settings(max_examples=200)
def test_whatever_the_settings_say_there_is_a_tokenizer_or_an_error_of_ours(tmp_path_factory, said, saved):
    where = tmp_path_factory.getbasetemp() / f"any settings, {saved}"
    if not where.exists():
        where.mkdir()
        (where / "spm.model").write_bytes(deberta())
        if saved:
            load(where).save_pretrained(where)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (where / name).write_text(json.dumps(said))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of contradictions
        try:
            tokenizer = load(where)
        except TokenizerError:
            return
    assert tokenizer(["a fox", ""], ["x", "the"]).input_ids
    tokenizer.save_pretrained(where / "again")
    assert load(where / "again")("fox").input_ids == tokenizer("fox").input_ids


@given(st.text(max_size=60), st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_in_the_files_is_a_tokenizer_or_an_error_of_ours(tmp_path_factory, pieces, merges):
    where = tmp_path_factory.mktemp("any")
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    for name, content in (("vocab.json", pieces), ("merges.txt", merges), ("vocab.txt", merges)):
        (where / name).write_text(content, encoding="utf-8", errors="surrogatepass")
        with pytest.raises(TokenizerError):
            load(where)


def test_a_whole_file_of_a_general_class_gets_no_tokens_of_its_familys_class(folder):
    """CamembertTokenizer has tokens of its own, which a tokenizer.json without them was not made with."""
    from tokenizers import Tokenizer as Backend
    from tokenizers.models import WordLevel

    whole = json.loads(Backend(WordLevel({"<unk>": 0, "fox": 1}, unk_token="<unk>")).to_str())
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
    place = folder(tokenizer__json=whole, tokenizer_config__json=settings, config__json={"model_type": "camembert"})
    assert len(load(place)) == 2

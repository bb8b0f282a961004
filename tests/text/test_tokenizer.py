"""A tokenizer as a thing: loaded, saved, asked about itself, and never changed."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from headway.errors import CheckpointError, ConfigError, InputError, TokenizerError
from headway.text import AutoTokenizer, Tokenizer, train_wordpiece

FOX = "The unaffable fox, naïve Café 漢字!"


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_saving_and_loading_keeps_ids_names_and_fingerprint(tokenizer, saved):
    again = AutoTokenizer.from_pretrained(str(saved))
    assert type(again) is Tokenizer
    assert again(FOX) == tokenizer(FOX)
    assert again.fingerprint == tokenizer.fingerprint
    assert len(again.fingerprint) == 64
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert sorted(path.name for path in saved.iterdir()) == ["tokenizer.json", "tokenizer_config.json"]


def test_the_fingerprint_is_the_same_in_another_process(tokenizer, saved):
    code = f"from headway.text import AutoTokenizer; print(AutoTokenizer.from_pretrained({str(saved)!r}).fingerprint)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == tokenizer.fingerprint


def test_another_vocabulary_or_another_normalisation_has_another_fingerprint(tokenizer, text_file):
    smaller = train_wordpiece([text_file], vocab_size=149, progress=False)
    cased = train_wordpiece([text_file], vocab_size=163, lowercase=False, progress=False)
    assert len({tokenizer.fingerprint, smaller.fingerprint, cased.fingerprint}) == 3


def test_saving_replaces_the_tokenizer_that_was_there_and_nothing_else(tokenizer, tmp_path):
    for name in ("vocab.txt", "special_tokens_map.json", "added_tokens.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_text("{}")
    assert tokenizer.save_pretrained(tmp_path) == (tmp_path / "tokenizer_config.json", tmp_path / "tokenizer.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_truncation_and_padding_baked_into_the_file_are_ignored(tokenizer, saved):
    backend = tokenizer.backend
    backend.enable_truncation(5)
    backend.enable_padding(length=19)
    backend.save(str(saved / "tokenizer.json"))
    again = AutoTokenizer.from_pretrained(saved)
    assert again(FOX) == tokenizer(FOX)
    assert again.fingerprint == tokenizer.fingerprint
    assert Tokenizer.from_tokenizers(backend)(FOX) == tokenizer(FOX)


def test_a_tokenizer_made_from_the_library_is_a_copy(tokenizer):
    backend = tokenizer.backend
    ours = Tokenizer.from_tokenizers(backend, mask_token="[MASK]", pad_token="[PAD]", model_max_length=43)
    backend.add_tokens(["unaffable"])
    backend.enable_truncation(3)
    assert ours(FOX) == tokenizer(FOX)
    assert (ours.mask_token_id, ours.pad_token_id, ours.cls_token, ours.model_max_length) == (4, 0, None, 43)


@pytest.mark.parametrize(
    ("said", "positions", "expected"),
    [
        pytest.param(None, None, 512, id="as long as the family's usually"),
        pytest.param(None, 41, 41, id="only the model's"),
        pytest.param(10**30, 41, 41, id="written as unlimited"),
        pytest.param(1e30, 41, 41, id="written as a float"),
        pytest.param(29, 41, 29, id="the tokenizer's is smaller"),
        pytest.param(512, 41, 41, id="more than the model can read"),
    ],
)
def test_the_greatest_length_is_never_more_than_the_model_can_read(saved, said, positions, expected):
    rewrite(saved / "tokenizer_config.json", model_max_length=said)
    (saved / "config.json").write_text(
        json.dumps({"model_type": "bert"} | ({"max_position_embeddings": positions} if positions else {}))
    )
    assert AutoTokenizer.from_pretrained(saved).model_max_length == pytest.approx(expected)


def test_without_a_model_beside_it_the_greatest_length_is_not_known(saved):
    rewrite(saved / "tokenizer_config.json", model_max_length=None)
    assert AutoTokenizer.from_pretrained(saved).model_max_length >= 10**29


def test_settings_given_while_loading_win_over_the_file(saved):
    loaded = AutoTokenizer.from_pretrained(saved, model_max_length=37, padding_side="left", truncation_side="left")
    assert (loaded.model_max_length, loaded.padding_side, loaded.truncation_side) == (37, "left", "left")
    assert loaded(["fox", "the lazy dog"], padding=True).attention_mask[0] == [0, 0, 1, 1, 1]


def test_settings_that_do_not_exist_are_refused_with_the_nearest_one(tokenizer, saved):
    with pytest.raises(ConfigError, match=r"no setting 'padding_sid'. Did you mean 'padding_side'\?"):
        AutoTokenizer.from_pretrained(saved, padding_sid="left")
    with pytest.raises(ConfigError, match=r"no setting 'mask'"):
        Tokenizer.from_tokenizers(tokenizer.backend, mask="[MASK]")


def test_special_tokens_are_found_by_role_whatever_names_them(tokenizer, saved):
    settings = json.loads((saved / "tokenizer_config.json").read_text())
    roles = {role: settings.pop(role) for role in tokenizer.special_tokens_map}
    (saved / "tokenizer_config.json").write_text(json.dumps(settings))
    assert AutoTokenizer.from_pretrained(saved).special_tokens_map == tokenizer.special_tokens_map  # the class names them
    (saved / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    assert AutoTokenizer.from_pretrained(saved).special_tokens_map == {}
    (saved / "special_tokens_map.json").write_text(
        json.dumps({role: {"content": token, "lstrip": False} for role, token in roles.items()})
    )
    assert AutoTokenizer.from_pretrained(saved).special_tokens_map == tokenizer.special_tokens_map
    (saved / "special_tokens_map.json").unlink()
    (saved / "config.json").write_text('{"model_type": "bert"}')
    assert AutoTokenizer.from_pretrained(saved).special_tokens_map == tokenizer.special_tokens_map


def test_a_model_of_an_unknown_type_still_has_a_tokenizer(tokenizer, saved):
    (saved / "config.json").write_text('{"model_type": "albatross"}')
    assert AutoTokenizer.from_pretrained(saved)(FOX) == tokenizer(FOX)


def test_special_tokens_that_only_the_settings_name_are_recognised_in_text(saved):
    rewrite(saved / "tokenizer_config.json", additional_special_tokens=["fox"], bos_token={"content": "dog", "lstrip": True})
    loaded = AutoTokenizer.from_pretrained(saved)
    assert loaded.tokenize("unfoxdogs") == ["un", "fox", "dog", "s"]
    assert loaded.bos_token == "dog"
    assert loaded("fox dog").offsets()[1:3] == [(0, 3), (3, 7)]  # lstrip takes the space too
    assert {"fox", "dog"} <= set(loaded.all_special_tokens)
    assert loaded.decode(loaded.encode("lazy fox dog"), skip_special_tokens=True) == "lazy"


def test_settings_that_contradict_the_tokenizer_are_said(tokenizer, saved):
    rewrite(saved / "tokenizer_config.json", do_lower_case=False)
    with pytest.warns(UserWarning, match=r"do_lower_case = False, but tokenizer.json does otherwise; tokenizer.json is used"):
        loaded = AutoTokenizer.from_pretrained(saved)
    assert loaded(FOX) == tokenizer(FOX)


def test_a_vocabulary_without_a_model_beside_it_is_read_as_berts(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfox\n##es\n")
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded("Foxes fly").input_ids == [2, 5, 6, 1, 3]
    assert loaded.model_max_length >= 10**29


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({}, r"holds neither tokenizer.json nor a vocabulary \(vocab.txt, .*headway tokenizer", id="no files"),
        pytest.param({"tokenizer.json": b"{"}, r"tokenizer.json is not a tokenizer file", id="half a file"),
        pytest.param({"tokenizer.json": b"[]"}, r"tokenizer.json is not a tokenizer file", id="another file"),
        pytest.param(
            {"vocab.txt": b"[PAD]\n[UNK]\n[CLS]\nfox\n"},
            r"vocab.txt lacks the special tokens \[SEP\], \[MASK\]",
            id="no specials",
        ),
        pytest.param({"vocab.txt": b"\xff\xfe"}, r"vocab.txt is not UTF-8 text", id="not text"),
        pytest.param({"tokenizer_config.json": b"{"}, r"tokenizer_config.json is not valid JSON", id="half the settings"),
        pytest.param({"tokenizer_config.json": b"[1]"}, r"holds a JSON list where an object", id="a list as settings"),
        pytest.param(
            {"tokenizer_config.json": b'{"pad_token": 3}', "vocab.txt": b""},
            r"gives 3 as a special token",
            id="a number as token",
        ),
    ],
)
def test_files_that_are_no_tokenizer_are_named(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenizerError, match=message):
        AutoTokenizer.from_pretrained(tmp_path)


def test_a_side_is_left_or_right(saved):
    with pytest.raises(TokenizerError, match=r"padding_side is 'middle'.*'left' or 'right'"):
        AutoTokenizer.from_pretrained(saved, padding_side="middle")


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(CheckpointError):
        AutoTokenizer.from_pretrained(tmp_path / "nowhere", local_files_only=True)


def test_a_tokenizer_does_not_change(tokenizer):
    with pytest.raises(AttributeError, match=r"settings do not change, .*from_pretrained\(…, pad_token=…\), or .* the call"):
        tokenizer.pad_token = "[UNK]"
    tokenizer.backend.enable_truncation(3)
    assert len(tokenizer(FOX).input_ids) > 3
    with pytest.raises(AttributeError, match="no attribute 'padded'"):
        _ = tokenizer.padded


def test_a_tokenizer_travels_to_another_process(tokenizer):
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again(FOX) == tokenizer(FOX)
    assert again.fingerprint == tokenizer.fingerprint


def test_what_it_says_of_itself(tokenizer):
    assert repr(tokenizer) == "Tokenizer(163 pieces, model_max_length unknown, special tokens [UNK] [SEP] [PAD] [CLS] [MASK])"
    assert (len(tokenizer), tokenizer.vocab_size, len(tokenizer.get_vocab())) == (163, 163, 163)
    assert tokenizer.all_special_ids == [1, 3, 0, 2, 4]
    assert tokenizer.pad_token_type_id == 0
    assert [tokenizer.num_special_tokens_to_add(pair) for pair in (False, True)] == [2, 3]
    assert "163 pieces, model_max_length 7," in repr(Tokenizer.from_tokenizers(tokenizer.backend, model_max_length=7))


def test_ids_become_text_again_from_lists_and_arrays(tokenizer):
    ids = tokenizer.encode("The fox doesn't jump, dog.")
    clean = "the fox doesn't jump, dog."
    assert tokenizer.decode(ids, skip_special_tokens=True) == clean
    assert tokenizer.decode(np.array(ids), skip_special_tokens=True) == clean
    assert tokenizer.batch_decode([ids, ids[1:2]], skip_special_tokens=True) == [clean, "the"]
    assert tokenizer.decode(ids[1]) == "the"
    assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == "the fox doesn ' t jump, dog."
    assert tokenizer.convert_ids_to_tokens(ids[1]) == "the"
    assert tokenizer.convert_ids_to_tokens(ids[:2]) == ["[CLS]", "the"]
    assert tokenizer.convert_tokens_to_ids("no such piece") == tokenizer.unk_token_id


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([2, -100, 3], r"Position 1 holds -100, which is no token id: .* 0 to 162"),
        ([2, 163], r"Position 1 holds 163"),
        ([[2, 3]], r"Position 0 holds \[2, 3\].*batch_decode"),
        ([2.0], r"Position 0 holds 2.0"),
        ("fox", r"'fox' is not a list of token ids"),
        (None, r"None is not a list of token ids"),
    ],
)
def test_what_is_no_id_is_named_with_its_place(tokenizer, ids, message):
    with pytest.raises(InputError, match=message):
        tokenizer.decode(ids)

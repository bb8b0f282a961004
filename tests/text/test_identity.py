"""A model's note of its tokenizer: what is the same, what differs and how that is said."""

import json

import pytest
from tokenizers import AddedToken
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from headway.architecture import ModelConfig
from headway.errors import ConfigError, TokenizerError
from headway.families import family
from headway.text import AutoTokenizer, Tokenizer, check_tokenizer, train_wordpiece, with_note
from headway.text.identity import describe


@pytest.fixture
def noted(tokenizer) -> ModelConfig:
    return with_note(family("bert").config(vocab_size=len(tokenizer) + 2), tokenizer)


def changed(tokenizer, **parts) -> Tokenizer:
    backend = tokenizer.backend
    for name, value in parts.items():
        setattr(backend, name, value)
    return Tokenizer.from_tokenizers(backend, **tokenizer.special_tokens_map)


def test_the_models_own_tokenizer_is_the_models_own_from_a_file_too(tokenizer, noted, saved):
    check_tokenizer(tokenizer, noted)
    again = ModelConfig(json.loads(json.dumps(noted.to_dict())))
    check_tokenizer(AutoTokenizer.from_pretrained(saved, model_max_length=7, padding_side="left"), again)
    assert again["headway_tokenizer"]["fingerprint"] == tokenizer.fingerprint
    assert family("bert").unknown_settings(again) == []


def test_a_model_from_elsewhere_is_checked_for_the_range_of_ids_only(tokenizer):
    config = family("bert").config(vocab_size=len(tokenizer))
    check_tokenizer(tokenizer, config)
    check_tokenizer(tokenizer, config.replace(headway_tokenizer=None))
    with pytest.raises(
        TokenizerError,
        match=r"The model in there has vectors for 160 tokens, but this one gives ids up to 162, .*resize_token_embeddings",
    ):
        check_tokenizer(tokenizer, config.replace(vocab_size=160), model="there")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"normalizer": Lowercase()}, r"differ in how text is normalised \(normalizer\)\. "),
        ({"pre_tokenizer": WhitespaceSplit()}, r"differ in how text is split into words \(pre_tokenizer\)\. "),
        (
            {"post_processor": TemplateProcessing(single="[CLS] $A", pair="[CLS] $A $B", special_tokens=[("[CLS]", 2)])},
            r"differ in which special tokens frame a text \(template\)\. ",
        ),
        (
            {"normalizer": Lowercase(), "pre_tokenizer": WhitespaceSplit()},
            r"\(normalizer\); how text is split into words \(pre_tokenizer\)\. ",
        ),
    ],
)
def test_the_part_that_differs_is_named(tokenizer, noted, parts, message):
    with pytest.raises(TokenizerError, match=message):
        check_tokenizer(changed(tokenizer, **parts), noted)


def test_another_vocabulary_is_named_with_its_size(tokenizer, noted, text_file, tmp_path):
    smaller = train_wordpiece([text_file], vocab_size=149, progress=False)
    with pytest.raises(
        TokenizerError, match=r"^This model was trained .*the vocabulary \(149 pieces, the model has 163\)\. .*mean nothing"
    ):
        check_tokenizer(smaller, noted)
    tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"fox"', '"fix"'), encoding="utf-8")
    with pytest.raises(
        TokenizerError, match=rf"than the one from {tmp_path}\. .*\(163 pieces, but others\)\. .*replace\(headway_tokenizer=None"
    ):
        check_tokenizer(AutoTokenizer.from_pretrained(tmp_path), noted)


def test_roles_are_part_of_it(tokenizer, noted):
    other = Tokenizer.from_tokenizers(tokenizer.backend, **{**tokenizer.special_tokens_map, "mask_token": "[UNK]"})
    with pytest.raises(TokenizerError, match=r"differ in mask_token \('\[UNK\]', the model's is '\[MASK\]'\)\. "):
        check_tokenizer(other, noted)


def test_added_tokens_are_named_one_by_one(tokenizer, noted):
    more = changed(tokenizer)
    more.add_tokens(["<a>", "<b>"])
    with pytest.raises(TokenizerError, match=r"differ in added tokens: '<a>' is new, '<b>' is new\. "):
        check_tokenizer(more, noted)
    check_tokenizer(more, noted, may_add=True)
    theirs = with_note(noted, more)
    with pytest.raises(TokenizerError, match=r"added tokens: '<a>' is missing, '<b>' is missing\. "):
        check_tokenizer(tokenizer, theirs, may_add=True)
    stripped = changed(tokenizer)
    stripped.add_tokens([AddedToken("<a>", lstrip=True), "<b>"])
    with pytest.raises(TokenizerError, match=r"'<a>' is \[163, 'lstrip', 'normalized'\], not \[163, 'normalized'\]\. "):
        check_tokenizer(stripped, theirs, may_add=True)
    many = changed(tokenizer)
    many.add_tokens([f"<{number}>" for number in range(9)])
    with pytest.raises(TokenizerError, match=r"'<4>' is new and 4 more\. "):
        check_tokenizer(
            many, noted.replace(vocab_size=200, headway_tokenizer={**noted["headway_tokenizer"], "model_vocab_size": 200})
        )


def test_a_model_that_was_resized_may_have_more_tokens(tokenizer, noted):
    more = changed(tokenizer)
    more.add_tokens(["<a>", "<b>", "<c>"])
    check_tokenizer(more, noted.replace(vocab_size=len(more)))
    with pytest.raises(TokenizerError, match=r"added tokens: '\[MASK\]' is missing"):
        check_tokenizer(without_mask(tokenizer), noted.replace(vocab_size=len(more)))


def without_mask(tokenizer):
    parts = json.loads(tokenizer.backend.to_str())
    parts["added_tokens"] = [token for token in parts["added_tokens"] if token["content"] != "[MASK]"]
    roles = {role: token for role, token in tokenizer.special_tokens_map.items() if role != "mask_token"}
    return Tokenizer.from_tokenizers(type(tokenizer.backend).from_str(json.dumps(parts)), **roles)


def test_what_later_versions_of_the_library_write_beside_is_no_difference(kind):
    """Settings that are off or empty, and merges as texts."""
    make, roles = kind
    tokenizer = Tokenizer.from_tokenizers(make(), **roles)
    found = describe(tokenizer)

    class Newer:
        def to_str(self):
            parts = json.loads(tokenizer.backend.to_str())
            parts["model"] |= {"brand_new": False, "another": None, "more": []}
            if "merges" in parts["model"]:
                parts["model"]["merges"] = [" ".join(merge) for merge in parts["model"]["merges"]]
            return json.dumps(parts)

    state = type(tokenizer.state)(Newer(), tokenizer.traits)
    other = describe(type("Other", (), {"state": state, "vocab_size": tokenizer.vocab_size})())
    assert {name for name in found if found[name] != other[name]} == {"exact", "fingerprint"}


def test_a_note_that_is_none_is_named(tokenizer, noted):
    with pytest.raises(ConfigError, match=r"headway_tokenizer is 'abc' in config.json, where an object .* Remove it"):
        check_tokenizer(tokenizer, noted.replace(headway_tokenizer="abc"))

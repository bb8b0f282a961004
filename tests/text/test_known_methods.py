"""What code for transformers calls of a tokenizer: there and alike, or absent with the reason."""

import warnings

import pytest
from transformers import BertTokenizerFast, PreTrainedTokenizerFast, RobertaTokenizerFast

from headway.errors import ConfigError, InputError, TokenizerError
from headway.text import AutoTokenizer, Tokenizer
from headway.text.absent import REASONS

TEXTS = ["The quick brown fox doesn't jump.", "", "lazy dogs, unaffable"]
TARGETS = ["A fox.", "the dog and the fox", "jump"]
OF_ITS_OWN_CODE = {
    "SPECIAL_TOKENS_ATTRIBUTES", "add_prefix_space", "convert_added_tokens", "deprecation_warnings", "init_inputs",
    "pretrained_vocab_files_map", "split_special_tokens", "verbose",
}  # fmt: skip
"""Names of transformers' tokenizers that are public, and are for their own code."""


@pytest.fixture(scope="module")
def both(kind):
    make, roles = kind
    settings = {**roles, "model_max_length": 37}
    return Tokenizer.from_tokenizers(make(), **settings), PreTrainedTokenizerFast(tokenizer_object=make(), **settings)


@pytest.fixture(scope="module", params=["wordpiece", "byte-level"])
def of_a_class(request, tokenizer, tmp_path_factory):
    """Ours and theirs from one folder, theirs of a class that knows its frame."""
    from text.conftest import ROBERTA_ROLES, byte_level

    folder = tmp_path_factory.mktemp("of-a-class")
    if request.param == "wordpiece":
        tokenizer.save_pretrained(folder)
        return AutoTokenizer.from_pretrained(folder), BertTokenizerFast.from_pretrained(folder)
    theirs = RobertaTokenizerFast(tokenizer_object=byte_level(), **ROBERTA_ROLES)
    theirs.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder), theirs


def test_every_public_name_of_transformers_is_there_or_says_why_not(both):
    ours, theirs = both
    lacking = {name for name in dir(theirs) if not name.startswith("_") and not hasattr(ours, name)}
    assert lacking - OF_ITS_OWN_CODE <= REASONS.keys()
    assert not {name for name in REASONS if hasattr(ours, name)}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "apply_chat_template",
            r"no attribute 'apply_chat_template': encoders answer no chat, so .* join the turns into one",
        ),
        ("as_target_tokenizer", r"'as_target_tokenizer': call the tokenizer with text_target=…"),
        ("truncate_sequences", r"'truncate_sequences': prepare_for_model\("),
        ("no_such_thing", r"no attribute 'no_such_thing'\.$"),
    ],
)
def test_what_is_not_there_says_what_to_do_instead(tokenizer, name, said):
    with pytest.raises(AttributeError, match=said):
        getattr(tokenizer, name)
    assert getattr(tokenizer, name, None) is None


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[0]], ids=["many", "one"])
@pytest.mark.parametrize("options", [{}, {"truncation": True, "max_length": 5}, {"padding": True, "return_tensors": "np"}])
def test_targets_come_as_labels(both, texts, options):
    ours, theirs = both
    targets = TARGETS if isinstance(texts, list) else TARGETS[0]
    found, expected = ours(texts, text_target=targets, **options), theirs(texts, text_target=targets, **options)
    assert {name: _plain(value) for name, value in found.items()} == {name: _plain(value) for name, value in expected.items()}
    alone, expected = ours(text_target=targets, **options), theirs(text_target=targets, **options)
    assert {name: _plain(value) for name, value in alone.items()} == {name: _plain(value) for name, value in expected.items()}
    pairs = {"text_target": targets, "text_pair_target": texts}
    assert _plain(ours(texts, **pairs, **options).labels) == _plain(theirs(texts, **pairs, **options)["labels"])
    assert found.tokens() == ours(texts, **options).tokens()


def test_a_call_without_any_text_says_so(tokenizer):
    with pytest.raises(InputError, match="text is None, but only strings can be turned into tokens"):
        tokenizer()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"add_special_tokens": False, "return_special_tokens_mask": True, "return_length": True},
        {"truncation": True, "max_length": 13},
        {"truncation": "only_second", "max_length": 19, "padding": "max_length"},
        {"padding": "max_length", "max_length": 23, "return_token_type_ids": True, "return_attention_mask": False},
        {"return_tensors": "np", "prepend_batch_axis": True, "padding": True, "pad_to_multiple_of": 5},
    ],
)
def test_ids_made_earlier_become_inputs_as_in_transformers(of_a_class, options):
    ours, theirs = of_a_class
    first, second = (theirs(text, add_special_tokens=False)["input_ids"] for text in ("the lazy", "quick dogs, and a fox"))
    for ids in ([first], [first, second]):
        if options.get("truncation") == "only_second" and len(ids) == 1:
            continue
        if options.get("add_special_tokens") is False:
            options = {**options, "return_token_type_ids": False}  # which transformers refuses without special tokens
        if options.get("truncation") is True:  # of an odd token the call, which ours follows, says otherwise than their method
            options = {**options, "max_length": 6 + ours.num_special_tokens_to_add(len(ids) == 2)}
        found, expected = ours.prepare_for_model(*ids, **options), theirs.prepare_for_model(*ids, **options)
        assert {name: _plain(value) for name, value in found.items()} == {name: _plain(value) for name, value in expected.items()}


def test_ids_made_earlier_become_the_inputs_that_a_call_makes(both):
    ours, _ = both
    options = {"truncation": True, "max_length": 11, "padding": "max_length", "return_special_tokens_mask": True}
    for texts in (TEXTS[:1], [TEXTS[0], TEXTS[2]], [TEXTS[2], TEXTS[0]]):
        ids = [ours(text, add_special_tokens=False).input_ids for text in texts]
        if ours.pad_token is not None:
            assert ours.prepare_for_model(*ids, **options) == ours(*texts, **options)
    with pytest.raises(InputError, match=r"Position 1 holds -100, which is no token id"):
        ours.prepare_for_model([1, -100])


@pytest.mark.parametrize("prefix", [None, "my"])
def test_pieces_are_written_alone_as_transformers_writes_them(of_a_class, tmp_path, prefix):
    ours, theirs = of_a_class
    (tmp_path / "theirs").mkdir()
    found = ours.save_vocabulary(tmp_path / "ours", prefix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # they call the library by an old name
        expected = theirs.save_vocabulary(str(tmp_path / "theirs"), prefix)
    assert [path.name for path in found] == [path.rpartition("/")[2] for path in expected]
    assert [path.read_bytes() for path in found] == [(tmp_path / "theirs" / path.name).read_bytes() for path in found]


def test_pieces_with_scores_are_not_written_alone(tmp_path):
    from text.conftest import unigram

    with pytest.raises(TokenizerError, match=r"belong in a SentencePiece file.*Use save_pretrained"):
        Tokenizer.from_tokenizers(unigram()).save_vocabulary(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_prefix_is_no_path(tokenizer, tmp_path):
    with pytest.raises(ConfigError, match=r"filename_prefix is 'a/b', but it begins a file's name"):
        tokenizer.save_vocabulary(tmp_path, "a/b")


def test_where_to_publish_needs_the_wish_to(tokenizer, tmp_path):
    with pytest.raises(ConfigError, match=r"repo_id says how to publish a tokenizer. Give push_to_hub=True"):
        tokenizer.save_pretrained(tmp_path, repo_id="me/mine")


@pytest.mark.parametrize("said", [None, True, False])
@pytest.mark.parametrize("asked", [None, True, False])
def test_spaces_before_punctuation_go_where_the_file_or_the_call_says_so(kind, said, asked):
    make, roles = kind
    settings = roles if said is None else {**roles, "clean_up_tokenization_spaces": said}
    ours, theirs = Tokenizer.from_tokenizers(make(), **settings), PreTrainedTokenizerFast(tokenizer_object=make(), **settings)
    assert ours.clean_up_tokenization_spaces == theirs.clean_up_tokenization_spaces == bool(said)
    ids = theirs(["a fox , isn't 'm it ?", "the dog ' s n't !"])["input_ids"]
    options = {} if asked is None else {"clean_up_tokenization_spaces": asked}
    assert ours.batch_decode(ids, **options) == theirs.batch_decode(ids, **options)
    assert ours.decode(ids[0], **options) == theirs.decode(ids[0], **options)
    assert ours.clean_up_tokenization(TEXTS[0] + " 's it ?") == theirs.clean_up_tokenization(TEXTS[0] + " 's it ?")


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else value

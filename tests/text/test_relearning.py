"""A new vocabulary in an old tokenizer, against transformers' ``train_new_from_iterator``."""

import json

import pytest
from tokenizers import AddedToken, processors
from transformers import PreTrainedTokenizerFast

from headway.errors import ConfigError, DataError, InputError, TokenizerError
from headway.text import AutoTokenizer, Tokenizer

ZEBRAS = [
    "Zebras graze where zebras grazed before: a zebra, two zebras, and the zebraic.",
    "The grazing zebra gazes; grazers gaze at zebras, gazing and grazing.",
    "Zebras do not jump over lazy dogs, foxes do; zébra 漢字!",
] * 5
SIZES = {"wordpiece": 97, "byte-level": 307, "unigram": 131, "words": 23}


def parts(backend):
    found = json.loads(backend.to_str())
    return found.pop("model"), found


@pytest.fixture
def three(kind, request):
    """Ours, theirs, and how many pieces to learn."""
    make, roles = kind
    theirs = PreTrainedTokenizerFast(tokenizer_object=make(), **roles)
    return Tokenizer.from_tokenizers(make(), model_max_length=41, **roles), theirs, SIZES[request.node.callspec.params["kind"]]


def again(tokenizer, texts, size, **options):
    return tokenizer.train_new_from_iterator(texts, size, show_progress=False, **options)


def test_a_new_vocabulary_leaves_everything_else_as_it_was_and_as_transformers_leaves_it(three):
    ours, theirs, size = three
    learnt, expected = again(ours, ZEBRAS, size), again(theirs, [ZEBRAS], size)
    (model, rest), (their_model, their_rest) = parts(learnt.backend), parts(expected.backend_tokenizer)
    assert rest == their_rest
    assert {name: value for name, value in model.items() if name not in ("vocab", "merges")} == {
        name: value for name, value in their_model.items() if name not in ("vocab", "merges")
    }
    assert learnt.special_tokens_map == expected.special_tokens_map
    assert learnt.all_special_ids == expected.all_special_ids
    assert learnt.model_max_length == 41
    assert len(learnt) <= size
    assert ours.get_vocab() == theirs.get_vocab()  # the old one is as it was


def test_the_pieces_are_those_that_transformers_learns_but_where_its_trainer_is_left_to_chance(three):
    ours, theirs, size = three
    learnt, expected = again(ours, ZEBRAS, size), again(theirs, [ZEBRAS], size)
    found, wanted = learnt.get_vocab(), expected.get_vocab()
    if type(expected.backend_tokenizer.model).__name__ in ("BPE", "WordLevel"):  # these learn the same each time
        assert found == wanted
        assert learnt(ZEBRAS).input_ids == expected(ZEBRAS)["input_ids"]
    elif type(expected.backend_tokenizer.model).__name__ == "WordPiece":
        assert len(found) == len(wanted) == size
        assert len(found.keys() & wanted.keys()) > 0.85 * size
    mine, other = (sum(map(len, one(ZEBRAS)["input_ids"])) for one in (learnt, expected))
    assert mine <= 1.1 * other


def test_the_same_texts_give_the_same_tokenizer_from_a_list_an_iterator_or_lists(three):
    ours, _, size = three
    forms = (ZEBRAS, iter(ZEBRAS), (ZEBRAS[start : start + 2] for start in range(0, len(ZEBRAS), 2)))
    assert len({again(ours, form, size).fingerprint for form in forms}) == 1


def test_special_tokens_are_renamed_and_new_ones_follow(three):
    ours, theirs, size = three
    options = {
        "new_special_tokens": ["<call>", AddedToken("<end>", lstrip=True)],
        "special_tokens_map": {ours.unk_token: "<what>"},
    }
    learnt, expected = again(ours, ZEBRAS, size, **options), again(theirs, [ZEBRAS], size, **options)
    assert learnt.unk_token == expected.unk_token == "<what>"
    assert ours.unk_token not in learnt.get_vocab()
    assert learnt.additional_special_tokens == ["<call>", "<end>"]
    assert [learnt.convert_tokens_to_ids(token) for token in ("<what>", "<call>", "<end>")] == [
        expected.convert_tokens_to_ids(token) for token in ("<what>", "<call>", "<end>")
    ]
    assert "<call>" in learnt.tokenize("zebra<call> <end>")


def test_what_was_learnt_is_saved_and_loaded(three, tmp_path):
    ours, _, size = three
    ours.add_special_tokens({"additional_special_tokens": ["<old>"]})
    learnt = again(ours, ZEBRAS, size)
    learnt.save_pretrained(tmp_path)
    loaded, theirs = AutoTokenizer.from_pretrained(tmp_path), PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert loaded.fingerprint == learnt.fingerprint
    assert loaded(ZEBRAS).input_ids == theirs(ZEBRAS)["input_ids"] == learnt(ZEBRAS).input_ids
    assert loaded.additional_special_tokens == theirs.additional_special_tokens == ["<old>"]


def test_a_frame_inside_a_sequence_gets_the_new_ids(tokenizer):
    backend = tokenizer.backend
    backend.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), backend.post_processor])
    ours = Tokenizer.from_tokenizers(backend, cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]")
    learnt = again(ours, ZEBRAS, 101, special_tokens_map={"[SEP]": "[END]"})
    assert learnt.convert_ids_to_tokens(learnt.encode("zebra"))[:: len(learnt.encode("zebra")) - 1] == ["[CLS]", "[END]"]


def test_a_frame_of_its_own_form_gets_new_names_and_ids(kind):
    make, roles = kind
    ours, theirs = Tokenizer.from_tokenizers(make(), **roles), PreTrainedTokenizerFast(tokenizer_object=make(), **roles)
    if "eos_token" not in roles:
        return
    size, renamed = SIZES["byte-level"], {roles["eos_token"]: "<stop>", roles["bos_token"]: "<go>"}
    learnt, expected = (again(one, [ZEBRAS], size, special_tokens_map=renamed) for one in (ours, theirs))
    assert learnt.tokenize("zebra", add_special_tokens=True)[:: len(learnt.encode("zebra")) - 1] == ["<go>", "<stop>"]
    frames = [json.loads(one.to_str())["post_processor"] for one in (learnt.backend, expected.backend_tokenizer)]
    assert frames[0] == frames[1]


def test_a_limit_of_characters_and_a_least_count_are_kept(tokenizer):
    few = again(tokenizer, ZEBRAS, 149, limit_alphabet=7)
    assert sum(len(piece) == 1 for piece in few.get_vocab()) == 7
    assert len(again(tokenizer, ZEBRAS, 149, min_frequency=50)) < 149


def test_the_bar_counts_texts(tokenizer, capsys):
    tokenizer.train_new_from_iterator(iter([ZEBRAS]), 101, length=15)
    assert "15/15" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("texts", "size", "error", "message"),
    [
        ("zebra", 101, InputError, r"text_iterator is the str 'zebra', where texts, or lists of texts, .* Give a list"),
        (["zebra", 3], 101, InputError, r"gives the int 3 at place 1, where a text or a list of texts belongs"),
        ([], 101, DataError, r"no text in text_iterator, so there is nothing to learn"),
        (["", " "], 101, DataError, r"no text in text_iterator"),
        (ZEBRAS, 6, ConfigError, r"vocab_size is 6, which leaves no room .* the 5 special tokens. Give a number of at least 7"),
        (ZEBRAS, "many", ConfigError, r"vocab_size is 'many'"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_said(tokenizer, texts, size, error, message):
    with pytest.raises(error, match=message):
        again(tokenizer, texts, size)


def test_a_byte_level_vocabulary_has_room_for_all_bytes_and_for_text(kind):
    make, roles = kind
    ours = Tokenizer.from_tokenizers(make(), **roles)
    with pytest.raises((ConfigError, DataError), match=r"vocab_size is 2, which leaves no room"):
        again(ours, ZEBRAS, 2)
    with pytest.raises(DataError, match="no text"):
        again(ours, iter([[]]), 301)


def test_a_token_of_the_frame_that_would_be_lost_is_named(tokenizer):
    backend = tokenizer.backend
    state = json.loads(backend.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] != "[CLS]"]
    ours = Tokenizer.from_tokenizers(type(backend).from_str(json.dumps(state)), unk_token="[UNK]")
    with pytest.raises(
        TokenizerError, match=r"framed with '\[CLS\]', but it is not a special token.*new_special_tokens=\['\[CLS\]'\]"
    ):
        again(ours, ZEBRAS, 101)
    assert again(ours, ZEBRAS, 101, new_special_tokens=["[CLS]"]).tokenize("zebra", add_special_tokens=True)[0] == "[CLS]"

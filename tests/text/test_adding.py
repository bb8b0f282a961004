"""Tokens added while other threads tokenise; that they are found as transformers finds them stands in test_call_reference.py."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tokenizers import AddedToken

from headway.errors import ConfigError, InputError
from headway.text import AutoTokenizer, Tokenizer


@pytest.fixture
def own(tokenizer) -> Tokenizer:
    """A copy that a test may change."""
    return Tokenizer.from_tokenizers(tokenizer.backend, **tokenizer.special_tokens_map)


def test_added_tokens_have_the_next_ids_and_stay_whole(own, tokenizer):
    before = len(own)
    fingerprint = own.fingerprint
    assert own.add_tokens(["unaffable", "fox"]) == 2  # a piece becomes a token of its own, with the id that it had
    assert len(own) == before + 1 == len(own.get_vocab())
    assert own.vocab_size == before
    assert own.convert_tokens_to_ids("unaffable") == before
    assert own.tokenize("The Unaffable fox") == ["the", "unaffable", "fox"]
    assert own.decode([before]) == "unaffable"
    assert own.fingerprint != fingerprint
    assert own.add_tokens([]) == own.add_special_tokens({}) == 0
    assert len(tokenizer) == before


def test_roles_are_given_and_saved(own, tmp_path):
    assert (
        own.add_special_tokens({"bos_token": "<s>", "mask_token": AddedToken("<fill>", lstrip=True), "eos_token": "[SEP]"}) == 2
    )
    assert own.add_special_tokens({"additional_special_tokens": ["<a>", "<b>"]}) == 2
    assert own.add_special_tokens({"additional_special_tokens": ["<c>", "<b>"]}, replace_additional_special_tokens=False) == 1
    own.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for found in (own, again):
        assert (found.bos_token, found.mask_token, found.eos_token) == ("<s>", "<fill>", "[SEP]")
        assert found.additional_special_tokens == ["<a>", "<b>", "<c>"]
        assert found.additional_special_tokens_ids == found.convert_tokens_to_ids(["<a>", "<b>", "<c>"])
        assert found("dog  <fill><c>").offsets()[1:4] == [(0, 3), (3, 11), (11, 14)]
        assert found.decode(found.encode("dog <a>"), skip_special_tokens=True) == "dog"
    assert again.fingerprint == own.fingerprint


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda own: own.add_tokens([3]), r"A token to add is the int 3, but it is a text, or an AddedToken"),
        (lambda own: own.add_tokens(None), r"Tokens to add are None, where a text or a list of texts belongs"),
        (lambda own: own.add_tokens("\ud800"), r"A token to add is the str '\\ud800'"),
        (lambda own: own.add_special_tokens({"mask_token": ["<x>"]}), r"A token to add is the list"),
    ],
)
def test_what_is_no_token_is_named(own, add, message):
    with pytest.raises(InputError, match=message):
        add(own)


def test_a_role_that_does_not_exist_is_refused_with_the_nearest_one(own):
    with pytest.raises(ConfigError, match=r"no role 'mask_tokn'. Did you mean 'mask_token'\?"):
        own.add_special_tokens({"mask_tokn": "<fill>"})


def test_calls_that_run_meanwhile_see_all_of_the_tokens_added_before_or_none(own):
    """What one call returns belongs together: ids of an added token never meet pieces that do not know it."""
    text = " ".join(f"zq{number}z" for number in range(40))
    start, counts = threading.Barrier(9), []

    def read():
        start.wait()
        for _ in range(30):
            batch = own([text] * 3, padding=True)
            assert batch.input_ids[0] == batch.input_ids[2]
            ids = [index for index in batch.input_ids[0] if index >= own.vocab_size]
            assert ids == sorted(ids)
            assert [token for token in batch.tokens(0) if token.startswith("zq")] == [f"zq{at}z" for at in range(len(ids))]
            assert own.decode(batch.input_ids[0]).count("zq") == len(ids)
            counts.append(len(ids))

    def add():
        start.wait()
        for number in range(20):
            assert own.add_tokens([f"zq{number}z"]) == 1

    with ThreadPoolExecutor(9) as pool:
        tasks = [pool.submit(read) for _ in range(8)] + [pool.submit(add)]
        for task in tasks:
            task.result()
    assert counts
    assert [len(own(text).input_ids) - 2 for _ in range(2)] == [len(own.tokenize(text))] * 2
    assert sum(token.startswith("zq") for token in own.tokenize(text)) == 20


def test_threads_that_add_lose_nothing(own):
    before = len(own)
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda number: own.add_tokens([f"zq{number}z", "zqz"]), range(24)))
    assert sum(counts) == 25
    assert len(own) == before + 25

"""Byte-level BPE and Unigram tokenizers: learnt, saved, and the same for transformers."""

import json
import math
import subprocess
import sys

import pytest

from headway.cli.main import main
from headway.errors import ConfigError, DataError
from headway.families import family
from headway.text import AutoTokenizer, train_tokenizer
from headway.text.unigram_learning import learn_pieces

SIZES = {"byte-level-bpe": 401, "unigram": 163}
KINDS = [
    ("byte-level-bpe", None),
    ("byte-level-bpe", "modernbert"),
    ("unigram", None),
    ("unigram", "xlm-roberta"),
    ("unigram", "albert"),
]
TEXTS = ["the quick fox", "The  FOX,\tcafé 123!", "", "漢字 😀 x", "a<mask>b [MASK] c", " lead and trail "]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def learnt(request, tmp_path_factory, text_file):
    algorithm, name = request.param
    found = train_tokenizer(
        [text_file], algorithm=algorithm, family=name, vocab_size=SIZES[algorithm], min_frequency=1, progress=False
    )
    folder = tmp_path_factory.mktemp("learnt")
    found.save_pretrained(folder)
    return found, folder, algorithm, name


def test_pieces_are_no_more_than_asked_for_and_special_tokens_are_the_familys(learnt):
    found, _, algorithm, name = learnt
    form = family(name or {"byte-level-bpe": "roberta", "unigram": "deberta-v2"}[algorithm]).tokenizer
    assert len(found) <= SIZES[algorithm]
    assert {role: getattr(found, role) for role in form.special_tokens} == dict(form.special_tokens)
    assert sorted(found.all_special_ids) == list(range(5))
    assert found.model_input_names == list(form.model_input_names)
    ids = found("the fox", "the dog")["input_ids"]
    assert ids[0] == found.cls_token_id
    assert ids[-1] == found.sep_token_id
    assert ids.count(found.sep_token_id) == (3 if form.template == "roberta" else 2)


def test_frequent_words_are_one_piece_and_texts_come_back(learnt):
    found, _, _, _ = learnt
    assert len(found.tokenize("the fox")) <= 4
    assert found.decode(found.encode("the lazy dog"), skip_special_tokens=True).strip() == "the lazy dog"


def test_every_text_has_pieces_on_bytes(learnt):
    found, _, algorithm, _ = learnt
    known = found.unk_token_id not in found.encode("漢字 😀")
    assert known == (algorithm == "byte-level-bpe")


def test_loaded_again_it_is_the_same(learnt):
    found, folder, _, _ = learnt
    assert AutoTokenizer.from_pretrained(folder).fingerprint == found.fingerprint


def test_words_are_whole_for_masking(learnt):
    found, _, _, _ = learnt
    words = found("the quick fox").word_ids()
    assert words[0] is None
    assert [word for word in dict.fromkeys(words[1:-1])] == [0, 1, 2]


def test_lowercase_is_lowercase(text_file):
    for algorithm, size in SIZES.items():
        found = train_tokenizer(
            [text_file], algorithm=algorithm, vocab_size=size, lowercase=True, min_frequency=1, progress=False
        )
        assert found.tokenize("THE FOX") == found.tokenize("the fox")


def test_another_process_learns_the_same(text_file):
    code = (
        "import sys; from headway.text import train_tokenizer\n"
        "print([train_tokenizer([sys.argv[1]], algorithm=name, vocab_size=size, progress=False).fingerprint "
        f"for name, size in {SIZES!r}.items()])"
    )
    here = [
        train_tokenizer([text_file], algorithm=name, vocab_size=size, progress=False).fingerprint for name, size in SIZES.items()
    ]
    for _ in range(2):
        said = subprocess.run([sys.executable, "-c", code, str(text_file)], capture_output=True, text=True, check=True).stdout
        assert said.strip() == str(here)


def test_rare_characters_are_unknown_to_unigram_and_leave_room_for_pieces(tmp_path):
    file = tmp_path / "many.txt"
    file.write_text(
        " ".join(chr(code) for code in range(0x4E00, 0x4E00 + 307)) + "\n" + "hello world hello there\n" * 50, encoding="utf-8"
    )
    found = train_tokenizer([file], algorithm="unigram", vocab_size=61, progress=False)
    assert len(found) <= 61
    assert "▁hello" in found.get_vocab()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "byte-level-bpe", "vocab_size": 260}, r"vocab_size \(260\) is less than 261: .* RoBERTa's is 50265"),
        ({"algorithm": "unigram", "vocab_size": 11}, r"vocab_size \(11\) leaves no room .* Use at least 12"),
        ({"algorithm": "bpe", "vocab_size": 300}, r"no algorithm 'bpe' .* Use wordpiece, byte-level-bpe, unigram"),
        ({"algorithm": "wordpiece", "vocab_size": 300, "family": "roberta"}, "roberta models read special tokens such as <s>"),
        ({"algorithm": "byte-level-bpe", "vocab_size": 300, "min_frequency": 0}, r"min_frequency \(0\)"),
    ],
)
def test_what_cannot_be_learnt_is_refused(text_file, options, message):
    with pytest.raises(ConfigError, match=message):
        train_tokenizer([text_file], progress=False, **options)


@pytest.mark.parametrize("algorithm", SIZES)
def test_files_without_text_are_named(tmp_path, algorithm):
    (tmp_path / "blank.txt").write_text(" \n\t\n")
    with pytest.raises(DataError, match=r"There is no text in .*blank.txt"):
        train_tokenizer([tmp_path / "blank.txt"], algorithm=algorithm, vocab_size=401, progress=False)


def test_the_command_learns_by_any_algorithm_with_or_without_the_word_train(text_file, tmp_path, capsys):
    options = ["--vocab-size", "301", "--algorithm", "byte-level-bpe", "--min-frequency", "1", "--output"]
    for number, words in enumerate(([str(text_file)], ["train", str(text_file)])):
        assert main(["tokenizer", *words, *options, str(tmp_path / str(number))]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("Wrote a byte-level BPE tokenizer of ")
    one, two = (json.loads((tmp_path / name / "tokenizer.json").read_text(encoding="utf-8")) for name in "01")
    assert one == two


def test_unigram_scores_are_the_probabilities_that_make_the_text_most_likely():
    """Two words, of which one is made of the other's halves: what expectation and maximisation come to by hand."""
    rows = dict(learn_pieces({"abab": 60, "ab": 40, "c": 10}, size=5))
    assert {"a", "b", "c"} <= rows.keys()
    assert len(rows) <= 5
    best = max(rows, key=rows.get)
    assert best == "ab"
    assert sum(math.exp(score) for score in rows.values()) == pytest.approx(1, abs=0.1)

"""Tokenizers learnt here, loaded by transformers: the same ids for the same texts."""

import pytest
import transformers

from headway.text import train_tokenizer

TEXTS = ["the good film", "The  FILM,\tcafé 123!", "", "漢字 😀 x", "a<mask>b [MASK] c", " lead and trail "]
KINDS = [
    ("byte-level-bpe", None, 401, "RobertaTokenizerFast"),
    ("byte-level-bpe", "modernbert", 401, "PreTrainedTokenizerFast"),
    ("unigram", None, 83, "PreTrainedTokenizerFast"),
    ("unigram", "xlm-roberta", 83, "PreTrainedTokenizerFast"),
]


@pytest.mark.parametrize(("algorithm", "family", "size", "class_name"), KINDS)
def test_transformers_reads_what_was_learnt(tmp_path, algorithm, family, size, class_name):
    (tmp_path / "text.txt").write_text("the good film was warm and the dull song was cold\n" * 20, encoding="utf-8")
    ours = train_tokenizer([tmp_path / "text.txt"], algorithm=algorithm, family=family, vocab_size=size, progress=False)
    ours.save_pretrained(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert type(theirs).__name__ == class_name
    assert len(theirs) == len(ours)
    for text in TEXTS:
        assert dict(theirs(text)) == dict(ours(text)), text
        assert dict(theirs(text, "a good song")) == dict(ours(text, "a good song")), text
    assert theirs.decode(theirs("the good film")["input_ids"]) == ours.decode(ours("the good film")["input_ids"])

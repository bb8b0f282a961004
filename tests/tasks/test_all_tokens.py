"""All tokens of a word learnt, not the first alone: what transformers' example script run_ner does with ``label_all_tokens``."""

import pytest

from headway.tasks import ModelFacts
from headway.tasks import task as find_task

NAMES = ["O", "B-PET", "I-PET", "B-ART", "I-LOC"]
WORDS = ["zebra", "dog", "xyz", "song", "the", "lion"]
TAGS = ["B-PET", "I-PET", "B-ART", -100, "O", "I-LOC"]


def as_in_run_ner(word_ids, labels, *, inside):
    """The loop of examples/pytorch/token-classification/run_ner.py; before 2021 it repeated the label itself."""
    to_inside = [NAMES.index(f"I{name[1:]}") if name[0] == "B" and f"I{name[1:]}" in NAMES else n for n, name in enumerate(NAMES)]
    found, before = [], None
    for word in word_ids:
        if word is None:
            found.append(-100)
        elif word != before:
            found.append(labels[word])
        else:
            found.append(labels[word] if labels[word] == -100 or not inside else to_inside[labels[word]])
        before = word
    return found


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("max_length", [None, 9])
def test_further_tokens_have_the_label_of_their_word_or_of_its_inside(tiny_config, tiny_tokenizer, inside, max_length):
    task = find_task("token-classification")
    facts = ModelFacts(tokenizer=tiny_tokenizer, config=tiny_config.replace(id2label=dict(enumerate(NAMES))))
    options = task.choose({"is_split_into_words": True, "each_word": True, "max_length": max_length})
    (encoded,) = task.prepare(facts, options).encode([WORDS])
    first = task.training.examples(encoded, {"labels": TAGS}, facts)
    (found,) = task.training.by_all_tokens(first, encoded, facts, inside=inside)
    words = tiny_tokenizer(WORDS, is_split_into_words=True, truncation=True, max_length=max_length or 41).word_ids()
    labels = [NAMES.index(tag) if tag in NAMES else -100 for tag in TAGS]
    assert found.target == as_in_run_ner(words, labels, inside=inside)
    assert found.target != first[0].target
    assert found.sequences == first[0].sequences

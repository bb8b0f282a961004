"""Data collators give what those of transformers give, and cost no padding in training."""

import numpy as np
import pytest
import torch
import transformers

import headway
from headway.errors import ConfigError, DataError
from headway.neural.classes import model_class
from headway.settings.training import TrainingArguments
from headway.training import Trainer, collators

WORDS = ["the good movie", "a bad zebra and an actor we saw", "fun", "it was not boring !"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The tiny tokenizer here and in transformers."""
    from conftest import write_tokenizer

    folder = tmp_path_factory.mktemp("both")
    write_tokenizer(folder)
    return headway.AutoTokenizer.from_pretrained(folder), transformers.BertTokenizerFast.from_pretrained(folder)


def of_both(name, both, **settings):
    return [getattr(kind, name)(tokenizer, **settings) for kind, tokenizer in zip((headway, transformers), both, strict=True)]


def rows(tokenizer, **given):
    return [dict(tokenizer(text, **given)) for text in WORDS]


def same(ours, theirs):
    assert dict(ours).keys() == dict(theirs).keys()
    for name, values in theirs.items():
        found, expected = (torch.as_tensor(one) for one in (ours[name], values))
        assert found.dtype == (torch.float32 if expected.dtype == torch.float64 else expected.dtype)  # NumPy's are wider there
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("kind", ["pt", "np"])
@pytest.mark.parametrize("label", [{}, {"label": 1}, {"label": 0.5}, {"label_ids": [1, 0]}, {"labels": 2}])
def test_rows_of_equal_length_become_arrays(both, label, kind):
    given = [{"input_ids": [2, n, 3], "name": "x", "nothing": None, "score": 0.25 * n, **label} for n in (5, 7)]
    same(headway.default_data_collator(given, kind), transformers.default_data_collator(given, kind))
    same(headway.DefaultDataCollator(return_tensors=kind)(given), transformers.DefaultDataCollator(return_tensors=kind)(given))


@pytest.mark.parametrize("settings", [{}, {"pad_to_multiple_of": 8}, {"padding": "max_length", "max_length": 19}])
@pytest.mark.parametrize("label", ["label", "label_ids", "labels"])
def test_texts_are_filled_up(both, settings, label):
    given = [row | {label: n % 2} for n, row in enumerate(rows(both[0]))]
    ours, theirs = of_both("DataCollatorWithPadding", both, **settings)
    same(ours(given), theirs(given))


@pytest.mark.parametrize("name", ["label", "labels", None])
def test_labels_of_tokens_are_filled_up_too(both, name):
    given = rows(both[0])
    if name:
        given = [row | {name: list(range(len(row["input_ids"])))} for row in given]
    ours, theirs = of_both("DataCollatorForTokenClassification", both)
    same(ours(given), theirs(given))


def test_choices_are_filled_up_and_the_rows_stay_as_they_are(both):
    texts = rows(both[0])
    given = [{name: [one[name] for one in pair] for name in texts[0]} | {"label": 1} for pair in (texts[:2], texts[2:])]
    found = headway.DataCollatorForMultipleChoice(both[0])(given)
    assert given[0]["label"] == 1
    same(found, transformers.DataCollatorForMultipleChoice(both[1])([dict(row) for row in given]))
    with pytest.raises(DataError, match=r"The rows have 2, 3 choices.*Leave data_collator out"):
        headway.DataCollatorForMultipleChoice(both[0])([{"input_ids": [[1]] * n, "labels": 0} for n in (2, 3)])


MASKING = [
    {},
    {"seed": 7},
    {"mlm": False},
    {"mask_replace_prob": 0.5, "random_replace_prob": 0.3, "mlm_probability": 0.6},
    {"mask_replace_prob": 1.0, "random_replace_prob": 0.0, "mlm_probability": 0.9, "pad_to_multiple_of": 5},
]


@pytest.mark.parametrize("settings", MASKING)
@pytest.mark.parametrize("special", [False, True])
def test_the_same_tokens_are_hidden_from_the_same_seed(both, settings, special):
    given = rows(both[0], return_special_tokens_mask=special)
    found = []
    for kind, tokenizer in zip((headway, transformers), both, strict=True):
        torch.manual_seed(5)
        collate = kind.DataCollatorForLanguageModeling(tokenizer, **settings)
        found.append([collate(given), collate(given)])
    for ours, theirs in zip(*found, strict=True):
        same(ours, theirs)


def test_whole_words_are_hidden(both):
    given = rows(both[0], return_offsets_mapping=True, return_special_tokens_mask=True)
    settings = {"whole_word_mask": True, "mlm_probability": 0.5, "mask_replace_prob": 1.0, "random_replace_prob": 0.0, "seed": 3}
    theirs = transformers.DataCollatorForLanguageModeling(both[1], **settings)
    width = max(len(row["input_ids"]) for row in given)
    filled = [row | {"offset_mapping": [*row["offset_mapping"], *[(0, 0)] * (width - len(row["input_ids"]))]} for row in given]
    same(headway.DataCollatorForLanguageModeling(both[0], **settings)(given), theirs(filled))
    bare = {"mlm_probability": 0.4, "seed": 11}
    plain = [row["input_ids"] for row in rows(both[0])]
    for form in (plain, [{"input_ids": ids} for ids in plain]):
        with pytest.warns(FutureWarning, match="deprecated"):
            expected = transformers.DataCollatorForWholeWordMask(both[1], **bare)(form)
        same(headway.DataCollatorForWholeWordMask(both[0], **bare)(form), expected)
    with pytest.raises(DataError, match=r"the rows have no offset_mapping.*return_offsets_mapping=True"):
        headway.DataCollatorForLanguageModeling(both[0], whole_word_mask=True)(rows(both[0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mlm_probability": 1.5}, "mlm_probability is 1.5, but it is a share"),
        ({"mask_replace_prob": 0.9, "random_replace_prob": 0.2}, "exceed 1 together. Lower one"),
        ({"mlm": False, "whole_word_mask": True}, "Use mlm=True"),
    ],
)
def test_masking_that_cannot_be_is_refused(both, settings, message):
    with pytest.raises(ConfigError, match=message):
        headway.DataCollatorForLanguageModeling(both[0], **settings)


def test_other_arrays_are_refused():
    with pytest.raises(ConfigError, match=r"return_tensors is 'tf'.*Use 'pt' or 'np'"):
        headway.default_data_collator([{"input_ids": [1]}], "tf")


def test_a_collator_changes_nothing_of_what_is_learnt(both, tiny_config, tmp_path):
    """The padding is dropped again: the losses are those without one."""
    config = tiny_config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_labels=2)
    given = [row | {"label": n % 2} for n, row in enumerate(rows(both[0]))]
    found = []
    for collate in (None, collators.DataCollatorWithPadding(both[0])):
        torch.manual_seed(0)
        model = model_class("bert", "sequence-classification")(config)
        arguments = TrainingArguments(str(tmp_path), max_steps=4, per_device_train_batch_size=2, bf16=False, save_strategy="no")
        teacher = Trainer(model, arguments, collate, train_dataset=given, progress=False)
        teacher.train()
        found.append(model.state_dict())
    assert all(np.allclose(found[0][name], found[1][name], atol=1e-5) for name in found[0])

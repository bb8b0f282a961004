import numpy as np
import pytest

from headway.errors import InputError, TaskError
from headway.families import family
from headway.tasks import Call, ModelFacts, task
from headway.text import Tokenizer

TASK = task("fill-mask")


def facts(tokenizer, **config):
    return ModelFacts(
        tokenizer=tokenizer, config=family("bert").config(vocab_size=len(tokenizer), max_position_embeddings=11, **config)
    )


def prepared(tokenizer, **options):
    return TASK.prepare(facts(tokenizer), TASK.choose(options))


def logits(tokenizer, length, **scores):
    """Logits whose softmax gives the words these shares at every place."""
    values = np.full((length, len(tokenizer)), -np.inf, np.float32)
    for word, share in scores.items():
        values[:, tokenizer.get_vocab()[word]] = np.log(share)
    return values


def fill(tokenizer, text, *, scores, **options):
    ready = prepared(tokenizer, **options)
    (encoded,) = ready.encode([text])
    return ready.decode(
        [ready.reduce({"logits": logits(tokenizer, len(encoded.sequences[0]), **scores)}, encoded, part=0)], encoded
    )


def test_the_likeliest_words_come_first_with_their_sentences(tiny_tokenizer):
    found = fill(tiny_tokenizer, "the [MASK] film", scores={"good": 0.5, "bad": 0.3, "great": 0.2}, top_k=2)
    assert [(one["token_str"], one["sequence"]) for one in found] == [("good", "the good film"), ("bad", "the bad film")]
    assert [one["score"] for one in found] == pytest.approx([0.5, 0.3])
    assert [one["token"] for one in found] == [tiny_tokenizer.get_vocab()[word] for word in ("good", "bad")]


def test_each_of_several_masks_is_filled_while_the_others_stay_visible(tiny_tokenizer):
    found = fill(tiny_tokenizer, "[MASK] film [MASK]", scores={"good": 0.6, "bad": 0.4}, top_k=1)
    assert [[one["sequence"] for one in mask] for mask in found] == [
        ["[CLS] good film [MASK] [SEP]"],
        ["[CLS] [MASK] film good [SEP]"],
    ]


def test_targets_limit_the_words_but_not_the_scores(tiny_tokenizer):
    scores = {"good": 0.5, "bad": 0.3, "great": 0.2}
    found = fill(tiny_tokenizer, "a [MASK]", scores=scores, targets=["great", "bad", "bad"])
    assert [(one["token_str"], one["score"]) for one in found] == [("bad", pytest.approx(0.3)), ("great", pytest.approx(0.2))]


def test_a_target_of_several_pieces_stands_for_its_first_and_says_so(tiny_tokenizer):
    with pytest.warns(
        UserWarning, match="The target 'goodly' is no single token of this model; its first piece 'good' is scored"
    ):
        assert [one["token_str"] for one in fill(tiny_tokenizer, "[MASK]", scores={"good": 1}, targets="goodly")] == ["good"]


def test_targets_without_any_token_are_refused(tiny_tokenizer):
    with (
        pytest.warns(UserWarning, match="The target ' ' has no token"),
        pytest.raises(TaskError, match="None of the targets ' ' is a token"),
    ):
        prepared(tiny_tokenizer, targets=[" "])
    with pytest.raises(TaskError, match=r"None of the targets \(none given\)"):
        prepared(tiny_tokenizer, targets=[])
    with pytest.raises(TaskError, match="The target 5 is a int, but targets are words"):
        prepared(tiny_tokenizer, targets=[5])


def test_a_text_without_a_mask_says_how_to_write_one(tiny_tokenizer):
    with pytest.raises(InputError, match=r"A text has no \[MASK\], so there is nothing to fill. Put \[MASK\] where"):
        prepared(tiny_tokenizer).encode(["the [MASK]", "the film"])


def test_a_mask_beyond_the_models_limit_is_said(tiny_tokenizer):
    with pytest.raises(InputError, match=r"The \[MASK\] of a text lies beyond the 11 tokens that the model reads"):
        prepared(tiny_tokenizer).encode(["film " * 50 + "[MASK]"])


def test_a_tokenizer_without_a_mask_cannot_do_the_task(tiny_tokenizer):
    backend = tiny_tokenizer.backend
    with pytest.raises(TaskError, match="This model's tokenizer has no mask token"):
        prepared(Tokenizer.from_tokenizers(backend, pad_token="[PAD]"))


def test_one_text_in_a_list_is_answered_as_that_text(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    assert ready.present([["a"]], Call("list")) == ["a"]
    assert ready.present([["a"], ["b"]], Call("list")) == [["a"], ["b"]]
    assert ready.present([["a"]], Call("text")) == ["a"]


def test_top_k_beyond_the_vocabulary_gives_all_of_it(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, top_k=10_000)
    (encoded,) = ready.encode(["[MASK]"])
    found = ready.decode(
        [ready.reduce({"logits": np.random.default_rng(0).normal(size=(3, len(tiny_tokenizer)))}, encoded, part=0)], encoded
    )
    assert len(found) == len(tiny_tokenizer)
    assert sorted((one["score"] for one in found), reverse=True) == [one["score"] for one in found]


def test_a_model_with_more_entries_than_its_tokenizer_never_answers_with_one_that_is_no_word(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, top_k=10_000)
    (encoded,) = ready.encode(["[MASK]"])
    scores = np.zeros((3, len(tiny_tokenizer) + 27))
    scores[:, -1] = np.log(len(tiny_tokenizer) + 28)  # half of the probability
    found = ready.decode([ready.reduce({"logits": scores}, encoded, part=0)], encoded)
    assert len(found) == len(tiny_tokenizer)
    assert sum(one["score"] for one in found) == pytest.approx(len(tiny_tokenizer) / (2 * len(tiny_tokenizer) + 54), rel=0.01)


def test_fillings_become_rows_with_a_list_for_each_mask(tiny_tokenizer):
    ready, filling = prepared(tiny_tokenizer), {"score": 0.5, "token": 7, "token_str": "good", "sequence": "good"}
    assert ready.row([filling]) == {"fillings": [[filling]]}
    assert ready.row([[filling], [filling]]) == {"fillings": [[filling], [filling]]}
    assert [(column.name, column.depth) for column in ready.columns] == [("fillings", 2)]

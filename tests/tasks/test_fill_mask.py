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
    with pytest.raises(TaskError, match=r"targets is 5, but it is a word or a list of words to choose among"):
        prepared(tiny_tokenizer, targets=5)


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


def filled(tokenizer, text, *, words, **options):
    """The answer where each mask's likeliest word is given, for each window and mask of it in turn."""
    ready = prepared(tokenizer, top_k=1, **options)
    (encoded,) = ready.encode([text])
    parts = []
    for part, sequence in enumerate(encoded.sequences):
        masks = list(sequence.ids).count(tokenizer.mask_token_id)
        rows = np.stack([logits(tokenizer, 1, **{words[part][number]: 1.0})[0] for number in range(masks)])
        parts.append(ready.reduce({"masked_logits": rows}, encoded, part=part))
    return encoded, ready.decode(parts, encoded)


def test_a_mask_far_behind_is_filled_from_a_window_and_shown_in_the_whole_text(tiny_tokenizer):
    text = "film " * 30 + "[MASK]" + " dog" * 7
    encoded, found = filled(tiny_tokenizer, text, words=[["good"]], overflow="window")
    assert len(encoded.sequences) == 1  # of the five windows one is run
    assert len(encoded.sequences[0]) == 11
    assert [(one["token_str"], one["sequence"]) for one in found] == [("good", "film " * 30 + "good" + " dog" * 7)]


def test_a_mask_in_several_windows_is_answered_where_it_has_most_context(tiny_tokenizer):
    """Nine tokens of text a window, six of them shared: windows begin at tokens 0, 3, 6, 9 … of the text."""
    for before, window in ((0, 0), (4, 0), (5, 0), (6, 3), (7, 3), (8, 3), (9, 6), (15, 12)):
        text = "film " * before + "[MASK]" + " dog" * (29 - before)
        encoded = prepared(tiny_tokenizer, overflow="window", stride=6).encode([text])[0]
        whole = tiny_tokenizer.encode(text)[1:-1]
        assert list(encoded.sequences[0].ids)[1:-1] == whole[window : window + 9], before


def test_masks_of_different_windows_come_in_the_order_of_the_text(tiny_tokenizer):
    text = "[MASK] " + "film " * 12 + "[MASK] [MASK] " + "dog " * 9 + "[MASK]"
    encoded, found = filled(
        tiny_tokenizer, text, words=[["good"], ["bad", "great"], ["awful"]], overflow="window", stride=0, count_dropped=True
    )
    assert [one[0]["token_str"] for one in found] == ["good", "bad", "great", "awful"]
    assert found[1][0]["sequence"] == "[CLS] [MASK] " + "film " * 12 + "bad [MASK] " + "dog " * 9 + "[MASK] [SEP]"
    assert len(encoded.sequences) == 3
    assert encoded.dropped == 0


def test_tokens_of_windows_without_masks_count_as_left_out(tiny_tokenizer):
    text = "film " * 40 + "[MASK]"
    assert prepared(tiny_tokenizer, overflow="window", stride=0, count_dropped=True).encode([text])[0].dropped == 36
    assert prepared(tiny_tokenizer, overflow="window", stride=0).encode([text])[0].dropped == 0


def test_windows_of_a_text_without_masks_say_so(tiny_tokenizer):
    with pytest.raises(InputError, match=r"A text has no \[MASK\]"):
        prepared(tiny_tokenizer, overflow="window").encode(["film " * 40])


def test_scores_of_masks_alone_and_of_all_tokens_give_the_same(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, top_k=3)
    (encoded,) = ready.encode(["a [MASK] film and [MASK]"])
    scores = np.random.default_rng(0).normal(size=(len(encoded.sequences[0]), len(tiny_tokenizer)))
    masks = np.asarray(encoded.sequences[0].ids) == tiny_tokenizer.mask_token_id
    whole, narrow = (
        ready.decode([ready.reduce(outputs, encoded, part=0)], encoded)
        for outputs in ({"logits": scores}, {"masked_logits": scores[masks]})
    )
    assert whole == narrow


def test_arguments_of_the_tokenizer_may_come_together(tiny_tokenizer):
    assert TASK.choose({"tokenizer_kwargs": {"truncation": True, "max_length": 7}}) == TASK.choose({"max_length": 7})
    assert TASK.choose({"tokenizer_kwargs": {"max_length": 7}, "max_length": 9}).max_length == 9
    with pytest.raises(TaskError, match=r"tokenizer_kwargs is 3, but it holds arguments by name"):
        TASK.choose({"tokenizer_kwargs": 3})


def test_no_count_is_the_usual_one(tiny_tokenizer):
    assert len(fill(tiny_tokenizer, "a [MASK]", scores={"good": 1.0}, top_k=None)) == 5


def test_the_unknown_token_may_be_a_target_itself(tiny_tokenizer):
    assert [one["token_str"] for one in fill(tiny_tokenizer, "a [MASK]", scores={"good": 1.0}, targets="[UNK]")] == ["[UNK]"]


def test_only_masks_are_read(tiny_tokenizer):
    assert TASK.only_token(tiny_tokenizer) == tiny_tokenizer.mask_token_id


def test_a_target_that_no_utf8_can_hold_is_no_word(tiny_tokenizer):
    with pytest.warns(UserWarning, match=r"The target '.*' has no token"), pytest.raises(TaskError, match="None of the targets"):
        prepared(tiny_tokenizer, targets="\ud800")

"""How questions with long contexts become sequences, and the way back to the words."""

import numpy as np
import pytest

from headway.errors import ConfigError, InputError
from headway.tasks.question_windows import Limits, encode_questions, passage_of
from headway.text import Tokenizer

WORDS = "a film good bad movie boring great fun dog cat he she they had play".split()


def encode(tokenizer, asked, context, **limits):
    usual = {"tokens": 12, "question": 5, "stride": None, "overflow": "window"}
    (encoded,) = encode_questions([(asked, context)], tokenizer=tokenizer, limits=Limits(**{**usual, **limits}))
    return encoded


def words(tokenizer, encoded):
    return [" ".join(tokenizer.convert_ids_to_tokens(list(sequence.ids))) for sequence in encoded.sequences]


def test_a_short_context_is_one_sequence_behind_its_question(tiny_tokenizer):
    encoded = encode(tiny_tokenizer, "was it good", "the film was fun")
    assert words(tiny_tokenizer, encoded) == ["[CLS] was it good [SEP] the film was fun [SEP]"]
    assert encoded.sequences[0].type_ids == [0] * 5 + [1] * 5
    assert [vars(window) for window in encoded.memory.windows] == [{"start": 0, "place": 5, "count": 4}]
    assert encoded.dropped == 0


def test_a_long_context_is_read_in_windows_that_share_tokens_each_behind_the_whole_question(tiny_tokenizer):
    encoded = encode(tiny_tokenizer, "was it good", " ".join(WORDS), stride=2)
    assert words(tiny_tokenizer, encoded) == [
        "[CLS] was it good [SEP] a film good bad movie boring [SEP]",
        "[CLS] was it good [SEP] movie boring great fun dog cat [SEP]",
        "[CLS] was it good [SEP] dog cat he she they had [SEP]",
        "[CLS] was it good [SEP] they had play [SEP]",
    ]
    assert [(window.start, window.place, window.count) for window in encoded.memory.windows] == [
        (0, 5, 6),
        (4, 5, 6),
        (8, 5, 6),
        (12, 5, 3),
    ]
    assert encoded.dropped == 0


def test_windows_hold_every_token_of_the_context_and_lead_back_to_it(tiny_tokenizer):
    context = " ".join(WORDS * 5)
    for stride in (0, 1, 5, None):
        encoded = encode(tiny_tokenizer, "was it good", context, stride=stride)
        held = {token for window in encoded.memory.windows for token in range(window.start, window.start + window.count)}
        assert held == set(range(75))
        for sequence, window in zip(encoded.sequences, encoded.memory.windows, strict=True):
            ids = list(sequence.ids[window.place : window.place + window.count])
            start, end = encoded.memory.offsets[[window.start, window.start + window.count - 1], [0, 1]]
            assert context[start:end].split() == tiny_tokenizer.convert_ids_to_tokens(ids)


def test_a_long_question_loses_its_end_and_leaves_a_quarter_to_the_context(tiny_tokenizer):
    long = "was it good or not , he said"  # nine tokens, since said is spelt
    encoded = encode(tiny_tokenizer, long, "the film was fun", question=3, tokens=99)
    assert words(tiny_tokenizer, encoded) == ["[CLS] was it good [SEP] the film was fun [SEP]"]
    assert encoded.dropped == len(tiny_tokenizer.tokenize(long)) - 3
    encoded = encode(tiny_tokenizer, long, "the film was fun", question=64)
    assert words(tiny_tokenizer, encoded)[0] == "[CLS] was it good or not , he [SEP] the film [SEP]"
    assert [window.count for window in encoded.memory.windows] == [2, 2, 2]  # and share one


def test_truncate_reads_the_beginning_and_counts_the_rest(tiny_tokenizer):
    encoded = encode(tiny_tokenizer, "was it good", " ".join(WORDS), overflow="truncate", stride=99)
    assert words(tiny_tokenizer, encoded) == ["[CLS] was it good [SEP] a film good bad movie boring [SEP]"]
    assert encoded.dropped == 9
    assert encode(tiny_tokenizer, "was it good", "fun", overflow="truncate").dropped == 0


def test_error_refuses_what_is_too_long(tiny_tokenizer):
    assert len(encode(tiny_tokenizer, "was it good", "a film good bad movie boring", overflow="error").sequences) == 1
    said = (
        r"A question with its context has {} tokens, but 12 are read together and 5 of a question, .* or use overflow=\"window\""
    )
    with pytest.raises(InputError, match=said.format(13)):
        encode(tiny_tokenizer, "was it good", "a film good bad movie boring great", overflow="error")
    with pytest.raises(InputError, match=said.format(10)):
        encode(tiny_tokenizer, "was it good or not ,", "a", overflow="error")


def test_a_stride_that_a_window_has_no_room_for_is_refused(tiny_tokenizer):
    with pytest.raises(InputError, match=r"stride \(6\) has to be less than the 6 tokens that a window holds"):
        encode(tiny_tokenizer, "was it good", " ".join(WORDS), stride=6)


@pytest.mark.parametrize(
    ("tokens", "room", "expected"),
    [(384, 340, 128), (100, 90, 50), (41, 21, 20), (41, 20, 10), (12, 1, 0)],
)
def test_windows_share_as_much_as_in_transformers_or_half_of_what_fits(tokens, room, expected):
    assert Limits(tokens=tokens, question=64, stride=None, overflow="window").shared(room) == expected


def test_too_few_tokens_for_a_question_and_its_context_are_refused():
    limits = Limits(tokens=4, question=64, stride=None, overflow="window")
    with pytest.raises(ConfigError, match=r"max_seq_len is 4, but a question .* room for 3 special tokens .* from 5 on"):
        limits.check(3)
    limits.check(2)
    assert limits.question_room(2) == 1
    assert [limits.question_room(room) for room in (3, 9, 10, 381)] == [2, 7, 8, 64]


def test_a_context_without_tokens_is_a_window_without_tokens(tiny_tokenizer):
    encoded = encode(tiny_tokenizer, "was it good", " \t ")
    assert words(tiny_tokenizer, encoded) == ["[CLS] was it good [SEP] [SEP]"]
    assert encoded.memory.windows[0].count == 0


def test_a_tokenizer_that_pads_at_the_left_has_the_context_first(tmp_path):
    from conftest import write_tokenizer

    write_tokenizer(tmp_path)
    left = Tokenizer.from_pretrained(tmp_path, padding_side="left")
    encoded = encode(left, "was it good", " ".join(WORDS), stride=2)
    assert words(left, encoded)[0] == "[CLS] a film good bad movie boring [SEP] was it good [SEP]"
    assert words(left, encoded)[-1] == "[CLS] they had play [SEP] was it good [SEP]"
    assert [(window.start, window.place, window.count) for window in encoded.memory.windows][-1] == (12, 1, 3)


def test_a_tokenizer_that_cuts_at_the_left_has_its_windows_from_the_end(tmp_path):
    from conftest import write_tokenizer

    write_tokenizer(tmp_path)
    left = Tokenizer.from_pretrained(tmp_path, truncation_side="left")
    encoded = encode(left, "was it good", " ".join(WORDS), stride=2)
    assert words(left, encoded)[0] == "[CLS] was it good [SEP] cat he she they had play [SEP]"
    assert [(window.start, window.count) for window in encoded.memory.windows] == [(9, 6), (5, 6), (1, 6), (0, 3)]


def test_tokens_know_the_first_and_last_of_their_word():
    passage = passage_of("x" * 9, [(place, place + 1) for place in range(9)], [0, 1, 1, 1, None, None, 4, 5, 5])
    assert passage.word_first.tolist() == [0, 1, 1, 1, 4, 5, 6, 7, 7]
    assert passage.word_last.tolist() == [0, 3, 3, 3, 4, 5, 6, 8, 8]
    nothing = passage_of("", [], [])
    assert (nothing.word_first.size, nothing.word_last.size, nothing.offsets.shape) == (0, 0, (0, 2))
    assert nothing.offsets.dtype == np.int64


def test_questions_to_one_context_share_what_is_known_of_it(tiny_tokenizer):
    limits = Limits(tokens=12, question=5, stride=2, overflow="window")
    context = " ".join(WORDS)
    pairs = [("was it good", context), ("a", context), ("was it good", "fun")]
    first, second, third = encode_questions(pairs, tokenizer=tiny_tokenizer, limits=limits)
    assert first.memory.offsets is second.memory.offsets
    assert [len(found.sequences) for found in (first, second, third)] == [4, 3, 1]
    assert words(tiny_tokenizer, third) == ["[CLS] was it good [SEP] fun [SEP]"]


def test_no_questions_are_no_sequences(tiny_tokenizer):
    limits = Limits(tokens=12, question=5, stride=None, overflow="window")
    assert encode_questions([], tokenizer=tiny_tokenizer, limits=limits) == []

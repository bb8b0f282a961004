"""Any text with any mixture of options: an answer that holds together, or one of Headway's errors."""

from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import HeadwayError
from headway.text import Tokenizer
from headway.text.inputs import without_surrogates

CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from(" \t\n\u00a0\u200d\ufe0f\u0301\u3000\ud800\x00az漢ı\u0600")
TEXTS = st.text(CHARACTERS, max_size=40) | st.lists(
    st.sampled_from(
        ["[MASK]", "<mask>", "<s>", "</s>", "[SEP]", "the", " fox", "  ", "\U0001f468\u200d\U0001f469", "é", "e\u0301", "##s"]
    ),
    max_size=30,
).map("".join)
COUNTS = st.none() | st.integers(-1, 30)
SIDES = st.sampled_from([None, "left", "right"])
OPTIONS = st.fixed_dictionaries(
    {
        "add_special_tokens": st.booleans(),
        "padding": st.sampled_from([True, False, "max_length", "longest", "do_not_pad", "no"]),
        "truncation": st.sampled_from([None, True, False, "longest_first", "only_first", "only_second", "do_not_truncate"]),
        "max_length": COUNTS,
        "stride": st.integers(0, 9),
        "pad_to_multiple_of": COUNTS,
        "padding_side": SIDES,
        "truncation_side": SIDES,
        "return_tensors": st.sampled_from([None, "np"]),
        "return_overflowing_tokens": st.booleans(),
        "return_length": st.booleans(),
        "split_special_tokens": st.booleans(),
    }
)
ALWAYS = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_token_type_ids": True}


def check_all(batch, sides, options):
    rows = {
        name: list(map(list, values)) for name, values in batch.items() if name not in ("length", "overflow_to_sample_mapping")
    }
    texts = batch.get("overflow_to_sample_mapping", range(len(rows["input_ids"])))
    for at, text in enumerate(texts):
        length = len(rows["input_ids"][at])
        assert {len(columns[at]) for columns in rows.values()} == {len(batch[at])} == {length}
        whole = options["truncation"] in (None, False, "do_not_truncate") or options["max_length"] is None
        assert whole or sum(rows["attention_mask"][at]) <= options["max_length"]
        owners, words = batch.sequence_ids(at), batch.word_ids(at)
        for owner, (start, end), word in zip(owners, rows["offset_mapping"][at], words, strict=True):
            if owner is None:
                assert (start, end, word) == (0, 0, None)
            else:
                assert 0 <= start <= end <= len(sides[owner][text])


@settings(max_examples=150)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), pairs=st.none() | st.lists(TEXTS, min_size=3, max_size=3), options=OPTIONS)
def test_any_text_gives_an_answer_that_holds_together_or_an_error_of_ours(kind, texts, pairs, options):
    tokenizer = tokenizer_of(kind)
    seconds = pairs and pairs[: len(texts)]
    try:
        batch = tokenizer(texts, seconds, **options, **ALWAYS)
    except HeadwayError:
        return
    check_all(batch, (texts, seconds), options)
    assert isinstance(tokenizer.decode(batch.input_ids[0]), str)
    assert len(tokenizer.batch_decode(batch.input_ids, skip_special_tokens=True)) == len(batch.input_ids)


@settings(max_examples=60)
@given(text=TEXTS, words=st.lists(TEXTS, max_size=5))
def test_what_is_decoded_is_what_was_encoded_as_far_as_the_kind_keeps_it(kind, text, words):
    tokenizer = tokenizer_of(kind)
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert tokenizer.convert_tokens_to_ids(tokenizer.convert_ids_to_tokens(ids)) == ids
    decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    if tokenizer.cls_token is None and tokenizer.eos_token and "Ġ" in tokenizer.get_vocab():  # bytes lose nothing
        assert decoded == without_surrogates(text)
    frame = tokenizer.num_special_tokens_to_add()
    split = tokenizer(words, is_split_into_words=True)
    assert len(split.input_ids) - frame == sum(word is not None for word in split.word_ids())
    assert set(split.word_ids()) <= {None, *range(len(words))}


MADE: dict[object, Tokenizer] = {}


def tokenizer_of(kind):
    make, roles = kind
    if make not in MADE:
        MADE[make] = Tokenizer.from_tokenizers(make(), **roles)
    return MADE[make]

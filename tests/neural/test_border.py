"""The padded border: what is refused in which words, and what comes back in which form."""

import pytest
import torch

from headway.core.batching import TokenSequence
from headway.errors import InputError
from headway.families import family
from headway.neural.auto import build_model
from headway.neural.border import pack_padded
from headway.neural.embeddings import counted_position_ids, position_ids
from headway.neural.packing import pack
from reference.family_cases import BERT_SIZES, ROBERTA_SIZES

ONES = torch.ones(2, 3, dtype=torch.long)


def make(head="base", kind="bert", sizes=BERT_SIZES, **settings):
    config = family(kind).config(**sizes | settings)
    return build_model(config, family(kind).architecture(config, head), head, {}).eval()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_ids": ONES[0]}, r"input_ids has shape \(3,\); it must be \(batch, sequence\)"),
        ({"inputs_embeds": torch.ones(2, 28)}, r"inputs_embeds has shape \(2, 28\); it must be \(batch, sequence, size\)"),
        ({}, "Neither of input_ids and inputs_embeds is given"),
        ({"input_ids": ONES, "inputs_embeds": torch.ones(2, 3, 28)}, "Both of input_ids and inputs_embeds are given"),
        ({"input_ids": torch.ones(1, 42, dtype=torch.long)}, "42 tokens long.*position vectors for 41.*max_length=41"),
        ({"input_ids": ONES, "attention_mask": ONES[:, :2]}, r"attention_mask has shape \(2, 2\), but the input is \(2, 3\)"),
        ({"input_ids": ONES, "token_type_ids": ONES[:1]}, r"token_type_ids has shape \(1, 3\), but the input is \(2, 3\)"),
        ({"input_ids": ONES * 101}, "input_ids holds 101, but this model has vectors for 0 to 100. Use the tokenizer"),
        ({"input_ids": -ONES}, "input_ids holds -1"),
        ({"input_ids": ONES, "token_type_ids": 2 * ONES}, "token_type_ids holds 2, but this model has vectors for 0 to 1"),
        ({"input_ids": ONES, "attention_mask": ONES * torch.tensor([[1], [0]])}, "Text 1 of the batch has no tokens"),
        ({"input_ids": ONES[:0]}, "The batch is empty"),
        ({"input_ids": ONES[:, :0]}, "Text 0 of the batch has no tokens"),
        ({"input_ids": [[1, 2]]}, r'input_ids is a list, but a model reads torch tensors. Tokenize with return_tensors="pt"'),
        ({"input_ids": {"input_ids": ONES}}, r"input_ids is a dict, but .* Write model\(\*\*inputs\), with two asterisks"),
        ({"input_ids": ONES, "attention_mask": [[1] * 3] * 2}, "attention_mask is a list, but"),
        ({"input_ids": ONES.float()}, r"input_ids holds float32 numbers, but they are looked up.*input_ids.long\(\)"),
        ({"input_ids": ONES.bool()}, "input_ids holds bool numbers"),
        ({"input_ids": ONES, "token_type_ids": ONES.half()}, "token_type_ids holds float16 numbers"),
        ({"input_ids": ONES, "position_ids": ONES.float()}, "position_ids holds float32 numbers"),
        ({"input_ids": ONES, "position_ids": 41 * ONES}, "position_ids holds 41, but this model has vectors for 0 to 40. Leave"),
        ({"input_ids": ONES, "position_ids": ONES[:, :2]}, r"position_ids has shape \(2, 2\), but the input is \(2, 3\)"),
        ({"inputs_embeds": torch.ones(2, 3, 27)}, r"inputs_embeds has shape \(2, 3, 27\), but this .* have 28 numbers"),
        ({"inputs_embeds": torch.ones(2, 3, 28).long()}, "inputs_embeds holds int64 numbers, but these are token vectors"),
        ({"input_ids": ONES, "attention_mask": ONES[:, None, None]}, r"attention_mask has shape \(2, 1, 1, 3\), but"),
        ({"input_ids": ONES, "attention_mask": -10000.0 * (1 - ONES + 1)}, "attention_mask holds -10000, but a mask is 1 where"),
        (
            {"input_ids": ONES, "attention_mask": 2 * ONES},
            "attention_mask holds 2, but .* 0 where there is padding. Pass the token",
        ),
    ],
)
def test_inputs_that_cannot_be_run_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        make()(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_ids": ONES}, r"input_ids has shape \(2, 3\); a multiple-choice model reads \(batch, choices, sequence\)"),
        ({"inputs_embeds": torch.ones(2, 3, 28)}, "inputs_embeds has shape .* one text for each choice"),
        ({"input_ids": ONES[None], "attention_mask": ONES}, r"attention_mask has shape \(2, 3\); a multiple-choice model reads"),
    ],
)
def test_choices_need_a_dimension_of_their_own(arguments, message):
    with pytest.raises(InputError, match=message):
        make("multiple-choice")(**arguments)


def test_inputs_on_another_device_are_named_with_both():
    with pytest.raises(InputError, match=r"input_ids is on cpu, but the model is on meta. Move .*inputs.to\(model.device"):
        make().to("meta")(ONES)


def test_ids_in_32_bits_and_masks_in_any_numbers_give_what_usual_ones_give():
    model, mask = make(), torch.tensor([[1, 1, 0], [1, 1, 1]])
    with torch.no_grad():
        expected = model(ONES, mask, position_ids=torch.tensor([[2, 0, 1]]).expand(2, 3)).last_hidden_state
        for kind in (torch.bool, torch.float32, torch.uint8):
            found = model(ONES.int(), mask.to(kind), position_ids=torch.tensor([2, 0, 1]).int())
            assert torch.equal(found.last_hidden_state, expected)


def test_all_ranges_are_looked_at_together(monkeypatch):
    """A GPU is waited for once: what is read comes over in one list, and the lengths in another."""
    model, read = make("token-classification", num_labels=5), []
    plain = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda values: read.append(values.shape) or plain(values))
    model(ONES, ONES, ONES, labels=ONES)
    assert read == [(8,), (2, 2)]


def test_a_model_without_token_types_does_not_look_at_them():
    model = make(kind="distilbert", sizes={"vocab_size": 101, "dim": 28, "n_heads": 4, "hidden_dim": 37, "n_layers": 1})
    with torch.no_grad():
        assert torch.equal(model(ONES, token_type_ids=5 * ONES)[0], model(ONES)[0])


def test_roberta_counts_positions_that_are_no_padding_whether_seen_or_not():
    model = make(kind="roberta", sizes=ROBERTA_SIZES)
    ids = torch.tensor([[1, 9, 9, 1, 9]])
    packed, padding = pack_padded(ids, torch.tensor([[0, 1, 0, 1, 1]]), embeddings=model.embeddings)
    assert packed.position_ids_T.tolist() == [2, 1, 4]
    assert padding.place_T.tolist() == [1, 3, 4]
    assert (packed.lengths, packed.extents, packed.columns_T.tolist()) == ((3,), (4,), [1, 3, 4])


def test_packed_texts_count_positions_as_padded_ones():
    """Padding inside of a text has padding's own position and is not counted."""
    rows = [[9, 1, 9, 9], [1, 9], [9, 9, 1]]
    positions = make(kind="roberta", sizes=ROBERTA_SIZES).embeddings.parts.positions
    packed = pack([TokenSequence(row) for row in rows])
    assert position_ids(positions, packed).tolist() == [2, 1, 3, 4, 2, 3, 1, 1, 2]
    for row in rows:
        assert counted_position_ids(torch.tensor([row]), 1).tolist() == [
            position_ids(positions, pack([TokenSequence(row)])).tolist()
        ]


def test_the_longest_span_comes_first_and_each_text_finds_its_place_again():
    mask = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0]])
    packed, padding = pack_padded(torch.arange(12).view(3, 4), mask, embeddings=make().embeddings)
    assert packed.ids_T.tolist() == [4, 7, 1, 2, 8]
    assert (packed.order_B.tolist(), packed.lengths, packed.extents) == ([1, 0, 2], (2, 2, 1), (4, 2, 1))
    assert padding.tokens(packed.ids_T).tolist() == (torch.arange(12).view(3, 4) * mask).tolist()
    assert packed.unsorted(torch.tensor([10, 20, 30])).tolist() == [20, 10, 30]


def test_the_switches_default_to_the_configuration():
    asked = make(output_hidden_states=True, output_attentions=True)(ONES)
    assert len(asked.hidden_states) == len(asked.attentions) + 1 == 4
    plain = make()(ONES)
    assert plain.hidden_states is None
    assert plain.attentions is None
    assert isinstance(make(return_dict=False)(ONES), tuple)
    assert len(make()(ONES, return_dict=False, output_hidden_states=True)) == 3


def test_scores_of_choices_stand_in_a_row_for_each_question():
    model = make("multiple-choice")
    ids = torch.randint(2, 101, (2, 3, 5))
    with torch.no_grad():
        found = model(ids, labels=torch.tensor([2, 0]))
        single = model(ids[1:, 2:])
    assert found.logits.shape == (2, 3)
    assert torch.allclose(found.logits[1, 2], single.logits[0, 0], atol=1e-6)
    assert float(found.loss) == pytest.approx(float(torch.nn.functional.cross_entropy(found.logits, torch.tensor([2, 0]))))

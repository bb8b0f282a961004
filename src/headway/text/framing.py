"""Ids that were made earlier, framed, cut and filled as a call does it with texts."""

from abc import ABC
from collections.abc import Sequence
from typing import Any

from headway.text.batch import BatchEncoding
from headway.text.decoding import checked_ids, plain_lists
from headway.text.encoded import selected
from headway.text.frame import BARE, BARE_PAIR, Frame
from headway.text.options import fitting
from headway.text.padding import pad_inputs
from headway.text.state import State
from headway.text.tensors import checked_tensors


class Framing(ABC):
    """How a tokenizer frames the ids of texts."""

    _state: State

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens frame a text or a pair."""
        return self._state.specials(has_pair=pair)

    def build_inputs_with_special_tokens(self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None) -> list[int]:
        """The ids of a text, or a pair, with the special tokens that a call would set around them."""
        return self._frame(token_ids_1).ids(token_ids_0, token_ids_1 or ())

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The type ids that belong to ``build_inputs_with_special_tokens``."""
        return self._frame(token_ids_1).type_ids(token_ids_0, token_ids_1 or ())

    def get_special_tokens_mask(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None, *, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 for special tokens, 0 for others: of ids as they are, or as ``build_inputs_with_special_tokens`` would frame them."""
        if not already_has_special_tokens:
            return self._frame(token_ids_1).mask(token_ids_0, token_ids_1 or ())
        special = set(self._state.special_ids)
        return [int(index in special) for index in (*token_ids_0, *(token_ids_1 or ()))]

    def pad(
        self,
        encoded_inputs: Any,
        padding: bool | str = True,
        *,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Inputs that were tokenised before, of one text, of many, or a list with those of each, brought to one length.

        Ids, type ids, attention mask and special tokens mask are padded; everything else stays. Nothing is cut.
        """
        state = self._state
        fit = fitting(
            state.traits,
            padding=padding,
            truncation=False,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
        )
        usual = state.traits.model_input_names
        return pad_inputs(
            encoded_inputs,
            lambda lengths: state.filling(fit, lengths),
            ids_name=usual[0],
            adds_mask="attention_mask" in usual if return_attention_mask is None else return_attention_mask,
            return_tensors=checked_tensors(return_tensors),
        )

    def prepare_for_model(  # noqa: PLR0913 (transformers' own arguments, under their names)
        self,
        ids: Any,
        pair_ids: Any = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        truncation_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_special_tokens_mask: bool = False,
        return_length: bool = False,
        prepend_batch_axis: bool = False,
        verbose: bool = True,
    ) -> BatchEncoding:
        """The inputs of a model for a text, or a pair, whose ids were made earlier without special tokens: framed, cut, filled.

        They are those of a call with the texts. For windows of a long text call the tokenizer with the text.
        """
        state, has_pair = self._state, pair_ids is not None
        fit = fitting(
            state.traits, padding=padding, truncation=truncation, max_length=max_length, pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side, truncation_side=truncation_side,
        )  # fmt: skip
        first, second = checked_ids(plain_lists(ids), state), checked_ids(plain_lists(pair_ids if has_pair else []), state)
        frame = self._frame(pair_ids) if add_special_tokens else BARE_PAIR if has_pair else BARE
        kept, usual = None, state.traits.model_input_names
        if fit.cut is not None and len(frame.ids(first, second)) > fit.cut.max_length:
            kept = fit.cut.kept(frame.owners(first, second), has_pair=has_pair)
        data = {usual[0]: selected(frame.ids(first, second), kept)}
        if "token_type_ids" in usual if return_token_type_ids is None else return_token_type_ids:
            data["token_type_ids"] = selected(frame.type_ids(first, second), kept)
        if return_special_tokens_mask:
            data["special_tokens_mask"] = selected(frame.mask(first, second), kept)
        adds_mask = "attention_mask" in usual if return_attention_mask is None else return_attention_mask
        filled = pad_inputs(
            data, lambda lengths: state.filling(fit, lengths), ids_name=usual[0], adds_mask=adds_mask, return_tensors=None
        )
        filled |= {"length": len(filled[usual[0]])} if return_length else {}
        return BatchEncoding(filled.data, tensor_type=return_tensors, prepend_batch_axis=prepend_batch_axis)

    def _frame(self, second: Sequence[int] | None) -> Frame:
        return self._state.frame if second is None else self._state.pair_frame

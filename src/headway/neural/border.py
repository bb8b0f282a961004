"""From the padded arrays that people pass to a packed batch: checked, and with the padding dropped.

Shapes: T tokens of all texts, B texts, S sequence, E width of token vectors.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from headway.architecture import Positions
from headway.errors import InputError
from headway.neural.embeddings import TokenEmbeddings, counted_position_ids, positions_by_column
from headway.neural.outputs import Padding
from headway.neural.packing import Packed, first_tokens, longest_first


def pack_padded(
    input_ids: Tensor | None,
    attention_mask: Tensor | None = None,
    token_type_ids: Tensor | None = None,
    position_ids: Tensor | None = None,
    inputs_embeds: Tensor | None = None,
    *,
    embeddings: TokenEmbeddings,
) -> tuple[Packed, Padding]:
    """The attended tokens as a packed batch, and where each stands in (batch, sequence).

    A token keeps the position of its column, or the one that its family counts, so masks with holes and padding on the left mean
    what they mean to transformers. Raises ``InputError`` for what cannot be run.
    """
    shape, device = _shape(input_ids, inputs_embeds)
    _check(shape, input_ids, attention_mask, token_type_ids, embeddings)
    keep_BS = torch.ones(shape, dtype=torch.bool, device=device) if attention_mask is None else attention_mask.bool()
    positions_BS = _positions(embeddings.parts.positions, input_ids, position_ids, shape, device)
    lengths, extents = _spans(keep_BS)
    longest_first(lengths)  # refuses texts without tokens
    order = longest_first(extents)
    order_B = torch.tensor(order, device=device)
    slots_BS = torch.arange(shape[0] * shape[1], device=device).view(shape)
    place_T = slots_BS[order_B][keep_BS[order_B]]

    def taken(values_BS: Tensor | None) -> Tensor:
        return torch.zeros_like(place_T) if values_BS is None else values_BS.flatten(0, 1)[place_T]

    sorted_lengths = tuple(lengths[index] for index in order)
    packed = Packed(
        ids_T=taken(input_ids),
        type_ids_T=taken(token_type_ids),
        columns_T=place_T % shape[1],
        first_B=first_tokens(sorted_lengths).to(device),
        order_B=order_B,
        lengths=sorted_lengths,
        extents=tuple(extents[index] for index in order),
        position_ids_T=None if positions_BS is None else taken(positions_BS),
        vectors_TE=None if inputs_embeds is None else taken(inputs_embeds),
    )
    return packed, Padding(packed, place_T, shape)


def rows_of_choices(arrays: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """(batch, choices, sequence, …) as (batch * choices, sequence, …)."""
    for name, values, dimensions in zip(("input_ids", "inputs_embeds"), (arrays[0], arrays[-1]), (3, 4), strict=True):
        if values is not None and values.dim() != dimensions:
            raise InputError(
                f"{name} has shape {tuple(values.shape)}; a multiple-choice model reads (batch, choices, sequence). "
                "Add the missing dimension: one text for each choice."
            )
    return tuple(None if values is None else values.flatten(0, 1) for values in arrays)


def _shape(input_ids: Tensor | None, inputs_embeds: Tensor | None) -> tuple[tuple[int, int], torch.device]:
    given = {"input_ids": input_ids, "inputs_embeds": inputs_embeds}
    wanted = {"input_ids": "(batch, sequence)", "inputs_embeds": "(batch, sequence, size)"}
    found = [(name, values) for name, values in given.items() if values is not None]
    if len(found) != 1:
        raise InputError(
            f"{'Both' if found else 'Neither'} of input_ids and inputs_embeds {'are' if found else 'is'} given, but a model "
            "reads exactly one of them. Pass input_ids, unless you made the token vectors yourself."
        )
    ((name, values),) = found
    if values.dim() != (2 if name == "input_ids" else 3):
        raise InputError(f"{name} has shape {tuple(values.shape)}; it must be {wanted[name]}. Add the missing dimension.")
    return (values.shape[0], values.shape[1]), values.device


def _check(
    shape: tuple[int, int],
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
    embeddings: TokenEmbeddings,
) -> None:
    parts = embeddings.parts
    limit = None if parts.positions is None else parts.positions.longest_text
    if limit is not None and shape[1] > limit:
        raise InputError(
            f"The batch is {shape[1]} tokens long, but this model has position vectors for {limit}. Tokenize with "
            f"truncation=True, max_length={limit}."
        )
    for name, values in (("attention_mask", attention_mask), ("token_type_ids", token_type_ids)):
        if values is not None and tuple(values.shape) != shape:
            raise InputError(
                f"{name} has shape {tuple(values.shape)}, but the input is {shape}. Pass what one call of the tokenizer gave."
            )
    check_ids(input_ids, token_type_ids, embeddings)


def check_ids(ids: Tensor | None, type_ids: Tensor | None, embeddings: TokenEmbeddings) -> None:
    """Refuse ids of tokens and types that the model has no vectors for."""
    size, types = len(embeddings.token.weight), embeddings.parts.token_types  # the table may have been resized
    _check_range("input_ids", ids, size, "Use the tokenizer that belongs to the model, or resize its embeddings.")
    if types:
        _check_range("token_type_ids", type_ids, types, "Leave them out, or use the model's own tokenizer.")


def _check_range(name: str, values: Tensor | None, size: int, remedy: str) -> None:
    if values is None or not values.numel():
        return
    low, high = (int(value) for value in torch.aminmax(values))
    if low < 0 or high >= size:
        raise InputError(f"{name} holds {low if low < 0 else high}, but this model has vectors for 0 to {size - 1}. {remedy}")


def _positions(
    positions: Positions | None,
    input_ids: Tensor | None,
    position_ids: Tensor | None,
    shape: tuple[int, int],
    device: torch.device,
) -> Tensor | None:
    """Only what cannot be told from packed tokens."""
    if position_ids is not None:
        return position_ids.expand(shape)
    if positions is None or positions.padding_id is None:
        return None
    if input_ids is None:
        return positions_by_column(positions, shape, device)
    return counted_position_ids(input_ids, positions.padding_id)


def _spans(keep_BS: Tensor) -> tuple[list[int], list[int]]:
    """How many tokens each text has, and how many columns from its first to its last."""
    if not keep_BS.numel():
        return [0] * len(keep_BS), [0] * len(keep_BS)
    sequence = keep_BS.shape[1]
    columns_S = torch.arange(sequence, device=keep_BS.device)
    last_B = columns_S.where(keep_BS, -1).amax(1)
    first_B = columns_S.where(keep_BS, sequence).amin(1)
    lengths, extents = torch.stack([keep_BS.sum(1), last_B - first_B + 1]).tolist()
    return lengths, extents

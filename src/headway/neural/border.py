"""From the padded arrays that people pass to a packed batch: checked, and with the padding dropped.

Shapes: T tokens of all texts, B texts, S sequence, E width of token vectors.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from headway.architecture import Positions
from headway.errors import InputError
from headway.neural.arguments import INPUTS, Range, check_kinds, check_ranges
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
    targets: Sequence[Range] = (),
) -> tuple[Packed, Padding]:
    """The attended tokens as a packed batch, and where each stands in (batch, sequence).

    A token keeps the position of its column, or the one that its family counts, so masks with holes and padding on the left mean
    what they mean to transformers. Raises ``InputError`` for what cannot be run; ``targets`` are looked at too.
    """
    shape, device = _shape(input_ids, inputs_embeds)
    arrays = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
    _check(shape, {**arrays, "position_ids": position_ids, "inputs_embeds": inputs_embeds}, embeddings, targets)
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
    for name, values in zip(INPUTS, arrays, strict=True):
        wanted = (2, 3) if name == "position_ids" else (4,) if name == "inputs_embeds" else (3,)
        if values is not None and values.dim() not in wanted:
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
    arrays: Mapping[str, Tensor | None],
    embeddings: TokenEmbeddings,
    targets: Sequence[Range],
) -> None:
    parts = embeddings.parts
    limit = None if parts.positions is None else parts.positions.longest_text
    if limit is not None and shape[1] > limit:
        raise InputError(
            f"The batch is {shape[1]} tokens long, but this model has position vectors for {limit}. Tokenize with "
            f"truncation=True, max_length={limit}."
        )
    for name in ("attention_mask", "token_type_ids", "position_ids"):
        values = arrays[name]
        if values is not None and tuple(values.shape) not in (shape, *_repeated(name, shape)):
            raise InputError(
                f"{name} has shape {tuple(values.shape)}, but the input is {shape}. Pass what one call of the tokenizer gave."
            )
    vectors, width = arrays["inputs_embeds"], embeddings.token.weight.shape[1]
    if vectors is not None and vectors.shape[2] != width:
        raise InputError(
            f"inputs_embeds has shape {tuple(vectors.shape)}, but this model's token vectors have {width} numbers. "
            "Make them with model.get_input_embeddings()."
        )
    check_kinds(arrays)
    check_ranges([*_ranges(arrays, embeddings), *targets])


def _repeated(name: str, shape: tuple[int, int]) -> list[tuple[int, ...]]:
    """Shapes that stand for the whole batch: positions may be those of one text."""
    return [(1, shape[1]), (shape[1],)] if name == "position_ids" else []


def _ranges(arrays: Mapping[str, Tensor | None], embeddings: TokenEmbeddings) -> list[Range]:
    size, parts = len(embeddings.token.weight), embeddings.parts  # the table may have been resized
    has = "this model has vectors for 0 to"
    found = [
        Range(
            name="input_ids",
            values=arrays["input_ids"],
            high=size - 1,
            says=f"{has} {size - 1}",
            remedy="Use the tokenizer that belongs to the model, or resize its embeddings.",
        ),
        Range(
            name="attention_mask",
            values=arrays.get("attention_mask"),
            high=1,
            says="a mask is 1 where there is a token and 0 where there is padding",
            remedy="Pass the tokenizer's own mask.",
        ),
    ]
    if parts.token_types:
        remedy = "Leave them out, or use the model's own tokenizer."
        types, says = arrays["token_type_ids"], f"{has} {parts.token_types - 1}"
        found.append(Range(name="token_type_ids", values=types, high=parts.token_types - 1, says=says, remedy=remedy))
    if parts.positions is not None:
        last = parts.positions.count - 1
        remedy = "Leave them out: positions are counted."
        places = arrays.get("position_ids")
        found.append(Range(name="position_ids", values=places, high=last, says=f"{has} {last}", remedy=remedy))
    return found


def check_ids(ids: Tensor | None, type_ids: Tensor | None, embeddings: TokenEmbeddings) -> None:
    """Refuse ids of tokens and types that the model has no vectors for."""
    check_ranges(_ranges({"input_ids": ids, "token_type_ids": type_ids}, embeddings))


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

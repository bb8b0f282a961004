"""A vocabulary that grows or shrinks: the token table, the masked language model's biases, and what the configuration says.

The output matrix is the token table itself, read at every pass, so the two cannot come apart.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from headway.architecture import Architecture, Head, MaskedLanguageModelHead, PreTrainingHead
from headway.errors import ConfigError

SPREAD = 1e-9
"""The variance of new vectors as a share of the old ones': as good as none, but no two are the same."""


def resized(table: Tensor, count: int, *, std: float, mean_resizing: bool) -> Tensor:
    """The table with this many rows: its first ones, and new ones.

    New rows are drawn around the mean of the old ones, so that they are as probable as an average token (Hewitt, 2021,
    "Initializing new word embeddings for pretrained language models"), or without ``mean_resizing`` around zero.
    """
    old, missing = table.detach(), count - len(table)
    if missing <= 0:
        return old[:count].clone()
    if not mean_resizing:
        return torch.cat([old, torch.empty(missing, old.shape[1], dtype=old.dtype, device=old.device).normal_(std=std)])
    whole = old.float()
    mean = whole.mean(0)
    # such sums have the covariance of the rows, times their number
    noise = torch.randn(missing, len(whole), device=whole.device) @ (whole - mean)
    return torch.cat([old, (mean + noise * (SPREAD / len(whole)) ** 0.5).to(old.dtype)])


def set_table(table: nn.Embedding, weight: Tensor) -> None:
    """Other rows for a table, which stays the same module with its hooks."""
    table.weight = nn.Parameter(weight, requires_grad=table.weight.requires_grad)
    table.num_embeddings = len(weight)


def fitted_bias(bias: Tensor, count: int) -> nn.Parameter:
    """Biases for this many tokens; those of new tokens are zero."""
    kept = bias.detach()[:count]
    return nn.Parameter(torch.cat([kept, kept.new_zeros(count - len(kept))]), requires_grad=bias.requires_grad)


def new_size(current: int, wanted: int | None, *, pad_to_multiple_of: int | None, padding_id: int | None) -> int:
    """How many tokens there will be; sizes that cannot be are refused."""
    count = current if wanted is None else wanted
    step = 1 if pad_to_multiple_of is None else pad_to_multiple_of
    for name, value in (("new_num_tokens", count), ("pad_to_multiple_of", step)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name} is {value!r}, but it counts tokens. Give a whole number, such as len(tokenizer).")
    count = -(-count // step) * step
    if padding_id is not None and count <= padding_id:
        raise ConfigError(
            f"A vocabulary of {count} tokens would have none with the id {padding_id}, which is the padding token's. "
            f"Keep at least {padding_id + 1} tokens."
        )
    return count


def with_vocabulary(architecture: Architecture, count: int) -> Architecture:
    """The same architecture for this many tokens."""
    encoder = architecture.encoder
    embeddings = replace(encoder.embeddings, vocab_size=count)
    return replace(architecture, encoder=replace(encoder, embeddings=embeddings), head=_head(architecture.head, count))


def _head(head: Head | None, count: int) -> Head | None:
    match head:
        case MaskedLanguageModelHead():
            return replace(head, vocab_size=count)
        case PreTrainingHead():
            return replace(head, masked_lm=replace(head.masked_lm, vocab_size=count))
        case _:
            return head

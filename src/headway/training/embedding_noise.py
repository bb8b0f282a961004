"""NEFTune: uniform noise on the token vectors while a model is trained. Jain et al., 2023, arXiv:2310.05914.

Shapes: T tokens, B texts, E width of token vectors.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from headway.neural.embeddings import TokenEmbeddings
from headway.neural.packing import Packed


@contextmanager
def noisy_embeddings(model: nn.Module, alpha: float | None) -> Iterator[None]:
    """In the block, what is trained reads token vectors with noise; what is evaluated reads them as they are."""
    if not alpha:
        yield
        return

    def add_noise(embeddings: nn.Module, given: tuple[Packed]) -> tuple[Packed] | None:
        assert isinstance(embeddings, TokenEmbeddings)
        if not embeddings.training:
            return None
        packed = given[0]
        vectors_TE = embeddings.token(packed.ids_T) if packed.vectors_TE is None else packed.vectors_TE
        return (replace(packed, vectors_TE=vectors_TE + noise(vectors_TE, packed, alpha=alpha)),)

    read = [module for module in model.modules() if isinstance(module, TokenEmbeddings)]
    hooks = [module.register_forward_pre_hook(add_noise) for module in read]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def noise(vectors_TE: Tensor, packed: Packed, *, alpha: float) -> Tensor:
    """Numbers between -s and s, s being ``alpha`` divided by the root of all numbers of a text, (tokens, width); section 3.

    There is no padding here, so a text has the same noise whatever shares its batch.
    """
    numbers_B = torch.tensor(packed.lengths, device=packed.device) * vectors_TE.shape[1]
    largest_T1 = (alpha / numbers_B.sqrt())[packed.text_numbers(), None]
    return (torch.empty_like(vectors_TE).uniform_(-1, 1) * largest_T1).to(vectors_TE.dtype)

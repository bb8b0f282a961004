"""A discriminator and the generator that replaces tokens for it, trained together.

Clark et al., 2020, arXiv:2003.10555; gradient-disentangled embeddings: He et al., 2023, arXiv:2111.09543, section 3.2.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headway.architecture import Architecture, ModelConfig
from headway.neural.model import EncoderModel
from headway.neural.packing import Packed

Sharing: TypeAlias = Literal["shared", "disentangled", "none"]
FOLDER, DIFFERENCE = "generator", "difference.safetensors"


class GeneratorAndDiscriminator(nn.Module):
    """What replaced-token detection trains. It is saved as the discriminator, with the generator in a folder of its own.

    With ``shared`` embeddings both read the same vectors of tokens, positions and types. With ``disentangled`` ones the
    discriminator reads the generator's token vectors, whose gradient stops there, plus its own table, which begins at zero.
    """

    def __init__(self, discriminator: EncoderModel, generator: EncoderModel, sharing: Sharing) -> None:
        super().__init__()
        self.discriminator, self.generator, self.sharing = discriminator, generator, sharing
        if sharing == "shared":
            for name, part in discriminator.embeddings.named_children():
                own = getattr(generator.embeddings, name, None)
                if name != "projection" and own is not None and _shapes(own) == _shapes(part):
                    setattr(generator.embeddings, name, part)
        if sharing == "disentangled":
            with torch.no_grad():
                discriminator.embeddings.token.weight.sub_(generator.embeddings.token.weight)
                if not discriminator.name_or_path:
                    discriminator.embeddings.token.weight.zero_()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.discriminator.device

    @property
    def config(self) -> ModelConfig:
        """The discriminator's configuration."""
        return self.discriminator.config

    @property
    def architecture(self) -> Architecture:
        """The discriminator's architecture."""
        return self.discriminator.architecture

    def judge(self, packed: Packed) -> Tensor:
        """The discriminator's scores, (tokens,): above zero where a token seems replaced."""
        model = self.discriminator
        if self.sharing == "disentangled":
            common_TE = F.embedding(packed.ids_T, self.generator.embeddings.token.weight.detach())
            packed = replace(packed, vectors_TE=common_TE + model.embeddings.token(packed.ids_T))
        return model.predict(model.encode(packed), packed).tokens["logits"]

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the discriminator, which is the result, and the generator below it."""
        from safetensors.torch import save_file

        table = self.discriminator.embeddings.token.weight
        own = table.detach().clone()
        if self.sharing == "disentangled":
            with torch.no_grad():
                table.add_(self.generator.embeddings.token.weight)
        try:
            self.discriminator.save_pretrained(folder)
        finally:
            with torch.no_grad():
                table.copy_(own)
        self.generator.save_pretrained(Path(folder) / FOLDER)
        if self.sharing == "disentangled":
            save_file({"difference": own.cpu()}, Path(folder) / DIFFERENCE)

    def read_weights(self, folder: Path) -> None:
        """Put the weights of a checkpoint into both."""
        from safetensors.torch import load_file

        from headway.training.checkpoints import load_weights

        load_weights(folder, self.discriminator)
        load_weights(folder / FOLDER, self.generator)
        if self.sharing == "disentangled":
            with torch.no_grad():
                self.discriminator.embeddings.token.weight.copy_(load_file(folder / DIFFERENCE)["difference"])


def generator_config(config: ModelConfig, *, width: float, depth: float) -> ModelConfig:
    """The generator's configuration: a share of the discriminator's heads, width and layers, over token vectors of one width.

    Clark et al., 2020, table 6: hidden size, feed-forward size and number of heads are multiplied.
    """
    heads = max(1, round(config.num_attention_heads * width))
    hidden = config.hidden_size // config.num_attention_heads * heads
    return config.replace(
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=max(1, round(config.intermediate_size * width)),
        num_hidden_layers=max(1, round(config.num_hidden_layers * depth)),
        embedding_size=config.embedding_size or config.hidden_size,
    )


def _shapes(module: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in module.parameters()]

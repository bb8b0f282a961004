"""What ``from_pretrained`` may be told beside settings of the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class Place(Config):
    """Where a model's files are looked for."""

    revision: str | None = None
    """A branch, tag or commit of the Hub repository; its main branch by default."""

    token: str | bool | None = None
    """What lets you into a private repository; True is the token that `hf auth login` saved."""

    local_files_only: bool = False
    """Look in folders and in the Hub's cache, never in the network."""

    cache_dir: str | Path | None = None
    """A folder for downloads in place of the Hub's own cache."""


@dataclass(frozen=True, kw_only=True)
class BuildingOptions(Config):
    """What is made of a configuration, beside what that says itself."""

    dtype: Any = None
    """The numbers of the weights: float32 by default, a torch dtype or its name, or "auto" for those of the checkpoint."""

    torch_dtype: Any = None
    """The older name of dtype."""

    device_map: Any = None
    """The device of the whole model: "cpu", "cuda", "cuda:1", 1; "auto" is the GPU where there is one."""

    attn_implementation: str | None = None
    """Taken with transformers' values, and changes nothing: there is one packed attention, with the fastest kernel at hand."""

    add_pooling_layer: bool = True
    """Whether a base model keeps its pooler, where its family and the checkpoint have one."""


@dataclass(frozen=True, kw_only=True)
class LoadingOptions(Place, BuildingOptions):
    """How ``from_pretrained`` finds a model and what it makes of it."""

    ignore_mismatched_sizes: bool = False
    """Make a head's weights anew where the checkpoint has them in another size."""

    output_loading_info: bool = False
    """Return the model and a dictionary that names the weights that were missing, unexpected or of another size."""

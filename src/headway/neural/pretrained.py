"""What people do with a model beside running it: save and publish it, freeze parts, change its vocabulary, look at its parts."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from headway.architecture import Architecture, Family, ModelConfig
from headway.architecture.family import HeadName
from headway.errors import ConfigError
from headway.families import family
from headway.neural.hub_names import selected
from headway.neural.vocabulary import fitted_bias, new_size, resized, set_table, with_vocabulary

SAVED: dict[torch.dtype, Literal["float16", "bfloat16"]] = {torch.float16: "float16", torch.bfloat16: "bfloat16"}


class PretrainedModel(nn.Module):
    """The base of all models: everything that is not mathematics, under transformers' names where it has them.

    Parameters carry Headway's names, which are the same for all families; files carry the Hub's.
    """

    config: ModelConfig
    architecture: Architecture
    head_name: HeadName
    name_or_path: str = ""
    gradient_checkpointing: bool = False
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True

    @property
    def family(self) -> Family:
        """What is known of the model's family."""
        return family(self.config.model_type)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The numbers of the weights."""
        return self.get_input_embeddings().weight.dtype

    @property
    def num_labels(self) -> int:
        """How many labels the head has."""
        return self.config.num_labels

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        max_shard_size: int | str = "5GB",
        safe_serialization: bool = True,
        is_main_process: bool = True,
        push_to_hub: bool = False,
        **hub: Any,
    ) -> None:
        """Write ``config.json`` and safetensors under the Hub's names; transformers loads the folder.

        Weights keep their dtype (float64 becomes float32). Files hold at most ``max_shard_size``, in bytes or as "200MB". Of
        several processes only the one with ``is_main_process`` writes. With ``push_to_hub`` the folder is published as well, and
        ``hub`` says where and how, as for the method of that name.
        """
        from headway.checkpoints import save_checkpoint

        if not safe_serialization:
            raise ConfigError(
                "safe_serialization=False would write pickled weights, which run code when they are read. "
                "Leave it out: every reader of today knows safetensors."
            )
        if hub and not push_to_hub:
            raise ConfigError(f"{', '.join(hub)} says how to publish a model. Give push_to_hub=True as well, or leave it out.")
        if not is_main_process:
            return
        save_checkpoint(
            folder,
            config=self.config,
            head=self.head_name,
            weights=self.arrays(),
            dtype=SAVED.get(self.dtype, "float32"),
            max_shard_bytes=in_bytes(max_shard_size),
        )
        if push_to_hub:
            publish(folder, hub.pop("repo_id", Path(folder).name), hub)

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Publish the model as a repository of the Hub, ``"owner/name"``; its address there.

        ``private``, ``token``, ``commit_message``, ``revision`` and ``create_pr`` are those of ``huggingface_hub``;
        ``max_shard_size`` as for ``save_pretrained``.
        """
        shards = {name: hub.pop(name) for name in ("max_shard_size", "safe_serialization") if name in hub}
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder, **shards)
            return publish(folder, repo_id, hub)

    def arrays(self) -> dict[str, np.ndarray]:
        """All weights in float32 under Headway's names."""
        return {name: tensor.detach().float().cpu().numpy() for name, tensor in self.state_dict().items()}

    def get_input_embeddings(self) -> nn.Embedding:
        """The token table."""
        table = self.get_submodule("embeddings.token")
        assert isinstance(table, nn.Embedding)
        return table

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Put another token table in place of the model's; its vectors must be as wide."""
        width = self.get_input_embeddings().weight.shape[1]
        if not isinstance(value, nn.Embedding) or value.weight.shape[1] != width:
            found = f"{value.weight.shape[1]} wide" if isinstance(value, nn.Embedding) else f"a {type(value).__name__}"
            raise ConfigError(f"The new token table is {found}, but this model needs an nn.Embedding {width} wide. Make one.")
        self.get_submodule("embeddings").token = value
        self._fit_vocabulary(len(value.weight))

    def get_output_embeddings(self) -> nn.Linear | None:
        """A masked LM's last map, which shares its matrix with the token table; None where there is no such head."""
        bias = self._decoder_bias()
        if bias is None and self.head_name not in ("masked-lm", "pretraining"):
            return None
        weight = self.get_input_embeddings().weight
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
        linear.weight = weight
        linear.register_parameter("bias", bias)
        return linear

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Refused: the output matrix is the token table."""
        raise ConfigError(
            "The output matrix is the token table itself here, so it cannot be another. "
            "Use set_input_embeddings, which changes both."
        )

    def tie_weights(self) -> None:
        """Nothing to do: a masked LM reads the token table itself, so the two are never apart."""

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """Fit the model to a vocabulary of another size, such as ``len(tokenizer)``; the token table.

        Tokens are added, or lost, at the end. New ones have about the mean of the old vectors, or without ``mean_resizing``
        random ones, and a bias of zero in a masked LM. ``pad_to_multiple_of`` rounds the size up.
        """
        table, config = self.get_input_embeddings(), self.config
        count = new_size(len(table.weight), new_num_tokens, pad_to_multiple_of=pad_to_multiple_of, padding_id=table.padding_idx)
        if count != len(table.weight):
            std = float(config.get("initializer_range", 0.02))
            set_table(table, resized(table.weight, count, std=std, mean_resizing=mean_resizing))
        self._fit_vocabulary(count)
        return table

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """How many numbers the weights are, shared ones counted once; the token, position and type tables may be left out."""
        tables = [f"{name}.weight" for name, module in self.named_modules() if isinstance(module, nn.Embedding)]
        left_out = set(tables if exclude_embeddings else ())
        counted = (weight for name, weight in self.named_parameters() if name not in left_out)
        return sum(weight.numel() for weight in counted if weight.requires_grad or not only_trainable)

    def get_memory_footprint(self) -> int:
        """The bytes of all weights."""
        return sum(parameter.numel() * parameter.element_size() for parameter in self.parameters())

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether training computes each layer twice to remember less."""
        return self.gradient_checkpointing

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: Mapping[str, Any] | None = None) -> None:
        """Train in less memory: keep only what goes into each layer, and compute the rest again (Chen et al., 2016).

        Torch's form without re-entry is used, the one that allows frozen layers; arguments may ask for that and for nothing else.
        """
        asked = dict(gradient_checkpointing_kwargs or {})
        if asked not in ({}, {"use_reentrant": False}):
            raise ConfigError(
                f"gradient_checkpointing_kwargs is {asked}, but layers are computed again by torch's form without re-entry, "
                "which leaves no such choice. Leave it out, or give {'use_reentrant': False}."
            )
        self.gradient_checkpointing = True

    def gradient_checkpointing_disable(self) -> None:
        """Remember everything again, which is faster."""
        self.gradient_checkpointing = False

    def enable_input_require_grads(self) -> None:
        """Let gradients reach the embedded tokens though the token table is frozen, as adapters need it."""
        if "_input_hook" not in vars(self):
            vars(self)["_input_hook"] = self.get_input_embeddings().register_forward_hook(_require_grads)

    def disable_input_require_grads(self) -> None:
        """Take that back."""
        if "_input_hook" in vars(self):
            vars(self).pop("_input_hook").remove()

    def freeze(self, *parts: str) -> list[str]:
        """Keep the weights of some parts as they are in training; the names of all parameters that this froze.

        Parts go by Headway's names or the Hub's: ``"embeddings"``, ``"layers.0"``, ``"bert"``, ``"encoder.layer.0"``,
        ``"*.attention"``. A name that nothing has is a ``ConfigError``.
        """
        return self._set_requires_grad(parts, False)

    def unfreeze(self, *parts: str) -> list[str]:
        """Train the weights of some parts again; the names of all their parameters."""
        return self._set_requires_grad(parts, True)

    def _set_requires_grad(self, parts: tuple[str, ...], requires_grad: bool) -> list[str]:
        if not parts:
            raise ConfigError("No part is named. Name some, such as 'embeddings' or 'layers.0'; '*' is the whole model.")
        names = selected(self, parts)
        for name in names:
            self.get_parameter(name).requires_grad_(requires_grad)
        return names

    def _decoder_bias(self) -> nn.Parameter | None:
        return dict(self.named_parameters()).get("head.decoder.bias")

    def _fit_vocabulary(self, count: int) -> None:
        """Make the biases, the architecture and the configuration those of a table with this many rows."""
        bias = self._decoder_bias()
        if bias is not None and len(bias) != count:
            self.get_submodule("head.decoder").bias = fitted_bias(bias, count)
        self.architecture = with_vocabulary(self.architecture, count)
        self.config = self.config.replace(vocab_size=count)


def in_bytes(size: int | str) -> int:
    """A file's size as a number of bytes: 5000000, "5MB", "2GiB"."""
    match = re.fullmatch(r"(\d+) *([KMG]?)(I?)B?", str(size).strip().upper())
    if match is None or not int(match[1]):
        raise ConfigError(
            f"max_shard_size is {size!r}, but it is a number of bytes or a text such as '200MB', '5GB'. Correct it."
        )
    return int(match[1]) * (1024 if match[3] else 1000) ** " KMG".index(match[2] or " ")


def publish(folder: str | Path, repo_id: str, hub: Mapping[str, Any]) -> str:
    """The folder's address on the Hub, where it was just published."""
    from headway.checkpoints import push_folder

    return push_folder(folder, repo_id, **hub)


def _require_grads(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
    output.requires_grad_(True)

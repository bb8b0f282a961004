"""Weights, gradients and the optimiser's state in shards, one in each process (torch's FSDP2).

The model that the caller gave stays as it was made: a twin of it is sharded and trained, and its weights are gathered into the
model where somebody needs them whole: for evaluations, checkpoints, and at the end. Rajbhandari et al., 2020, arXiv:1910.02054.
"""

import copy
import importlib.util
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from headway.core.files import remove_drafts
from headway.errors import ConfigError, MissingExtraError
from headway.neural.layers import EncoderLayer
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.training.batch import Batch, LossSum
from headway.training.processes import Processes

Made = TypeVar("Made")
WHOLE = ("adafactor", "lion_32bit", "stable_adamw")
"""Optimisers that do not work on shards of weights."""


class Root(nn.Module):
    """The twin behind one call, in which FSDP has its weights together."""

    def __init__(self, model: EncoderModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, use: Callable[[EncoderModel], Made]) -> Made:
        """What ``use`` makes of the model."""
        return use(self.model)


class Sharded:
    """A model in shards, ``model``, beside the ``whole`` one."""

    def __init__(self, whole: EncoderModel, *, reshard: bool) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        self.whole, self.model = whole, copy.deepcopy(whole)
        mesh = init_device_mesh(whole.device.type, (dist.get_world_size(),))
        for layer in [module for module in self.model.modules() if isinstance(module, EncoderLayer)]:
            fully_shard(layer, mesh=mesh, reshard_after_forward=reshard)
        self.root = Root(self.model)
        fully_shard(self.root, mesh=mesh, reshard_after_forward=reshard)
        for module in self.root.modules():
            if isinstance(module, FSDPModule):  # losses are divided by the step's targets: gradients are sums, not means
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)

    def loss(self, loss_sum: LossSum, batch: Batch) -> Tensor:
        """The loss of a batch through the shards; of one that is there only to keep step with other processes nothing counts."""
        found: Tensor = self.root(lambda model: loss_sum(model, batch))
        return found * 0.0 if batch.is_idle else found

    @torch.no_grad()
    def gather(self) -> None:
        """Put the weights as they are now into the whole model."""
        for name, weight in self.model.named_parameters():
            self.whole.get_parameter(name).copy_(whole_tensor(weight))

    def write(self, optimizer: torch.optim.Optimizer, output: Path) -> Path | OSError:
        """The folder beside the checkpoints where each process wrote its shard of the optimiser's state, or why it could not."""
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
        from torch.distributed.checkpoint.state_dict_saver import save

        folder = output / ".shards"
        if dist.get_rank() == 0:
            shutil.rmtree(folder, ignore_errors=True)
            remove_drafts(output)
        dist.barrier()
        try:
            writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
            save(optimizer_tensors(self.model, optimizer), storage_writer=writer, no_dist=False)
        except CheckpointException as error:
            return OSError("; ".join(str(reason[0]) for reason in error.failures.values()))
        return folder


def shard(model: EncoderModel, arguments: TrainingArguments, processes: Processes) -> Sharded | None:
    """The model in shards, where that is wanted and there are several processes."""
    if not arguments.fsdp or processes.count == 1:
        return None
    if importlib.util.find_spec("torch.distributed.checkpoint.hf_storage") is None:
        raise MissingExtraError("fsdp writes its checkpoints with torch 2.9 or newer. Install it with: pip install -U torch.")
    if arguments.optim in WHOLE:
        raise ConfigError(f"fsdp is not for optim={arguments.optim!r}, which has to see whole matrices. Use adamw_torch_fused.")
    return Sharded(model, reshard=arguments.fsdp == "full_shard")


def whole_tensor(value: Any) -> Any:
    """A tensor as a whole, where it is in shards; every process has to ask."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser keeps, by its name there and the weight's."""
    return {
        f"{kept}.{name}": value.contiguous()
        for name, weight in model.named_parameters()
        for kept, value in optimizer.state.get(weight, {}).items()
        if isinstance(value, Tensor)
    }


def read_optimizer(folder: Path, model: nn.Module) -> dict[str, Tensor]:
    """What was kept in shards, each tensor as the model has its weight: of the whole one, or of this process's shard alone."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    weights: Mapping[str, Tensor] = dict(model.named_parameters())
    found: dict[str, Tensor] = {}
    for key, entry in HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata.items():
        assert isinstance(entry, TensorStorageMetadata)
        weight, size = weights.get(key.partition(".")[2]), torch.Size(entry.size)
        found[key] = torch.zeros_like(weight) if isinstance(weight, DTensor) and weight.shape == size else torch.zeros(size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*to load in a single process")  # which may well be meant
        load(found, storage_reader=HuggingFaceStorageReader(str(folder)))
    return found


def like(weight: Tensor, value: Tensor) -> Tensor:
    """A value kept of a weight, on its device and in shards if it is."""
    if isinstance(weight, DTensor) and not isinstance(value, DTensor) and value.shape == weight.shape:
        return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)
    return value.to(weight.device)

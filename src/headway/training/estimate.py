"""How much memory a training will need, by formula, and how much there is.

What a layer keeps for the backward pass is counted from the modules as they are: per token the inputs of maps, of the activation
and of normalisations, what dropout drew, and for each head the scores' softmax. A test holds it against what autograd keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from headway.architecture import Architecture
from headway.architecture.parts import Layer
from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments

STATE_BYTES = {"sgd": 0, "adafactor": 0, "adagrad": 4, "rmsprop": 4, "lion_32bit": 4}
"""What optimisers keep for each trained weight; the others keep two numbers, 8 bytes."""
GIGABYTE = 1e9


@dataclass(frozen=True)
class Estimate:
    """Bytes that a training needs."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    """Of the largest batch, with what the backward pass needs in between."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations

    @property
    def to_come(self) -> float:
        """What is not there yet when training begins: all but the weights."""
        return self.total - self.weights


def estimate(
    model: EncoderModel, lengths: Sequence[int], arguments: TrainingArguments, *, low: bool, checkpointing: bool
) -> Estimate:
    """What training needs for a largest batch of texts of these lengths; ``low``: products are in half precision."""
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return Estimate(
        weights=weights,
        gradients=4 * trained,
        optimizer=STATE_BYTES.get(arguments.optim, 8) * trained,
        activations=activation_bytes(
            model.architecture,
            lengths,
            low=low,
            checkpointing=checkpointing,
            fused=model.device.type == "cuda",
        ),
    )


def activation_bytes(
    architecture: Architecture, lengths: Sequence[int], *, low: bool, checkpointing: bool = False, fused: bool = False
) -> float:
    """Bytes that a batch of texts of these lengths keeps for its backward pass, and needs at its widest point.

    ``fused``: attention never holds its scores.
    """
    encoder, tokens = architecture.encoder, sum(lengths)
    squares = 0 if fused else sum(length * length for length in lengths)
    layers = [_layer(encoder.layers[step], encoder.hidden_size, low=low) for step in encoder.steps]
    kept = [of_token * tokens + of_pair * squares for of_token, of_pair in layers]
    embedded = 3 * 4 * max(encoder.embeddings.size, encoder.hidden_size) * tokens
    widest = max(_width(layer) for layer in encoder.layers) * (2 if low else 4) * 2 * tokens
    copies = 2 * sum(_weights_of(layer, encoder.hidden_size) for layer in encoder.layers) if low else 0
    if checkpointing:
        return embedded + 4 * encoder.hidden_size * tokens * len(kept) + max(kept, default=0) + widest + copies
    return embedded + sum(kept) + widest + copies


def _layer(layer: Layer, hidden: int, *, low: bool) -> tuple[float, float]:
    """Bytes for each token, and for each pair of tokens of one text."""
    size, attention, feed = (2 if low else 4), layer.attention, layer.feed_forward
    wide = _width(layer)
    maps = hidden + 3 * hidden + 2 * hidden + hidden + hidden + wide + feed.intermediate_size * (2 if feed.gated else 1)
    dropped = (attention.out_dropout > 0) * hidden + (feed.dropout > 0) * hidden + (feed.inner_dropout > 0) * wide
    norms = 4 * 2 * hidden
    pairs = size * attention.num_heads * (3 if attention.dropout else 1)
    return size * (maps + dropped) + norms, pairs


def _width(layer: Layer) -> int:
    return layer.feed_forward.intermediate_size * (2 if layer.feed_forward.gated else 1)


def _weights_of(layer: Layer, hidden: int) -> int:
    return 4 * hidden * hidden + hidden * (_width(layer) + layer.feed_forward.intermediate_size)


def available(device: torch.device, *, root: Path = Path("/")) -> float | None:
    """Bytes that this process may still take: of the GPU, or of memory within the limits that there are; None if unknown.

    A container's limit counts without what can be dropped from it, as the system's own figure does.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    bounds = [bound for bound in (_of_machine(root), _of_container(root), _of_process()) if bound is not None]
    return min(bounds, default=None)


def _of_machine(root: Path) -> float | None:
    facts = root / "proc" / "meminfo"
    if not facts.exists():
        return None
    lines = facts.read_text(encoding="ascii").splitlines()
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), None)


def _of_container(root: Path) -> float | None:
    """Of version 2 or version 1 of Linux' control groups, as a container sees its own."""
    for folder, limit, used, droppable in (
        ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        files = [root / folder / name for name in (limit, used, "memory.stat")]
        if not all(file.exists() for file in files):
            continue
        most, now, facts = (file.read_text(encoding="ascii") for file in files)
        if most.strip() == "max" or int(most) >= 1 << 60:
            continue
        dropped = dict(line.split() for line in facts.splitlines())
        return max(0.0, float(int(most) - int(now) + int(dropped.get(droppable, 0))))
    return None


def _of_process() -> float | None:
    """What ``ulimit -v`` leaves."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if most == resource.RLIM_INFINITY or not statm.exists():
        return None
    return max(0.0, float(most - int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()))


def said(found: Estimate, room: float | None, *, batch: str = "per_device_train_batch_size") -> list[str]:
    """The estimate in words, and a warning where it is more than there is; ``batch`` is the setting of its size."""
    parts = f"weights {_gb(found.weights)}, gradients {_gb(found.gradients)}, optimiser {_gb(found.optimizer)}"
    line = f"Memory: about {_gb(found.total)} GB ({parts}, largest batch {_gb(found.activations)})"
    if room is None:
        return [f"{line}."]
    if found.to_come <= room:
        return [f"{line}; {_gb(room)} GB more than the weights take are free."]
    fixed = found.gradients + found.optimizer
    remedy = (
        "Use optim='adafactor', freeze='embeddings', or a smaller model."
        if fixed > room
        else f"Use a smaller {batch} with more gradient_accumulation_steps, a smaller max_length, or gradient_checkpointing=True."
    )
    return [f"{line}, but only {_gb(room)} GB are free beside the weights, so it will probably not fit. {remedy}"]


def _gb(size: float) -> str:
    return f"{size / GIGABYTE:.2f}"

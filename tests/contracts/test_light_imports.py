"""What an import costs: light modules never load torch, and the commonest calls load almost nothing."""

import resource
import subprocess
import sys

import pytest

from headway.core import registry

LIGHT = (
    "errors",
    "core",
    "settings",
    "tables",
    "architecture",
    "families",
    "checkpoints",
    "text",
    "tasks",
    "graph",
    "inference",
    "bulk",
    "evaluation",
    "serving",
    "cli",
)
HEAVY = ("torch", "transformers", "datasets", "sklearn", "scipy", "pandas", "pyarrow", "sentence_transformers")
RUNTIME = ("numpy", "onnx", "onnxruntime", "tokenizers", "safetensors", "huggingface_hub", "tqdm")

WALK = f"""
import importlib, pkgutil, sys
for part in {LIGHT!r}:
    package = importlib.import_module("headway." + part)
    names = [found.name for found in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + ".")]
    for name in [package.__name__, *names]:
        importlib.import_module(name)
        heavy = sorted(set({HEAVY!r}) & set(sys.modules))
        assert not heavy, f"import {{name}} loads {{heavy}}"
        print(name)
"""


def fresh(code):
    """Run Python code in a new interpreter: what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code, names):
    """Which of these modules a new interpreter has loaded after the code."""
    report = f"\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.split()


def cpu_seconds(*arguments):
    """Processor time of a new interpreter: the least of five runs, since whatever else runs can only add."""

    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(5))


def commands():
    return [module.replace("_", "-") for module in registry.module_names("headway.cli.commands")]


def test_no_light_module_loads_torch_or_its_company():
    walked = fresh(WALK).split()
    assert {f"headway.{part}" for part in LIGHT} <= set(walked)


def test_importing_headway_loads_nothing_but_python():
    assert loaded_by("import headway", HEAVY + RUNTIME) == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([command, "--help"] for command in commands())], ids=" ".join)
def test_asking_for_help_loads_nothing_but_python(words):
    assert loaded_by(f"from headway.cli.main import main; assert main({words!r}) == 0", HEAVY + RUNTIME) == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([command, "--help"] for command in commands())], ids=" ".join)
def test_help_takes_less_than_150_ms(words):
    assert cpu_seconds("-m", "headway", *words) < 0.150


def test_importing_headway_takes_less_than_50_ms():
    assert cpu_seconds("-c", "import headway") - cpu_seconds("-c", "pass") < 0.050

"""What an import costs: light modules never load torch, and the commonest calls load almost nothing."""

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

COUNTED = """
import sys
count = 0
def counted(frame, event, argument):
    global count
    count += event in ("call", "c_call")
sys.setprofile(counted)
{code}
sys.setprofile(None)
print(count, file=sys.stderr)
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


def calls_of(code):
    """Calls of functions that a new interpreter makes for the code: what it costs, whatever else runs on the machine."""
    done = subprocess.run([sys.executable, "-c", COUNTED.format(code=code)], capture_output=True, text=True, check=True)
    return int(done.stderr)


def commands():
    return [module.replace("_", "-") for module in registry.module_names("headway.cli.commands")]


def test_no_light_module_loads_torch_or_its_company():
    walked = fresh(WALK).split()
    assert {f"headway.{part}" for part in LIGHT} <= set(walked)


def test_importing_headway_loads_nothing_but_python():
    assert loaded_by("import headway", HEAVY + RUNTIME) == []


@pytest.fixture(params=[["--help"], ["--version"], *([command, "--help"] for command in commands())], ids=" ".join)
def asking(request):
    """The code that asks for help."""
    return f"from headway.cli.main import main; assert main({request.param!r}) == 0"


def test_asking_for_help_loads_nothing_but_python(asking):
    assert loaded_by(asking, HEAVY + RUNTIME) == []


def test_help_takes_few_calls(asking):
    assert calls_of(asking) < 150_000  # counted were 87,000 at most


def test_importing_headway_takes_next_to_no_calls():
    assert calls_of("import headway") < 1000  # counted were 250

"""How large and how regular the code is. The numbers are a goal of the project, not an accident: see ARCHITECTURE.md, "Sizes"."""

import ast
import dataclasses
import importlib
import pkgutil
import statistics
from pathlib import Path

import pytest

import headway
from headway.cli._flags import build_parser, label
from headway.core import registry
from headway.core.config import Config, field_docs

SOURCE = Path(headway.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {str(path.relative_to(SOURCE)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function):
    """Lines of a function's body; its docstring is no code."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return statements[-1].end_lineno - statements[0].lineno + 1 if statements else 0


def functions():
    return [(where, node) for where, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, Function)]


def code_lines(path):
    """Lines that decide something: neither blank, nor comment, nor docstring, nor import."""
    text = path.read_text(encoding="utf-8")
    documented = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node)
    ]
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    left_out = {
        line for node in [*(node.body[0] for node in documented), *imports] for line in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(text.splitlines(), start=1)
    return sum(1 for number, line in lines if line.strip() and not line.strip().startswith("#") and number not in left_out)


def settings_classes():
    package = importlib.import_module("headway.settings")
    modules = [importlib.import_module(found.name) for found in pkgutil.iter_modules(package.__path__, "headway.settings.")]
    modules.append(importlib.import_module("headway.architecture"))
    found = {
        value for module in modules for value in vars(module).values() if isinstance(value, type) and issubclass(value, Config)
    }
    return sorted(found - {Config}, key=lambda cls: cls.__name__)


def test_functions_are_short():
    sizes = sorted(body_lines(node) for _, node in functions())
    assert statistics.median(sizes) <= 8
    assert sizes[int(0.9 * len(sizes))] <= 30
    longest = [(body_lines(node), where, node.name) for where, node in functions() if body_lines(node) > 60]
    assert not longest


def test_files_are_short():
    sizes = {str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert statistics.median(sizes.values()) <= 150
    assert not {where: size for where, size in sizes.items() if size > 400}


def test_a_family_fits_on_120_lines_of_code():
    sizes = {path.name: code_lines(path) for path in (SOURCE / "families").glob("*.py")}
    assert not {name: size for name, size in sizes.items() if size > 120}


def exported():
    """Public functions, and public methods of the public classes, that the packages offer in their ``__init__.py``."""
    inits = {where: tree for where, tree in TREES.items() if where.endswith("__init__.py")}
    names = {
        alias.name for tree in inits.values() for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for where, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, Function) and (node.name in names or where in inits):
                yield where, node
            elif isinstance(node, ast.ClassDef) and node.name in names:
                yield from ((where, method) for method in node.body if isinstance(method, Function))


def test_exported_functions_take_no_more_than_two_arguments_by_position():
    crowded = []
    for where, node in exported():
        positional = [argument.arg for argument in node.args.posonlyargs + node.args.args if argument.arg not in ("self", "cls")]
        if len(positional) > 2 and not node.name.startswith(("_", "on_")) and node.name not in KNOWN_BY_POSITION:
            crowded.append(f"{where}:{node.lineno} {node.name}({', '.join(positional)})")
    assert not crowded


# As they are known from torch, tokenizers and transformers' Trainer; on_… are the events of training, as there.
KNOWN_BY_POSITION = ("forward", "compute_loss", "char_to_token", "char_to_word", "word_to_tokens", "word_to_chars")


def test_nothing_catches_everything():
    """``except Exception`` hides mistakes. Cleaning up after anything, and passing it on, is no hiding."""
    silent = []
    for where, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "BaseException"
                passed_on = any(isinstance(part, ast.Raise) for part in ast.walk(node))
                if caught in ("Exception", "BaseException") and not passed_on:
                    silent.append(f"{where}:{node.lineno}")
    assert not silent


def test_no_method_with_a_body_is_overridden():
    """A class is abstract or final: variation is another object passed in. Python's own protocols (dunders) are excepted."""
    classes = {node.name: node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    overridden = []
    for name, node in classes.items():
        above = [base for base in (getattr(base, "id", getattr(base, "attr", None)) for base in node.bases) if base in classes]
        inherited = {
            method.name for base in above for method in classes[base].body if isinstance(method, Function) and has_a_body(method)
        }
        overridden += [
            f"{name}.{method.name}" for method in node.body if isinstance(method, Function) and method.name in inherited
        ]
    assert not overridden


def has_a_body(method):
    statements = method.body[1:] if ast.get_docstring(method) is not None else method.body
    only_dots = len(statements) == 1 and isinstance(statements[0], ast.Expr) and ast.unparse(statements[0]) == "..."
    return bool(statements) and not only_dots and not method.name.startswith("__")


@pytest.mark.parametrize("settings", settings_classes(), ids=lambda cls: cls.__name__)
def test_every_setting_says_what_it_is(settings):
    docs = field_docs(settings)
    assert settings.__doc__
    silent = [field.name for field in dataclasses.fields(settings) if not docs.get(field.name, "").endswith((".", "?", "…"))]
    assert not silent


@pytest.mark.parametrize("module", registry.module_names("headway.cli.commands"))
def test_every_command_turns_each_of_its_settings_into_one_argument(module):
    command = registry.load("headway.cli.commands", module, "COMMAND")
    shown = build_parser(command, program=f"headway {module}").format_help()
    assert command.summary
    for field in dataclasses.fields(command.settings):
        assert label(field) in shown

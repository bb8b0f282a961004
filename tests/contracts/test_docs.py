"""What the documentation says is so: commands parse, files exist, links lead somewhere, generated parts are up to date."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from headway.cli._flags import parse
from headway.core import registry

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
}
MADE = {"results/", "runs/", "build/", "dist/", "node_modules/"}
"""Folders that somebody's work leaves beside the project's own."""
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def console_lines():
    """Each command in a console block, without the comment behind it."""
    for page, text in PAGES.items():
        for language, block in FENCED.findall(text):
            if language == "console":
                yield from ((page, line[2:].split("  #")[0].strip()) for line in block.splitlines() if line.startswith("$ "))


TOUR = [
    f"headway {words}"
    for words in re.findall(r"^show (.*)$", (ROOT / "scripts" / "tour").read_text(encoding="utf-8"), re.MULTILINE)
]
HEADWAY = [*(line for _, line in console_lines() if line.startswith("headway ")), *TOUR]
SCRIPTS = [line for _, line in console_lines() if line.startswith("scripts/")]


@pytest.mark.parametrize("line", HEADWAY)
def test_headway_commands_in_the_documentation_parse(line):
    _, name, *words = shlex.split(line)
    command = registry.load("headway.cli.commands", name, "COMMAND")
    assert isinstance(parse(command, words, program=f"headway {name}"), command.settings)


@pytest.mark.parametrize("line", SCRIPTS)
def test_scripts_in_the_documentation_are_there_and_executable(line):
    path = ROOT / line.split()[0]
    assert path.stat().st_mode & 0o100


def test_console_blocks_hold_nothing_that_is_not_checked():
    assert {line for _, line in console_lines()} <= {*HEADWAY, *SCRIPTS}
    assert TOUR
    assert HEADWAY
    assert SCRIPTS


def test_example_files_named_in_commands_are_there():
    named = {word for line in HEADWAY for word in shlex.split(line) if word.startswith("examples/")}
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_and_headings_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md"])
def test_the_annotated_tree_is_the_tree(page):
    tree = next(block for language, block in FENCED.findall(PAGES[page]) if language == "text" and "src/headway/" in block)
    entries = {name for name in re.findall(r"[├└]── (\S+)", tree) if "/" in name or "." in name}
    inside = {path.name + "/" for path in (ROOT / "src" / "headway").iterdir() if path.is_dir() and path.name != "__pycache__"}
    shown = {path.name + "/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    at_top = {*shown - MADE - {"src/"}, "src/headway/", "constraints.txt"} if page == "README.md" else set()
    assert entries == inside | at_top | {"errors.py"}


def test_generated_parts_are_up_to_date():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def page(tmp_path):
    """A page of another project, and ``scripts/docs`` there: ``page.docs("--check")`` gives its exit status and words."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "docs", tmp_path / "scripts" / "docs")
    (tmp_path / "src" / "headway").mkdir(parents=True)
    for path in (ROOT / "src" / "headway").iterdir():
        if path.name != "models":  # whose cards the script would write, through a link, into this project
            (tmp_path / "src" / "headway" / path.name).symlink_to(path)
    run = [sys.executable, tmp_path / "scripts" / "docs"]
    docs = lambda *words: subprocess.run([*run, *words], capture_output=True, text=True, check=False)  # noqa: E731
    return SimpleNamespace(path=tmp_path / "README.md", docs=docs)


def test_a_generated_part_that_is_old_is_found_and_made_anew_and_can_be_made_again(page):
    page.path.write_text("<!-- generated: commands -->\nold\n<!-- end -->\nrest\n", encoding="utf-8")
    assert page.docs("--check").returncode == 1
    assert page.docs().returncode == 0
    made = page.path.read_text(encoding="utf-8")
    assert "usage: headway COMMAND" in made
    assert made.endswith("<!-- end -->\nrest\n")
    assert page.docs("--check").returncode == 0
    page.path.write_text(made.replace("usage", "abuse"), encoding="utf-8")
    assert page.docs("--check").returncode == 1


def test_a_generated_part_without_end_is_refused(page):
    page.path.write_text("<!-- generated: commands -->\nold\n", encoding="utf-8")
    done = page.docs("--check")
    assert done.returncode == 1
    assert "README.md has a generated part without its <!-- end -->" in done.stderr


def test_every_command_has_its_settings_documented():
    for module in registry.module_names("headway.cli.commands"):
        assert f"\n## headway {module}\n" in PAGES["docs/commands.md"]


def test_the_readme_python_compiles():
    blocks = [block for page in PAGES.values() for language, block in FENCED.findall(page) if language == "python"]
    assert len(blocks) >= 4
    for block in blocks:
        compile(block, "a page", "exec")


def test_the_first_python_of_the_readme_gives_what_it_says():
    first = next(block for language, block in FENCED.findall(PAGES["README.md"]) if language == "python")
    names = {}
    exec(compile(first, "README.md", "exec"), names)
    (answer,) = names["classify"]("I love this product!")
    assert answer["label"] == "POSITIVE"
    assert answer["score"] > 0.9
    assert [found["label"] for found in names["classify"](["A lovely film.", "A waste of time."])] == ["POSITIVE", "NEGATIVE"]

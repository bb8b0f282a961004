"""A BERT-base from its files to weights that can be used: seconds and memory, Headway beside transformers.

    python benchmarks/checkpoints.py

Each load is a process of its own, with the libraries imported before the clock starts. "weights" are NumPy arrays, without torch;
"model" is `AutoModel.from_pretrained` of either library. All numbers are then read once, so that it does not matter who put it
off. The files are in the disk cache.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import write_result

FORMS = ("safetensors", "pickle (zip)", "pickle (torch < 1.6)")
MODEL = "model = AutoModel.from_pretrained(folder)\ntotal = sum(float(weight.detach().sum()) for weight in model.parameters())"
LOADS = {
    "Headway, weights": (
        "from headway.checkpoints import load_checkpoint",
        "weights = load_checkpoint(folder).weights\ntotal = sum(float(array.sum()) for array in weights.values())",
    ),
    "Headway, model": ("from headway.neural import AutoModel", MODEL),
    "transformers, model": ("from transformers import AutoModel, BertModel", MODEL),
}
PROCESS = """
import gc, json, sys, time
{imports}
folder = sys.argv[1]

def memory(name):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name))

gc.collect()  # or else one of them collects by chance what the imports left, for a tenth of a second
before, start, busy = memory("VmRSS"), time.perf_counter(), time.process_time()
{load}
seconds, busy = time.perf_counter() - start, time.process_time() - busy
print(json.dumps({{"seconds": seconds, "processor": busy, "peak": memory("VmHWM") - before, "kept": memory("RssAnon")}}))
"""


def make_models(parent: Path) -> dict[str, Path]:
    """A BERT-base with random weights in each form."""
    import torch
    import transformers

    model = transformers.BertModel(transformers.BertConfig())
    folders = {form: parent / str(number) for number, form in enumerate(FORMS)}
    for form, folder in folders.items():
        model.config.save_pretrained(folder)
        if form == "safetensors":
            model.save_pretrained(folder)
        else:
            torch.save(model.state_dict(), folder / "pytorch_model.bin", _use_new_zipfile_serialization=form == "pickle (zip)")
    return folders


def measured(what: str, folder: Path) -> dict[str, float]:
    """One load in a new process: seconds, processor seconds, and how far memory rose, in MB."""
    imports, load = LOADS[what]
    code = PROCESS.format(imports=imports, load=load)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {f"{what}, {form}": [] for form in FORMS for what in LOADS}
    with tempfile.TemporaryDirectory() as name:
        folders = make_models(Path(name))
        for number in range(options.rounds + 1):
            for form in FORMS:
                for what in LOADS:
                    figures = measured(what, folders[form])
                    if number:  # the first round fills the disk cache
                        found[f"{what}, {form}"].append(figures)
            print(f"round {number} of {options.rounds}", flush=True)
    digits = {"seconds": 2, "processor": 2, "peak": 0}
    rows = [
        [what, *(f"{statistics.median(one[name] for one in figures):.{places}f}" for name, places in digits.items())]
        for what, figures in found.items()
    ]
    for row in rows:
        print(*row, sep="\t")
    result = {
        "title": "BERT-base (110 million weights) from its files, on a warm disk cache",
        "command": "python benchmarks/checkpoints.py",
        "columns": ["what", "seconds", "processor seconds", "memory at the peak, MB more than before"],
        "rows": rows,
        "measured": found,
    }
    write_result("checkpoints", result)


if __name__ == "__main__":
    main()

"""From a fresh process to the first sentiment answer: seconds and memory, Headway beside transformers.

    python benchmarks/startup.py

transformers runs a model of the shipped model's size, saved by itself; Headway runs the shipped model.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from measuring import fresh_process, median_ratio, write_result

TEXT = "I love this product!"
NOTHING = "pass"
IMPORT = "import headway"
HEADWAY = f"from headway import pipeline\nprint(pipeline('sentiment-analysis')({TEXT!r}))"
TRANSFORMERS = "from transformers import pipeline\nprint(pipeline('sentiment-analysis', model={folder!r})({text!r}))"


def make_model(folder: Path) -> None:
    """A classifier of the shipped model's shape, as transformers saves it, with the shipped tokenizer."""
    import transformers

    from headway.checkpoints import load_config
    from headway.text import Tokenizer

    settings = {name: value for name, value in load_config("sentiment").to_dict().items() if name != "model_type"}
    transformers.BertForSequenceClassification(transformers.BertConfig(**settings)).save_pretrained(folder)
    Tokenizer.from_pretrained("sentiment").save_pretrained(folder)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make_model(Path(name))
        codes = {
            "bare Python": NOTHING,
            "import headway": IMPORT,
            "Headway, first answer": HEADWAY,
            "transformers, first answer": TRANSFORMERS.format(folder=name, text=TEXT),
        }
        offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
        found: dict[str, list[tuple[float, float]]] = {what: [] for what in codes}
        for number in range(options.rounds + 1):
            for what, code in codes.items():
                figures = fresh_process(code, environment=offline)
                if number:  # the first round fills the disk cache
                    found[what].append(figures)
    seconds = {what: [figure[0] for figure in figures] for what, figures in found.items()}
    memory = {what: [figure[1] for figure in figures] for what, figures in found.items()}
    rows = [[what, f"{1000 * statistics.median(seconds[what]):.0f}", f"{statistics.median(memory[what]):.0f}"] for what in codes]
    ratio = median_ratio(seconds["transformers, first answer"], seconds["Headway, first answer"])
    rows.append(["transformers / Headway, first answer", f"{ratio:.1f}×", ""])
    for row in rows:
        print(*row, sep="\t")
    result = {
        "title": "A fresh process, up to the first sentiment answer",
        "command": "python benchmarks/startup.py",
        "columns": ["what", "milliseconds", "peak memory, MB"],
        "rows": rows,
        "seconds": seconds,
        "memory_mb": memory,
    }
    write_result("startup", result)


if __name__ == "__main__":
    main()

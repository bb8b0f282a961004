"""The snippets that people know from transformers run with the import changed. Each has a process of its own and no network."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headway.inference.defaults import HUB_MODELS
from headway.settings.loading import LoadingOptions

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]

CLASSIFICATION = """
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained('bert-base-uncased', num_labels=2)
tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')

inputs = tokenizer(texts, padding=True, truncation=True, return_tensors='pt')
outputs = model(**inputs)
predictions = outputs.logits.argmax(dim=-1)
"""

PIPELINES = """
from transformers import pipeline

classifier = pipeline('sentiment-analysis')
result = classifier("I love this product!")
# [{'label': 'POSITIVE', 'score': 0.99}]

qa = pipeline('question-answering')
result = qa(question="What is ML?", context="ML is machine learning...")
"""

TRAINING = """
from transformers import Trainer, TrainingArguments

args = TrainingArguments(
    output_dir='./results',
    learning_rate=2e-5,
    num_train_epochs=3,
    per_device_train_batch_size=16
)
trainer = Trainer(model=model, args=args, train_dataset=train, eval_dataset=val)
trainer.train()
"""

TEXTS = """
texts = ["the movie was good", "we saw a very bad film , boring and awful !"]
"""

ROWS = """
rows = [("a good film", 1), ("a bad film", 0), ("great fun", 1), ("awful and boring", 0), ("we love it", 1)]
train = [{**tokenizer(text), "label": label} for text, label in rows]
val = train[:3]
"""


@pytest.fixture
def hub_cache(model_folder, tmp_path):
    """A cache as huggingface_hub lays it out, holding a tiny model under the name of a famous one."""
    folder = tmp_path / "hub" / "models--bert-base-uncased"
    snapshot = folder / "snapshots" / ("0" * 40)
    shutil.copytree(model_folder("masked-lm"), snapshot)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    return tmp_path / "hub"


@pytest.fixture
def usual_answerer(model_folder, tmp_path):
    """The same for the model that answers questions where none is named."""
    model = HUB_MODELS["question-answering"]
    folder = tmp_path / "hub" / f"models--{model.name.replace('/', '--')}"
    shutil.copytree(model_folder("question-answering", num_labels=2), folder / "snapshots" / ("0" * 40))
    (folder / "refs").mkdir()
    (folder / "refs" / model.revision).write_text("0" * 40)
    return tmp_path / "hub"


def answer(snippet: str, shown: str, *, cache: Path, folder: Path) -> dict[str, object]:
    """What ``shown`` is after the snippet, whose one change is the import."""
    code = f"{snippet.replace('from transformers import', 'from headway import')}\nimport json, sys\nprint(json.dumps({shown}))"
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "HEADWAY_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_classification_snippet_runs(hub_cache, tmp_path):
    shown = '{"shape": outputs.logits.shape, "predictions": predictions.tolist(), "inputs": inputs["input_ids"].shape}'
    found = answer(TEXTS + CLASSIFICATION, shown, cache=hub_cache, folder=tmp_path)
    assert found["shape"] == [2, 2]
    assert set(found["predictions"]) <= {0, 1}
    assert found["inputs"][0] == 2


def test_the_sentiment_of_the_pipeline_snippet_needs_what_ships_alone_and_no_torch(tmp_path):
    snippet, _ = PIPELINES.split("qa = ")
    found = answer(snippet, '{"result": result, "torch": "torch" in sys.modules}', cache=tmp_path / "empty", folder=tmp_path)
    assert found == {"result": [{"label": "POSITIVE", "score": pytest.approx(0.99, abs=0.01)}], "torch": False}


def test_the_pipeline_snippet_runs(usual_answerer, tmp_path):
    found = answer(PIPELINES, "result", cache=usual_answerer, folder=tmp_path)
    assert list(found) == ["score", "start", "end", "answer"]
    assert found["answer"] == "ML is machine learning..."[found["start"] : found["end"]] != ""
    assert 0 < found["score"] <= 1


def test_the_training_snippet_runs_after_that_of_classification(hub_cache, tmp_path):
    found = answer(TEXTS + CLASSIFICATION + ROWS + TRAINING, "trainer.evaluate()", cache=hub_cache, folder=tmp_path)
    assert {"eval_loss", "eval_accuracy", "eval_f1"} <= found.keys()
    assert (tmp_path / "results" / "checkpoint-3").is_dir()


def test_the_python_of_the_page_about_models_runs_from_top_to_bottom(hub_cache, tmp_path):
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    shown = {
        "predictions": "predictions.shape",
        "classes": "[type(model).__name__, type(fresh).__name__, fresh.training]",
        "states": "len(states)",
        "labels": "model.config.id2label",
        "trained": "sorted({name.partition('.')[0] for name, weight in model.named_parameters() if weight.requires_grad})",
    }
    answers = ", ".join(f'"{name}": {code}' for name, code in shown.items())
    found = answer("\n".join(blocks), f"{{{answers}}}", cache=hub_cache, folder=tmp_path)
    assert found == {
        "predictions": [2],
        "classes": ["BertForSequenceClassification", "BertForMaskedLM", True],
        "states": 4,
        "labels": {"0": "NEGATIVE", "1": "POSITIVE"},
        "trained": ["head", "layers"],
    }


def test_the_page_about_models_has_every_option():
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert not [field.name for field in dataclasses.fields(LoadingOptions) if f"`{field.name}`" not in page]

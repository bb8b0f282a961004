"""Calls of huggingface_hub's client, in a process of their own: ``python hub_calls.py URL`` prints what it made of the answers.

Another environment's interpreter can run it too, with another version of huggingface_hub: nothing of Headway is imported.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

from huggingface_hub import InferenceClient, __version__

TEXT = "the movie was great fun"
QUESTION = {"question": "was it fun ?", "context": "we saw a movie , it was great fun ! the dog was not ."}
LABELS = ["fun", "dog", "not very good"]
TEMPLATE = "it was {} !"
MASKED = "the [MASK] was great"
OTHERS = ["boring", "a film"]


def calls(url: str) -> dict[str, Callable[[], Any]]:
    """What is called, by a name."""

    def at(path: str = "") -> InferenceClient:
        return InferenceClient(model=url + path, token="none", timeout=120)

    endpoint = InferenceClient(provider="hf-inference", model=url)
    return {
        "labels": lambda: at().text_classification(TEXT),
        "labels of a model": lambda: at("/models/mood").text_classification(TEXT, top_k=2),
        "labels of a task": lambda: at("/pipeline/text-classification/mood").text_classification(
            TEXT, function_to_apply="sigmoid"
        ),
        "entities": lambda: at("/models/tagger").token_classification(TEXT),
        "words": lambda: at("/models/tagger").token_classification(TEXT, aggregation_strategy="first", ignore_labels=["LABEL_0"]),
        "answer": lambda: at().question_answering(**QUESTION),
        "answers": lambda: at().question_answering(**QUESTION, top_k=3, max_answer_len=4, doc_stride=5),
        "masks": lambda: at("/models/filler").fill_mask(MASKED, top_k=3),
        "zero-shot": lambda: at().zero_shot_classification(TEXT, LABELS, multi_label=True, hypothesis_template=TEMPLATE),
        "features": lambda: at("/models/org/encoder").feature_extraction(TEXT).tolist(),
        "features of several": lambda: (
            at("/models/org/encoder").feature_extraction([TEXT, "boring"], normalize=True, truncate=True).tolist()
        ),
        "similarities": lambda: at("/models/org/encoder").sentence_similarity(TEXT, other_sentences=OTHERS),
        "health": endpoint.health_check,
        "health of nobody": InferenceClient(provider="hf-inference", model=f"{url}/models/nobody").health_check,
        "info": lambda: endpoint.get_endpoint_info()["model_id"],
        "nobody": lambda: at("/models/nobody").text_classification(TEXT),
        "no choice": lambda: at("/models/tagger").token_classification(TEXT, aggregation_strategy="all"),
    }


def plain(found: Any) -> Any:
    """The client's objects as what they were made of, without what was not there."""
    if isinstance(found, list):
        return [plain(one) for one in found]
    if dataclasses.is_dataclass(found):
        known = {field.name for field in dataclasses.fields(found)}
        return {name: value for name, value in vars(found).items() if value is not None and name in known}
    return found


def called(call: Callable[[], Any]) -> Any:
    """What a call returns, or the error that it raises."""
    try:
        return plain(call())
    except OSError as error:  # HfHubHTTPError is one
        return {"raised": str(error)}


if __name__ == "__main__":
    found = {name: called(call) for name, call in calls(sys.argv[1]).items()}
    print(json.dumps({"version": __version__, **found}))

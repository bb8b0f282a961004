"""Several models behind one address: requests of all of them at once are each answered by their own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from headway import pipeline
from serving.over_http import ask, metrics, serving

TEXTS = [f"{'very ' * (number % 5)}fun {number}" for number in range(13)]


def test_requests_of_several_models_at_once_are_answered_by_their_own(model_folder):
    folders = {
        "tagger": ("token-classification", model_folder("token-classification", num_labels=5)),
        "judge": ("text-classification", model_folder("sequence-classification", num_labels=3)),
    }
    named = [word for name, (task, folder) in folders.items() for word in (task, f"{name}={folder}")]
    pipes = {name: pipeline(task, folder, precision="fp32") for name, (task, folder) in folders.items()}
    asked = [(name, task, text) for text in TEXTS for name, (task, _) in folders.items()]
    with serving(*named, "--threads", "2", "--log", "none") as (_, url), ThreadPoolExecutor(7) as clients:
        answers = list(clients.map(lambda one: ask(f"{url}/tasks/{one[1]}", {"inputs": one[2], "model": one[0]}), asked))
        for (name, _, text), (status, found, _) in zip(asked, answers, strict=True):
            assert status == 200, found
            for one, expected in zip(found, pipes[name](text), strict=True):
                assert one == {**expected, "score": pytest.approx(expected["score"], abs=1e-5)}
        counted = metrics(url)
        for name, (task, _) in folders.items():
            assert counted[f'headway_requests_total{{model="{name}",task="{task}",outcome="answered"}}'] == len(TEXTS)

import pytest

from headway.architecture import ModelConfig
from headway.errors import TaskError
from headway.families import family
from headway.tasks.entailment import Verdicts, verdicts_of


@pytest.mark.parametrize(
    ("labels", "entailment", "contradiction"),
    [
        pytest.param(["contradiction", "neutral", "entailment"], 2, 0, id="last"),
        pytest.param(["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], 0, 2, id="first"),
        pytest.param(["contradiction", "entailment", "neutral"], 1, 0, id="between"),
        pytest.param(["entailment", "not_entailment"], 0, 1, id="two labels"),
        pytest.param(["not_entailment", "entailment"], 1, 0, id="two labels the other way round"),
        pytest.param(["no", "Entails", "entail"], 1, 0, id="the first of several"),
    ],
)
def test_verdicts_are_found_by_name(labels, entailment, contradiction):
    config = family("bert").config(id2label=dict(enumerate(labels)))
    assert verdicts_of(config) == Verdicts(entailment, contradiction)


def test_label2id_of_the_file_counts_before_id2label():
    values = {"model_type": "bert", "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}
    for places, expected in (({"entailment": 0, "neutral": 1}, 0), ({"no": 0, "entailment": 1}, 1)):
        assert verdicts_of(ModelConfig(values | {"label2id": places})).entailment == expected


@pytest.mark.parametrize("wrong", [{"entailment": 7}, {"entailment": "2"}, ["entailment"], None], ids=str)
def test_places_that_are_none_are_not_believed(wrong):
    values = {"model_type": "bert", "id2label": {"0": "no", "1": "entailment", "2": "perhaps"}, "label2id": wrong}
    assert verdicts_of(ModelConfig(values)) == Verdicts(1, 0)


def test_without_a_name_the_last_label_is_taken_with_a_warning():
    config = family("bert").config(num_labels=3)
    with pytest.warns(
        UserWarning, match=r"None of this model's labels \(LABEL_0, LABEL_1, LABEL_2\) begins with 'entail', so the last"
    ):
        assert verdicts_of(config) == Verdicts(2, 0)


def test_a_single_label_says_nothing_about_entailment():
    with pytest.raises(TaskError, match=r"This model has a single label, LABEL_0, but zero-shot classification compares"):
        verdicts_of(family("bert").config(num_labels=1))

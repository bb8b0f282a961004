import dataclasses

import pytest

from headway.architecture.dropout import with_dropout
from headway.families import family, model_types


def rates(part):
    """Every dropout in the part, however deep."""
    if isinstance(part, tuple):
        return {rate for entry in part for rate in rates(entry)}
    if not dataclasses.is_dataclass(part):
        return set()
    found = {getattr(part, field.name) for field in dataclasses.fields(part) if "dropout" in field.name}
    return found | {rate for field in dataclasses.fields(part) for rate in rates(getattr(part, field.name))}


@pytest.mark.parametrize("model_type", model_types())
def test_every_dropout_of_every_family_has_the_rate(model_type):
    found = family(model_type)
    for head in found.class_names:
        architecture = found.architecture(found.config(), head)
        assert rates(with_dropout(architecture, 0.37)) == {0.37}


def test_nothing_else_changes():
    bert = family("bert")
    config = bert.config(hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2, classifier_dropout=0.2)
    architecture = bert.architecture(config, "sequence-classification")
    assert rates(architecture) == {0.0, 0.2}  # the pooler has none
    assert with_dropout(with_dropout(architecture, 0.5), 0.0) == with_dropout(architecture, 0.0)

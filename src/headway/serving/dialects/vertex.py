"""Vertex AI's container contract: instances in, predictions out, at the addresses that its environment names."""

import os
from collections.abc import Mapping

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._body import holds
from headway.serving.dialects._instances import REQUEST, RESPONSE, predict
from headway.serving.dialects.hugging_face import refuse
from headway.serving.dialects.text_embeddings_inference import health

PREDICT, HEALTH = "AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE"
USUAL = "/vertex"


def routes(environment: Mapping[str, str]) -> tuple[Route, ...]:
    """The usual route, and those that Vertex's environment names."""
    predictions, probe = environment.get(PREDICT, USUAL), environment.get(HEALTH)
    found = [_predictions(USUAL)]
    if predictions != USUAL:
        found.append(_predictions(predictions))
    if probe:
        found.append(Route(method="GET", path=probe, handler=health, summary="Whether requests are answered", public=True))
    return tuple(found)


def _predictions(path: str) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=predict,
        summary="Predictions for instances",
        request=REQUEST,
        response=RESPONSE,
        accepts=None if path == USUAL else holds("instances"),  # /predict, which many choose, has other bodies too
    )


DIALECT = Dialect(
    name="Vertex AI",
    summary="Instances and predictions, as Vertex AI asks its containers.",
    routes=routes(os.environ),
    refuse=refuse,
)

"""KServe's first protocol: ``/v1/models/{model}:predict``. Its list of models is OpenAI's, which has the same address."""

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects._instances import REQUEST, RESPONSE, predict
from headway.serving.dialects.hugging_face import refuse

DIALECT = Dialect(
    name="KServe v1",
    summary="Instances and predictions, as KServe's first protocol has them.",
    routes=(
        Route(
            method="POST",
            path="/v1/models/{model...}:predict",
            handler=predict,
            summary="Predictions for instances",
            request=REQUEST,
            response=RESPONSE,
        ),
    ),
    refuse=refuse,
)

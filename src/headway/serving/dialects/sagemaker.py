"""SageMaker's container contract: ``/ping``, and ``/invocations`` with what would be posted to the root."""

from headway.serving.dialect import Dialect, Route
from headway.serving.dialects import hugging_face
from headway.serving.dialects.text_embeddings_inference import health

DIALECT = Dialect(
    name="SageMaker",
    summary="The two routes of a SageMaker container; requests are those of Hugging Face or text-embeddings-inference.",
    routes=(
        Route(method="GET", path="/ping", handler=health, summary="Whether requests are answered", public=True),
        Route(
            method="POST",
            path="/invocations",
            handler=hugging_face.answer,
            summary="Whatever the first fitting model does",
            request=hugging_face.INPUTS,
            response={},
        ),
    ),
    refuse=hugging_face.refuse,
)

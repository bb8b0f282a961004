"""OpenAI's own client, unchanged, against a server."""

import openai
import pytest

from serving.dialects.in_process import Loopback

TEXT, OTHER = "the movie was great fun", "boring"


@pytest.fixture
def embed(pipe):
    return lambda inputs, **options: pipe("org/encoder")(inputs, normalize=True, **options)


def test_its_own_client_reads_the_answers_and_the_errors(service, embed):
    with Loopback(service) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        plain = client.embeddings.create(input=[TEXT, OTHER], model="org/encoder")  # asks for base64 and decodes it
        assert [one.embedding for one in plain.data] == embed([TEXT, OTHER])
        numbers = client.embeddings.create(input=TEXT, model="org/encoder", encoding_format="float", dimensions=3)
        assert numbers.data[0].embedding == embed(TEXT, truncate_dim=3)
        assert numbers.usage.total_tokens == 7
        assert [one.id for one in client.models.list()] == [served.name for served in service.models()]
        assert client.models.retrieve("org/encoder").owned_by == "headway"
        with pytest.raises(openai.NotFoundError, match="There is no model 'nobody' here") as error:
            client.models.retrieve("nobody")
        assert error.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError, match="`dimensions` is 29"):
            client.embeddings.create(input=TEXT, model="org/encoder", dimensions=29)

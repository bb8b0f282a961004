"""What the server says where it cannot start, and where a request is refused before it is read."""

import socket

import pytest

from headway.cli.commands.serve import run, with_environment
from headway.errors import CheckpointError, ConfigError, InputError
from headway.serving.keys import read_keys
from headway.serving.refusals import RefusedError, refusal
from headway.serving.server import listen
from headway.settings.serving import ServeSettings


def test_an_address_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127.0.0.1:{port} cannot be listened at .* Choose another --port"):
            listen(ServeSettings(port=port))


def test_a_file_of_keys_has_to_hold_one(tmp_path):
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="holds no key, so nobody could be told from anybody"):
        read_keys((), file=tmp_path / "empty", admin_file=None)
    with pytest.raises(ConfigError, match="Name a text file with one key a line"):
        read_keys((), file=tmp_path / "none", admin_file=None)


def test_keys_come_from_the_environment_too(monkeypatch):
    monkeypatch.setenv("HEADWAY_API_KEYS", "one,two")
    assert read_keys(("three",), file=None, admin_file=None).clients == (b"three", b"one", b"two")


def test_what_is_typed_wins_over_the_environment():
    said = {"PORT": "3000", "MODEL_ID": "other", "MAX_BATCH_TOKENS": "77"}
    found = with_environment(ServeSettings(models=("mine",), port=9000), said)
    assert (found.models, found.port, found.max_batch_tokens) == (("mine",), 9000, 77)
    with pytest.raises(ConfigError, match="The variable PORT is 'http', but it is a whole number"):
        with_environment(ServeSettings(), {"PORT": "http"})


def test_sites_and_the_form_of_the_log_come_from_the_environment_too():
    found = with_environment(
        ServeSettings(), {"CORS_ALLOW_ORIGIN": "https://a.example, https://b.example", "JSON_OUTPUT": "true"}
    )
    assert (found.cors_origin, found.log) == (("https://a.example", "https://b.example"), "json")
    assert with_environment(ServeSettings(log="none"), {"JSON_OUTPUT": "false"}).log == "none"
    assert with_environment(ServeSettings(), {"JSON_OUTPUT": "false"}).log == "text"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "--workers is 0, but somebody has to serve"),
        ({"tls_key": "key.pem"}, "HTTPS needs both --tls-certificate and --tls-key"),
    ],
)
def test_settings_that_cannot_mean_anything_are_refused_before_anything_is_loaded(settings, message, monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    with pytest.raises(ConfigError, match=message):
        run(ServeSettings(**settings))


def test_errors_of_the_library_are_the_clients_unless_the_model_is_at_fault():
    assert refusal(InputError("No text.")).status == 422
    assert refusal(CheckpointError("Damaged.")).status == 500
    refused = RefusedError("Busy.", reason="overloaded", retry_after=2)
    assert refusal(refused) is refused
    assert refused.status == 429

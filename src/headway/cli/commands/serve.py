"""``headway serve``: models over HTTP."""

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headway.cli.command import Command
from headway.errors import ConfigError, missing_extra
from headway.settings.serving import ServeSettings

if TYPE_CHECKING:
    import socket

    from headway.serving.loaded import Loaded

FROM_ENVIRONMENT = {
    "MODEL_ID": "models",
    "REVISION": "revision",
    "PORT": "port",
    "AIP_HTTP_PORT": "port",
    "MAX_CONCURRENT_REQUESTS": "max_concurrent_requests",
    "MAX_BATCH_TOKENS": "max_batch_tokens",
    "MAX_CLIENT_BATCH_SIZE": "max_client_batch_size",
    "PAYLOAD_LIMIT": "payload_limit",
    "CORS_ALLOW_ORIGIN": "cors_origin",
    "JSON_OUTPUT": "log",
}
"""Names that charts for text-embeddings-inference and Vertex AI set; what is typed wins over them."""


def run(settings: ServeSettings) -> None:
    """Load the models, say what is served where, and serve until told to stop."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the server has its own threads, and forks
    _check_installed()
    settings = with_environment(settings, os.environ)
    from headway.inference.engine import checked_threads, usable_cores
    from headway.serving.board import Board
    from headway.serving.loaded import load, sources
    from headway.serving.memory import settle
    from headway.serving.processes import run_processes
    from headway.serving.server import listen, read_all_keys, serve
    from headway.serving.telemetry import ask_for

    _check(settings)
    ask_for(settings.otlp_endpoint, os.environ)
    threads = checked_threads(settings.threads or max(1, usable_cores() // settings.workers))
    keys, named = read_all_keys(settings), sources(settings.models, revision=settings.revision, precision=settings.precision)
    models = [load(source, threads=threads) for source in named]
    listener = listen(settings)
    announce(settings, models, listener)
    start = partial(serve, settings, models, listener=listener, threads=threads, keys=keys)
    if settings.workers == 1:
        start()
    else:
        board = Board(settings.workers, models=len(models))
        settle()  # before forking: looking through an object writes to it, and so to memory that processes share
        run_processes(settings.workers, lambda member: start(board=board, member=member), drain_seconds=settings.drain_seconds)


def announce(settings: ServeSettings, models: "list[Loaded]", listener: "socket.socket") -> None:
    """What is served, where, and the first thing to try."""
    from headway.serving.logs import Log

    host, port = listener.getsockname()[:2]
    place = f"{'https' if settings.tls_certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    log = Log("text")  # which goes on where standard error is a full disk
    for model in models:
        served = model.served
        log.say(f"headway: {served.name} ({served.precision}) does {', '.join(served.tasks)}")
    log.say(f"headway: serving at {place}, where a browser finds a page to try it, and {place}/docs")


def with_environment(settings: ServeSettings, environment: Any) -> ServeSettings:
    """The settings, those that nobody typed taken from the environment where it has them."""
    usual, values = ServeSettings(), dict[str, Any]()
    for variable, name in FROM_ENVIRONMENT.items():
        said = environment.get(variable)
        if said and getattr(settings, name) == getattr(usual, name):
            values[name] = _read(variable, said, name)
    served_as = environment.get("SERVED_MODEL_NAME")
    models = values.get("models", settings.models)
    if served_as and len(models) == 1 and "=" not in models[0]:
        values["models"] = (f"{served_as}={models[0]}",)
    return replace(settings, **values)


def _read(variable: str, said: str, name: str) -> Any:
    if name == "models":
        return (said,)
    if name == "revision":
        return said
    if name == "cors_origin":
        return tuple(said.replace(",", " ").split())
    if name == "log":
        return "json" if said.lower() in ("true", "1") else "text"
    if not said.isdigit():
        raise ConfigError(f"The variable {variable} is {said!r}, but it is a whole number. Correct it, or unset it.")
    return int(said)


def _check(settings: ServeSettings) -> None:
    from headway.serving.tls import check_certificate

    if settings.workers < 1:
        raise ConfigError(f"--workers is {settings.workers}, but somebody has to serve. Use a whole number from 1 on.")
    if settings.workers > 1 and not hasattr(os, "fork"):
        raise ConfigError("--workers needs a system that can fork processes, which this one cannot. Leave it out.")
    check_certificate(settings.tls_certificate, settings.tls_key)


def _check_installed() -> None:
    import importlib.util

    for package in ("orjson", "uvicorn", "httptools"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, extra="serve", purpose="Serving models")


COMMAND = Command(summary="serve models over HTTP, in the dialects that clients already speak", settings=ServeSettings, run=run)

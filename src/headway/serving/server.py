"""A process that serves: the event loop, the socket and the room, from its start to its graceful end."""

import asyncio
import os
import signal
import socket
import warnings
from collections.abc import Awaitable, Callable, Sequence

import uvicorn

from headway.errors import ConfigError, HeadwayError
from headway.serving import telemetry
from headway.serving.app import App
from headway.serving.board import Board
from headway.serving.connection import connections
from headway.serving.control import Command, Member, Others
from headway.serving.counters import Counters
from headway.serving.keys import Keys, read_keys
from headway.serving.loaded import Loaded
from headway.serving.logs import Log
from headway.serving.memory import settle
from headway.serving.open_files import possible_connections
from headway.serving.room import Room
from headway.serving.routing import router
from headway.serving.tls import check_certificate, load_certificate
from headway.settings.serving import ServeSettings

BACKLOG = 2048


def listen(settings: ServeSettings) -> socket.socket:
    """The socket that requests come to. An address that cannot be had is a ``ConfigError``."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        found = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{settings.host}:{settings.port} cannot be listened at ({error}): something else may listen there, or the address "
            "is not this machine's. Choose another --port or --host."
        ) from error
    found.set_inheritable(True)
    return found


def read_all_keys(settings: ServeSettings) -> Keys:
    """The keys that the settings name."""
    return read_keys(settings.api_key, file=settings.api_key_file, admin_file=settings.admin_key_file)


def serve(
    settings: ServeSettings,
    models: Sequence[Loaded],
    *,
    listener: socket.socket,
    threads: int,
    keys: Keys,
    board: Board | None = None,
    member: Member | None = None,
) -> None:
    """Serve until the process is told to stop; what is under way then is answered, within the limit.

    One of several processes has a part of the ``board`` that all count on, and is told what it is by ``member``.
    """
    counters = Counters(board, own=member.place if member else 0)
    others = Others(member.end) if member else None
    traces = telemetry.start(os.environ)
    room = Room(models, limits=settings, threads=threads, counters=counters, others=others, traces=traces)
    log, most = Log(settings.log), possible_connections(settings.max_connections)
    if most < settings.max_connections:
        log.say(f"headway: the system allows {most} connections, so there are no more (ulimit -n, or --max-connections).")
    app = App(room, router(), keys=keys, log=log, origins=settings.cors_origin)
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # called by the connections alone
        interface="asgi3",
        http=connections(app, patience=settings.keep_alive, most=most),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(settings.keep_alive)),
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    warnings.filterwarnings("ignore", module=r"headway\.tasks\.")  # what a task warns of may quote a request, and logs never do
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)  # uvicorn, once it has ended, sends itself the signal again
    settle()
    try:
        _run(config, room, listener, settings=settings, member=member)
    finally:
        room.close()
        log.close()
        if traces is not None:
            traces.stop()


def _run(config: uvicorn.Config, room: Room, listener: socket.socket, *, settings: ServeSettings, member: Member | None) -> None:
    async def refresh() -> None:
        renew_certificate(config, settings)
        await reload(room)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tasks = set[asyncio.Task[None]]()
        if member is not None:
            await join(room, member, refresh=refresh)
        elif hasattr(signal, "SIGHUP"):  # Windows has none
            loop.add_signal_handler(signal.SIGHUP, lambda: tasks.add(loop.create_task(refresh())))
        await uvicorn.Server(config).serve(sockets=[listener])

    runner = asyncio.Runner(loop_factory=config.get_loop_factory())
    with runner:
        runner.run(main())


async def join(room: Room, member: Member, *, refresh: Callable[[], Awaitable[None]]) -> None:
    """Be like the other processes: with their models, and from now on doing what they are told."""
    if member.has_changed:
        await reload(room)
    for name in member.unloaded:
        room.drop(name)

    async def do(command: Command, model: str) -> None:
        await (refresh() if command == "reload" else room.do(command, model))

    if room.others is not None:
        room.others.listen(do)


def renew_certificate(config: uvicorn.Config, settings: ServeSettings) -> None:
    """Show new clients the certificate that stands in the files now; where it cannot be used the old one goes on."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None or not config.loaded or config.ssl is None:
        return
    try:
        check_certificate(certificate, key)
        load_certificate(config.ssl, certificate, key)
    except ConfigError as error:
        Log("text").say(f"headway: the certificate was not renewed, and the old one goes on: {error}")


async def reload(room: Room, *, say: Callable[[str], None] = lambda words: Log("text").say(words)) -> None:
    """Load the models whose files have changed; one that fails is named, and its old version goes on."""
    try:
        found = await room.load_changed()
    except HeadwayError as error:
        say(f"headway: a model was not loaded anew, and its old version goes on: {error}")
        return
    for served in found:
        say(f"headway: {served.name} is version {served.version[:12]} now (process {os.getpid()})")

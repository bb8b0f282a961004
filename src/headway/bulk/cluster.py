"""A cluster of Ray: joined, or started on this machine for a while; and how many workers fit on it."""

import logging
import os
import socket
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from headway.errors import ConfigError, EngineError
from headway.inference.engine import usable_cores

ADDRESS = "RAY_ADDRESS"
WORKER_THREADS = 4
"""Cores of a worker where nobody says: one process makes the tokens for all of its threads, and holds one model for them."""

STORE_BYTES = 512 << 20
"""Memory for tables on their way, where the cluster is started here: a few megabytes for each worker are used."""

CONNECT_SECONDS = 10
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""What a user may set otherwise: nothing is reported to Ray's makers, and Ray's own log stays in its files."""


@dataclass(frozen=True)
class Crew:
    """How many workers there are, and what each of them has."""

    workers: int
    cores: int
    gpus: int


def crew(machines: Iterable[Mapping[str, float]], *, threads: int | None, gpus: int) -> Crew:
    """As many workers as fit on machines with these resources; without any it is an ``EngineError``.

    ``threads`` are the cores of each worker, by default four, or as many as the largest machine has; ``gpus`` its GPUs, 0 or 1.
    """
    having = [(int(machine.get("CPU", 0)), int(machine.get("GPU", 0))) for machine in machines]
    cores = threads or max(1, min(WORKER_THREADS, max((cpu for cpu, _ in having), default=0)))
    workers = sum(min(cpu // cores, gpu) if gpus else cpu // cores for cpu, gpu in having)
    if not workers:
        raise EngineError(
            f"No machine of the cluster has room for a worker with {cores} cores{' and a GPU' * bool(gpus)}. Lower --threads, "
            f"{'leave --device out, ' * bool(gpus)}or name another cluster with {ADDRESS}."
        )
    return Crew(workers, cores, gpus)


@contextmanager
def connected() -> Iterator[list[Mapping[str, float]]]:
    """The resources of each machine of a cluster that this process is connected to meanwhile.

    It is the one that it is connected to already, else the one at ``RAY_ADDRESS``, else one of this machine alone, which ends
    with the block.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    mine = not ray.is_initialized()
    if mine:
        _connect(os.environ.get(ADDRESS))
    try:
        with _quiet():
            yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        if mine:
            ray.shutdown()


def _connect(address: str | None) -> None:
    if (address or "").startswith("ray://"):
        raise ConfigError(
            f"{ADDRESS} is {address}, which is for clients outside of the cluster, but the answers are written where Ray runs. "
            f"Run the command on a machine of the cluster, with {ADDRESS}=auto."
        )
    import ray

    here = {"address": "local", "num_cpus": usable_cores(), "object_store_memory": STORE_BYTES, "include_dashboard": False}
    try:
        _knock(address or "")
        ray.init(**({"address": address} if address else here), logging_level=logging.ERROR, log_to_driver=False)
    except OSError as error:  # Ray's ConnectionError is one
        raise EngineError(
            f"No cluster of Ray answers at {address} ({error}). Start one, name another with {ADDRESS}, or unset that: then one "
            "is started on this machine alone."
        ) from error


def _knock(address: str) -> None:
    """Whether anybody is at an address: Ray itself would ask for minutes."""
    host, sign, port = address.rpartition(":")
    if sign and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data without its notices and its bars: a job has its own."""
    from ray.data import DataContext

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"ray\.")
        context: Any = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # every table that comes is one block: nothing is joined
    log = logging.getLogger("ray.data")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with DataContext.current(context):
            yield
    finally:
        log.setLevel(level)

"""Processes that belong together, without torchrun: forked from one that has imported torch, which takes them no time.

Scripts that tests start use it, so those tests put this folder on ``PYTHONPATH``.
"""

import os
import socket
import sys


def in_processes(count, work):
    """Do the work in so many processes with the environment that torchrun gives them; whether all ended well."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        meeting = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(count)}
    started = []
    for rank in range(count):
        started.append(os.fork())
        if started[-1] == 0:
            os.environ.update(meeting, RANK=str(rank), LOCAL_RANK=str(rank))
            work()
            sys.exit()
    return not any([os.waitpid(process, 0)[1] for process in started])

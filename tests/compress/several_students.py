"""Distillations in several processes, forked from one that has imported torch: ``several_students.py COUNT SETTINGS_AS_JSON``."""

import json
import os
import socket
import sys

from headway.compress import DistillSettings, distill


def launch(count, each):
    """Do these in so many processes with the environment that torchrun gives them; whether all ended well."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        meeting = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(count)}
    started = []
    for rank in range(count):
        started.append(os.fork())
        if started[-1] == 0:
            os.environ.update(meeting, RANK=str(rank), LOCAL_RANK=str(rank))
            for given in each:
                found = distill(DistillSettings(**given), progress=False)
                sys.stdout.write(f"{rank} {given['recipe']} {found.comparison.student.score}\n")
            sys.exit()
    return not any([os.waitpid(process, 0)[1] for process in started])


if __name__ == "__main__":
    sys.exit(not launch(int(sys.argv[1]), json.loads(sys.argv[2])))

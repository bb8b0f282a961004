"""Distillations in several processes, forked from one that has imported torch: ``several_students.py COUNT SETTINGS_AS_JSON``."""

import json
import os
import sys
from functools import partial

from forked import in_processes
from headway.compress import DistillSettings, distill


def distill_each(each):
    """These distillations, one after the other, and what each student scored."""
    for given in each:
        found = distill(DistillSettings(**given), progress=False)
        sys.stdout.write(f"{os.environ['RANK']} {given['recipe']} {found.comparison.student.score}\n")


if __name__ == "__main__":
    sys.exit(not in_processes(int(sys.argv[1]), partial(distill_each, json.loads(sys.argv[2]))))

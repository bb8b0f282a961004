"""Whether this process was started as one of several."""

import os


def is_first_process() -> bool:
    """Whether nobody else says what was done: of the processes that ``torchrun`` starts only the first speaks."""
    return os.environ.get("RANK", "0") == "0"

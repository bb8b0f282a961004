"""What is in use is not looked through for garbage, and yet goes with its model."""

import gc
import weakref

from headway.serving.memory import give_back, settle


class Model:
    """Refers to itself, so that it goes only once it is looked for."""

    def __init__(self):
        self.own = self


def test_what_is_there_when_all_has_settled_is_looked_for_only_when_memory_is_given_back():
    first = Model()
    try:
        settle()
        second, gone = Model(), [weakref.ref(first)]
        gone.append(weakref.ref(second))
        del first, second
        gc.collect()
        assert [found() is None for found in gone] == [False, True]
        give_back()
        assert gone[0]() is None
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    give_back()
    assert gc.get_freeze_count() == 0

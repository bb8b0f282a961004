"""Work beside the main thread: reading ahead, and writing behind."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
AHEAD, BEHIND = 16, 16
END = object()


def ahead(items: Generator[Item, None, None], *, size: int = AHEAD) -> Iterator[Item]:
    """The same items, made by a thread of their own, which is never more than ``size`` of them ahead."""
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="headway-reading") as pool:
        made: deque[Future[Any]] = deque(pool.submit(next, items, END) for _ in range(size))
        try:
            while (item := made.popleft().result()) is not END:
                made.append(pool.submit(next, items, END))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


class Behind(Generic[Item]):
    """Calls a function with items, one after the other, in a thread of its own; what it raises, ``put`` or ``close`` raise.

    After an error the function is called no more, so that nothing is done out of order.
    """

    def __init__(self, work: Callable[[Item], None], *, size: int = BEHIND) -> None:
        self._work, self._size, self._broken = work, size, False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="headway-writing")
        self._waiting: deque[Future[None]] = deque()

    def put(self, item: Item) -> None:
        """Have the item worked at soon; wait while too many are waiting."""
        self._waiting.append(self._pool.submit(self._call, item))
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > self._size):
            self._waiting.popleft().result()

    def close(self) -> None:
        """Wait until all items are worked at."""
        self._pool.shutdown()
        while self._waiting:
            self._waiting.popleft().result()

    def _call(self, item: Item) -> None:
        if not self._broken:
            self._broken = True  # unless the next line ends well
            self._work(item)
            self._broken = False

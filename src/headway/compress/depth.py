"""Which layer of a teacher goes with which layer of a student that has fewer."""

from collections.abc import Sequence

from headway.errors import ConfigError


def evenly(layers: int, kept: int) -> tuple[int, ...]:
    """So many layers, evenly spaced with the first and the last, as DistilBERT was begun: 0 2 4 7 9 11 of twelve.

    Sanh et al., 2019, arXiv:1910.01108, section 2, take one layer out of two; these are the ones of their published script.
    """
    if kept == 1:
        return (0,)
    return tuple(round(index * (layers - 1) / (kept - 1)) for index in range(kept))


def matched(teacher: int, student: int) -> tuple[int, ...]:
    """After which layer of the teacher, counted from 1 on, stands what each layer of the student learns.

    Uniform: the m-th of M learns from the (m N / M)-th of N. Jiao et al., 2020, arXiv:1909.10351, section 4.1.
    """
    return tuple(max(1, round(number * teacher / student)) for number in range(1, student + 1))


def chosen(layers: int, *, count: int | None, keep: Sequence[int]) -> tuple[int, ...]:
    """The layers of the teacher that a student is begun with: those named, or so many evenly, by default every second one."""
    if keep:
        if list(keep) != sorted(set(keep)) or keep[0] < 0 or keep[-1] >= layers:
            raise ConfigError(
                f"keep_layers is {' '.join(map(str, keep))}, but the teacher's layers are 0 to {layers - 1}, and each can be "
                "kept once, in its order. Correct the numbers."
            )
        if count is not None and count != len(keep):
            raise ConfigError(f"num_layers is {count}, but keep_layers names {len(keep)} layers. Give one of the two.")
        return tuple(keep)
    count = max(1, layers // 2) if count is None else count
    if not 1 <= count <= layers:
        raise ConfigError(
            f"num_layers is {count}, but a student made from this teacher has 1 to {layers} layers. Give another number, or a "
            "student of its own."
        )
    return evenly(layers, count)

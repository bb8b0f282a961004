"""How many connections the system allows: each is an open file, of which a process has 1024 unless it asks for more."""

from contextlib import suppress

SPARE = 256
"""Open files that are no connections: models, sockets of the server's own, what libraries hold."""


def possible_connections(wanted: int) -> int:
    """Have the system allow so many connections, as far as it does; how many it allows then."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed, unlimited = wanted + SPARE, resource.RLIM_INFINITY
    if now == unlimited or now >= needed:
        return wanted
    allowed = needed if most == unlimited else min(needed, most)
    with suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        now = allowed
    return min(wanted, max(1, now - SPARE))

"""Who may ask: keys, compared in constant time."""

import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from headway.errors import ConfigError
from headway.serving.dialect import Route
from headway.serving.refusals import RefusedError

VARIABLES = ("HEADWAY_API_KEYS", "API_KEY")
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Keys:
    """The clients' keys and the operator's; without the first anybody may ask, without the second only this machine operates."""

    clients: tuple[bytes, ...] = ()
    operators: tuple[bytes, ...] = ()

    def check(self, route: Route, headers: Mapping[str, str], *, client: str) -> None:
        """Refuse a request that may not have this route."""
        if route.public or not (route.admin or self.clients):
            return
        given = bearer(headers)
        if route.admin:
            if not (_among(given, self.operators) if self.operators else is_here(headers, client=client)):
                raise RefusedError(
                    "Only the operator may do this: with a key of --admin-key-file, or where there is none from the machine "
                    "that the server runs on. Ask from there.",
                    reason="forbidden",
                )
        elif not _among(given, (*self.clients, *self.operators)):
            raise RefusedError(
                "The request bears no key that is known here. Send the header Authorization: Bearer KEY.", reason="unauthorized"
            )


def is_here(headers: Mapping[str, str], *, client: str) -> bool:
    """Whether a request comes from this machine, and of its own accord.

    A page of another site, which a browser on this machine shows, may ask here as well: it names its origin, or a host that is
    not this one, where a name of the site's was made to lead here.
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    try:
        is_named = (urlsplit(f"//{host}").hostname or "localhost") in ("localhost", *LOOPBACK)
        return client in LOOPBACK and is_named and (origin is None or urlsplit(origin).netloc == host)
    except ValueError:  # no address at all, such as http://[
        return False


def bearer(headers: Mapping[str, str]) -> bytes:
    """The key that a request bears: a bearer token, or the header x-api-key; empty where it bears none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return (key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")).encode()


def read_keys(given: Iterable[str], *, file: Path | None, admin_file: Path | None) -> Keys:
    """The keys from the command line, the environment and files."""
    named = [key for name in VARIABLES for key in os.environ.get(name, "").replace(",", " ").split()]
    clients = [*given, *named, *(_lines(file) if file else [])]
    return Keys(tuple(key.encode() for key in clients), tuple(key.encode() for key in (_lines(admin_file) if admin_file else [])))


def _lines(file: Path) -> list[str]:
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"Keys could not be read from {file} ({error}). Name a text file with one key a line.") from error
    if not found:
        raise ConfigError(f"{file} holds no key, so nobody could be told from anybody. Write one key a line.")
    return found


def _among(given: bytes, known: Iterable[bytes]) -> bool:
    """Whether a key is known; all are compared, so that the time tells nothing."""
    return any([hmac.compare_digest(given, key) for key in known])

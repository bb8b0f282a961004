"""From a request to the route that answers it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from headway.core import registry
from headway.errors import HeadwayError
from headway.serving.dialect import Dialect, Route
from headway.serving.http import HttpRequest, HttpResponse, json_response
from headway.serving.refusals import RefusedError, refusal
from headway.serving.service import Service

DIALECTS = "headway.serving.dialects"
NAME = re.compile(r"\{(\w+)(\.\.\.)?\}")

MOST_KNOWN, LONGEST_KNOWN = 1024, 256
"""How many paths are remembered with what they lead to, and of how many characters at most."""

Entry: TypeAlias = tuple[Route, Dialect]
Found: TypeAlias = tuple[Sequence[Entry], Mapping[str, str]]
"""Routes that share a path, and the names in the path that was asked for."""


@dataclass(frozen=True)
class Router:
    """All routes, found by path: those without names in them at once, the others by trying one after the other."""

    fixed: Mapping[str, Sequence[Entry]]
    patterns: Sequence[tuple[re.Pattern[str], Sequence[Entry]]]
    dialects: Sequence[Dialect] = field(default=())
    _known: dict[str, Sequence[Found]] = field(default_factory=dict)
    """What was found for paths that were asked for before; few paths are asked for again and again."""

    def find(self, request: HttpRequest) -> tuple[Route, Dialect, Mapping[str, str]]:
        """The route, its dialect and the names in its path. Refused as ``unknown_route`` or ``wrong_method``."""
        method = "GET" if request.method == "HEAD" else request.method
        candidates = self._candidates(request.path)
        for entries, parameters in candidates:
            for route, dialect in entries:
                if route.method == method and (route.accepts is None or route.accepts(request)):
                    return route, dialect, parameters
        if methods := {route.method for entries, _ in candidates for route, _ in entries}:
            raise RefusedError(
                f"{request.path} does not take {request.method} here. Use {' or '.join(sorted(methods))}.", reason="wrong_method"
            )
        raise RefusedError(
            f"There is nothing at {request.path}, so the request was not read. GET /openapi.json lists all that is served.",
            reason="unknown_route",
        )

    def first(self, method: str, path: str) -> Entry | None:
        """Some route of this method and path, before the request was read; None where there is none."""
        for entries, _ in self._candidates(path):
            for entry in entries:
                if entry[0].method == method:
                    return entry
        return None

    def _candidates(self, path: str) -> Sequence[Found]:
        if path in self._known:
            return self._known[path]
        found = [(self.fixed[path], {})] if path in self.fixed else list[Found]()
        found += [(entries, match.groupdict()) for pattern, entries in self.patterns if (match := pattern.fullmatch(path))]
        if found and len(path) <= LONGEST_KNOWN:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[path] = found
        return found


def router(dialects: Iterable[Dialect] | None = None) -> Router:
    """The router of these dialects; by default of all in ``serving/dialects``."""
    chosen = tuple(registry.load_all(DIALECTS, "DIALECT")) if dialects is None else tuple(dialects)
    by_path: dict[str, list[Entry]] = {}
    for dialect in chosen:
        for route in dialect.routes:
            by_path.setdefault(route.path, []).append((route, dialect))
    for entries in by_path.values():
        entries.sort(key=lambda entry: entry[0].accepts is None)
    fixed = {path: entries for path, entries in by_path.items() if "{" not in path}
    patterns = [(_pattern(path), entries) for path, entries in by_path.items() if "{" in path]
    return Router(fixed, patterns, chosen)


async def respond(request: HttpRequest, service: Service, *, routes: Router) -> HttpResponse:
    """The response to a request, an error worded by the dialect of its route."""
    try:
        route, dialect, parameters = routes.find(request)
    except RefusedError as error:
        return refused(error, None)
    request.parameters = parameters
    try:
        return await route.handler(request, service)
    except HeadwayError as error:
        return refused(refusal(error), dialect)


def refused(error: RefusedError, dialect: Dialect | None) -> HttpResponse:
    """A refusal in a dialect's words, or in plain ones where no dialect was found."""
    said = json_response({"error": str(error)}, status=error.status) if dialect is None else dialect.refuse(error)
    if error.retry_after is None:
        return said
    return replace(said, headers={**said.headers, "retry-after": str(max(1, round(error.retry_after)))})


def _pattern(path: str) -> re.Pattern[str]:
    parts, last = [], 0
    for found in NAME.finditer(path):
        parts += [re.escape(path[last : found.start()]), f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"]
        last = found.end()
    return re.compile("".join(parts) + re.escape(path[last:]))

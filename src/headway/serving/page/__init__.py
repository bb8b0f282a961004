"""Pages for people: plain files that a browser reads as they are, without a build step and without the network."""

from functools import cache
from pathlib import Path

MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def files() -> dict[str, tuple[bytes, str]]:
    """Every file of this folder that a browser may have, by name, with its media type; read once."""
    folder = Path(__file__).parent
    return {path.name: (path.read_bytes(), MEDIA[path.suffix]) for path in sorted(folder.iterdir()) if path.suffix in MEDIA}

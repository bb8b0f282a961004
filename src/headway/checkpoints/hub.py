"""A Hub repository's files through ``huggingface_hub``: its cache, its tokens, its offline mode; its errors as ours."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from huggingface_hub import constants, errors, snapshot_download

from headway import __version__
from headway.errors import CheckpointError

# The bases of the library's HTTP error are the HTTP library's own: requests' before version 1, httpx's since. Its errors of the
# other way to download, Xet, are of no common kind, and those of one version are missing in another.
XET = tuple(kind for name in ("XetError", "XetDownloadError") if (kind := getattr(errors, name, None)) is not None)
FAILURES: tuple[type[BaseException], ...] = (OSError, ValueError, RuntimeError, *XET, *errors.HfHubHTTPError.__bases__)
BROKEN = ("ChunkedEncodingError", "RemoteProtocolError", "ReadError")
"""What requests and httpx call a connection that broke; the library itself takes up only what it could not connect to."""
ATTEMPTS = 4
WAIT_SECONDS = 1.0
NO_TOKEN = "token=True asks for the saved token, but none is saved. Log in with: hf auth login, or pass the token itself."


def download(
    repository: str,
    *,
    patterns: Sequence[str],
    revision: str | None,
    token: str | bool | None,
    local_files_only: bool,
    cache_dir: str | Path | None,
) -> Path:
    """The snapshot folder with the repository's files that match; what the cache has is not downloaded again."""
    offline = local_files_only or constants.HF_HUB_OFFLINE
    get = partial(
        snapshot_download,
        repository,
        allow_patterns=list(patterns),
        revision=revision,
        token=token,
        local_files_only=offline,  # said outright, because some versions forget the environment where a commit is named
        cache_dir=cache_dir,
        library_name="headway",
        library_version=__version__,
    )
    try:
        return Path(_persistently(get))
    except FAILURES as error:
        reason = explain(error, repository, revision=revision, offline=offline, cache=cache_dir or constants.HF_HUB_CACHE)
        raise CheckpointError(reason) from error


def _persistently(get: Callable[[], str]) -> str:
    """The folder, also where a connection breaks within an answer: the next attempt goes on where the last one ended."""
    for _ in range(ATTEMPTS - 1):
        try:
            return get()
        except FAILURES as error:
            if type(error).__name__ not in BROKEN:
                raise
            time.sleep(WAIT_SECONDS)
    return get()


def explain(error: BaseException, repository: str, *, revision: str | None, offline: bool, cache: str | Path) -> str:
    """What happened and how to mend it, for each way in which a download fails."""
    match error:
        case errors.HFValidationError():
            return (
                f"{repository!r} is neither a folder here nor a Hub repository id, which looks like 'owner/name'. "
                "Check the path; a model's folder holds config.json."
            )
        case errors.GatedRepoError():
            return (
                f"{repository} is gated: its owners let in only those who agree to their terms. "
                f"Agree at {constants.ENDPOINT}/{repository}, then pass token=… or log in with: hf auth login."
            )
        case errors.RepositoryNotFoundError():
            return (
                f"There is no folder {repository!r} here, and the Hub shows no repository of that name. "
                "Check the spelling; for a private repository pass token=… or log in with: hf auth login."
            )
        case errors.RevisionNotFoundError():
            return (
                f"{repository} has no revision {revision!r}. "
                "Give a branch, tag or commit that its page on the Hub lists, or leave revision out."
            )
        case errors.LocalTokenNotFoundError():
            return NO_TOKEN
        case errors.LocalEntryNotFoundError():
            return _not_cached(error, f"{repository}{_at(revision)}", offline=offline, cache=cache)
    return (
        f"{repository}{_at(revision)} could not be downloaded into {cache}: {error}. "
        "Check the connection and the room on the disk, then try again."
    )


def _not_cached(error: BaseException, repository: str, *, offline: bool, cache: str | Path) -> str:
    in_part = hasattr(error, "snapshot_path")  # said since version 1
    found = f"{repository} is {'only in part' if in_part else 'not a folder here and not'} in the Hub's cache ({cache}), and "
    if offline:
        return (
            f"{found}the network is switched off (local_files_only or HF_HUB_OFFLINE). "
            "Load it once with the network on, or give a folder."
        )
    return f"{found}{constants.ENDPOINT} cannot be reached: {_root(error)}. Check the connection, or give a folder."


def _root(error: BaseException) -> str:
    """Why nothing could be had, in few words: requests wraps urllib3's error, which wraps the one that says it."""
    cause = error.__cause__ or error
    reason = getattr(next(iter(cause.args), None), "reason", None)
    return str(cause) if reason is None else str(reason).rpartition(": ")[2]


def _at(revision: str | None) -> str:
    return f" at {revision!r}" if revision else ""

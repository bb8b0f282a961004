"""A Hub repository's files through ``huggingface_hub``: its cache, its tokens, its offline mode; its errors as ours."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, errors, snapshot_download

from headway import __version__
from headway.errors import CheckpointError

# The bases of the library's HTTP error are the HTTP library's own: requests' before version 1, httpx's since.
FAILURES: tuple[type[BaseException], ...] = (OSError, ValueError, RuntimeError, errors.XetError, *errors.HfHubHTTPError.__bases__)


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
    try:
        found = snapshot_download(
            repository,
            allow_patterns=list(patterns),
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            cache_dir=cache_dir,
            library_name="headway",
            library_version=__version__,
        )
    except FAILURES as error:
        offline = local_files_only or constants.HF_HUB_OFFLINE
        reason = explain(error, repository, revision=revision, offline=offline, cache=cache_dir or constants.HF_HUB_CACHE)
        raise CheckpointError(reason) from error
    return Path(found)


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
            return "token=True asks for the saved token, but none is saved. Log in with: hf auth login, or pass the token itself."
        case errors.LocalEntryNotFoundError() if offline:
            return (
                f"{repository}{_at(revision)} is not a folder here and not in the Hub's cache ({cache}), "
                "and the network is switched off (local_files_only or HF_HUB_OFFLINE). "
                "Load it once with the network on, or give a folder."
            )
        case errors.LocalEntryNotFoundError():
            return (
                f"{repository}{_at(revision)} is not a folder here and not in the Hub's cache ({cache}), "
                f"and {constants.ENDPOINT} cannot be reached: {error.__cause__ or error}. Check the connection, or give a folder."
            )
    return (
        f"{repository}{_at(revision)} could not be downloaded into {cache}: {error}. "
        "Check the connection and the room on the disk, then try again."
    )


def _at(revision: str | None) -> str:
    return f" at {revision!r}" if revision else ""

"""The certificate for HTTPS and its key: whether they can be used, and how to go over to new ones while serving."""

import ssl
from pathlib import Path

from headway.errors import ConfigError


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """A ``ConfigError`` unless there is neither, or both can be read and belong together."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise ConfigError("HTTPS needs both --tls-certificate and --tls-key. Give both, or neither.")
    load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Have new connections of a context use these files. Those that cannot be used are a ``ConfigError``, and change nothing."""

    def password() -> str:
        raise ConfigError(
            f"The key {key} is locked by a password, and nobody is there to type it when a server starts. Unlock it: "
            f"openssl pkey -in {key} -out unlocked.pem, and let nobody else read that."
        )

    for file, flag in ((certificate, "--tls-certificate"), (key, "--tls-key")):
        try:
            file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file} cannot be read ({error.strerror}), so HTTPS is not possible. Correct {flag}.") from error
    try:
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        raise ConfigError(_explained(error, certificate, key)) from error


def _explained(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if "MISMATCH" in (error.reason or ""):
        return (
            f"The key {key} is not that of the certificate {certificate}, so no client could trust the server. Give the key that "
            "the certificate was made for; in a file with several certificates the server's own comes first."
        )
    return (
        f"{certificate} and {key} could not be read as a certificate and its key ({error.reason or error}). Both are text files "
        "in PEM format: the one has a line -----BEGIN CERTIFICATE-----, the other one that ends with PRIVATE KEY-----."
    )

"""HTTPS: answers over it, new certificates while serving, and files that cannot be used."""

import signal
import socket
import ssl
import subprocess

import pytest
import trustme

from headway.errors import ConfigError
from headway.serving.tls import check_certificate
from serving.over_http import PATIENCE, address, ask, classify, serving, until


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def issue(authority):
    """``issue(folder)``: a new certificate for this machine, as two files."""

    def issued(folder):
        made = authority.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(str(folder / "key.pem"))
        for number, pem in enumerate(made.cert_chain_pems):
            pem.write_to_path(str(folder / "certificate.pem"), append=number > 0)
        return folder / "certificate.pem", folder / "key.pem"

    return issued


@pytest.fixture
def trust(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def shown(url, trust):
    """The certificate that a client is shown."""
    with (
        socket.create_connection(address(url), timeout=PATIENCE) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        return client.version(), client.getpeercert(binary_form=True)


def test_https_is_answered_and_a_new_certificate_is_taken_up_on_sighup(issue, trust, tmp_path):
    certificate, key = issue(tmp_path)
    with serving("--tls-certificate", str(certificate), "--tls-key", str(key)) as (process, url):
        assert url.startswith("https://")
        assert classify(url, context=trust) == 200
        assert classify(url, "a" * 5_000_000, context=trust) == 413  # after all of it was sent
        version, first = shown(url, trust)
        assert version in ("TLSv1.3", "TLSv1.2")
        with pytest.raises(ssl.SSLError):  # a client that knows nothing of the authority
            shown(url, ssl.create_default_context())
        with pytest.raises(OSError, match=r"."):  # no TLS at all
            ask(url.replace("https", "http") + "/live")
        issue(tmp_path)
        process.send_signal(signal.SIGHUP)
        assert until(lambda: shown(url, trust)[1] != first)
        key.write_text("nothing")
        process.send_signal(signal.SIGHUP)
        assert until(lambda: any("could not be read as a certificate and its key" in line for line in process.lines))
        assert classify(url, context=trust) == 200


def test_files_that_cannot_be_used_are_refused_before_anything_is_loaded(issue, tmp_path):
    certificate, key = issue(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = issue(tmp_path / "other")
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    check_certificate(None, None)
    check_certificate(certificate, key)
    for files, said in {
        (certificate, other): r"other/key.pem is not that of the certificate .*certificate.pem",
        (certificate, tmp_path / "none"): r"none cannot be read \(No such file or directory\).* Correct --tls-key",
        (tmp_path, key): r"cannot be read \(Is a directory\).* Correct --tls-certificate",
        (key, key): "could not be read as a certificate and its key",
        (certificate, locked): r"locked.pem is locked by a password.* openssl pkey -in",
        (certificate, None): "HTTPS needs both",
    }.items():
        with pytest.raises(ConfigError, match=said):
            check_certificate(*files)

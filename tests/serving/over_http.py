"""``headway serve`` as a process of its own, asked over sockets."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

TEXT = "I love this product!"
PATIENCE = 120
"""Seconds to wait for what has to come, however busy the machine."""


@contextmanager
def serving(*flags, port=0, before=":", **environment):
    """A server of the shipped model on a free port: the process and its address; its ``lines`` are what it says.

    ``before`` is what a shell does first. With a ``port`` the server need not say where it is.
    """
    command = [sys.executable, "-m", "headway", "serve", "--port", str(port), "--threads", "1", *flags]
    process = subprocess.Popen(
        ["sh", "-c", f'{before}; exec "$@"', "sh", *command],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    url = f"http://127.0.0.1:{port}" if port else _said(process)
    assert until(lambda: not port or _is_open(port) or process.poll() is not None)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    process.lines = lines
    try:
        yield process, url
    finally:
        process.terminate()
        process.wait(PATIENCE)
        reader.join()
        process.stderr.close()


def _said(process):
    """The address that a server names as it starts."""
    said, url = "", None
    while url is None:
        line = process.stderr.readline()
        said += line
        assert line, said
        url = re.search(r"https?://[\d.:]+", line)
    return url[0]


def _is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def ask(url, body=None, *, context=None, **headers):
    """Status, JSON and headers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            said = error.read()
            return error.code, json.loads(said) if said else None, error.headers


def classify(url, text=TEXT, **headers):
    """The status of a request to the model."""
    return ask(f"{url}/tasks/text-classification", {"inputs": text}, **headers)[0]


def metrics(url):
    """The samples of /metrics by name and labels."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE) as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def address(url):
    """The host and the port."""
    host, port = url.split("//")[1].split(":")
    return host, int(port)


def talk(url, *parts):
    """What a raw connection gets until it is closed."""
    with socket.create_connection(address(url), timeout=PATIENCE) as client:
        for part in parts:
            client.sendall(part)
        found = b""
        while piece := client.recv(65536):
            found += piece
        return found


def until(condition, seconds=PATIENCE):
    """Wait until something holds, and say whether it came to that."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()

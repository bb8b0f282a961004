"""What a request costs beside the model, from its bytes to its answer's: in calls of functions, which no other work changes.

The time that they take is what ``benchmarks/serving.py`` measures.
"""

import asyncio
import json
import sys
import threading
from types import SimpleNamespace

import numpy as np

from headway.serving.app import App
from headway.serving.connection import connections
from headway.serving.keys import Keys
from headway.serving.loaded import Loaded, Source, load
from headway.serving.logs import Log
from headway.serving.room import Room
from headway.serving.routing import router
from headway.settings.serving import Limits

MOST = 460
"""Calls a request, of Python's functions and of libraries', tokenizing included; counted were 384."""
CONNECTIONS, REQUESTS = 64, 500
BODY = json.dumps({"inputs": "The plot is thin, but the actors are wonderful and I enjoyed every minute."}).encode()
ASKED = (
    b"POST /tasks/text-classification HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: a\r\nAccept: */*\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


class Nothing:
    """An engine that finds all labels alike."""

    def __init__(self, engine):
        self.config, self.precision, self.token_budget, self.workers = engine.config, engine.precision, engine.token_budget, 1

    def run(self, sequences, *, alone=False):
        return [{"logits": np.zeros(2, np.float32)} for _ in sequences]


class Client:
    """A transport, and the client behind it, who asks again once answered."""

    def __init__(self, answered):
        self.answered, self.connection = answered, None

    def get_extra_info(self, name):
        return ("127.0.0.1", 1234)

    def write(self, data):
        assert data.startswith(b"HTTP/1.1 200 ")
        asyncio.get_running_loop().call_soon(self.answered, self)

    def is_closing(self):
        return False

    def close(self):
        raise AssertionError("The connection was to go on.")

    def get_write_buffer_size(self):
        return 0

    pause_reading = resume_reading = close


async def ask_for(room, count):
    """So many requests, each answered."""
    app, state = App(room, router(), keys=Keys(), log=Log("none")), SimpleNamespace(connections=set(), tasks=set())
    state.default_headers, done, left = [(b"date", b"today")], asyncio.Event(), [count, count]

    def ask(client):
        left[0] -= 1
        client.connection.data_received(ASKED)

    def answered(client):
        left[1] -= 1
        if left[0] > 0:
            ask(client)
        elif not left[1]:
            done.set()

    clients = [Client(answered) for _ in range(CONNECTIONS)]
    for client in clients:
        client.connection = connections(app, patience=75, most=100)(server_state=state)
        client.connection.connection_made(client)
        ask(client)
    await done.wait()
    for client in clients:
        client.connection.connection_lost(None)


class Calls:
    """Counts the calls that all threads make while it is entered."""

    count = 0

    def __enter__(self):
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)
        threading.setprofile(None)

    def __call__(self, frame, event, argument):
        self.count += event in {"call", "c_call"}


def test_a_request_is_answered_with_few_calls():
    model = load(Source(name="sentiment", model="sentiment"), threads=1)

    async def counted():
        with Calls() as calls:  # before the room has threads
            room = Room([Loaded(model.source, model.served, Nothing(model.engine))], limits=Limits(), threads=1)
            await ask_for(room, 100)
            before = calls.count
            await ask_for(room, REQUESTS)
            found = calls.count - before
            room.close()
        return found

    assert 100 * REQUESTS < asyncio.run(counted()) < MOST * REQUESTS

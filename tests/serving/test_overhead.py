"""What a request costs beside the model: from its bytes to its answer's, in CPU time, with a model that computes nothing."""

import asyncio
import json
import time
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

MOST = 0.0004
"""Seconds of CPU time, tokenizing included; measured were 0.00016."""
CONNECTIONS, REQUESTS = 64, 1500
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


async def seconds_of(room, count):
    """CPU time of so many requests."""
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
    began = time.process_time()
    for client in clients:
        client.connection = connections(app, patience=75, most=100)(server_state=state)
        client.connection.connection_made(client)
        ask(client)
    await done.wait()
    took = time.process_time() - began
    for client in clients:
        client.connection.connection_lost(None)
    return took


def test_a_request_costs_at_most_0_4_ms_beside_its_model():
    model = load(Source(name="sentiment", model="sentiment"), threads=1)

    async def measured():
        room = Room([Loaded(model.source, model.served, Nothing(model.engine))], limits=Limits(), threads=1)
        await seconds_of(room, 200)
        found = min([await seconds_of(room, REQUESTS) for _ in range(2)])
        room.close()
        return found

    assert asyncio.run(measured()) < MOST * REQUESTS

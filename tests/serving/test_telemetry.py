"""Traces: which spans a request makes, whose they are, and that they never say what was asked."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from headway.errors import ConfigError, MissingExtraError
from headway.serving import telemetry
from headway.serving.app import App
from headway.serving.exchange import Ask
from headway.serving.http import HttpRequest
from headway.serving.keys import Keys
from headway.serving.loaded import Source, load
from headway.serving.logs import Log
from headway.serving.room import Room
from headway.serving.routing import router
from headway.serving.telemetry import Traces, ask_for, start, wanted
from headway.settings.serving import Limits
from serving.over_http import ask, serving, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FROM_CLIENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SECRET = "a very secret text"


@pytest.fixture(scope="module")
def model():
    return load(Source(name="mood", model="sentiment"), threads=1)


@pytest.fixture
def traced(model):
    """``traced(body, path=…, headers=…)``: the response, and the spans that the request made."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    room = Room([model], limits=Limits(), threads=1, traces=Traces(provider))
    app = App(room, router(), keys=Keys(), log=Log("none"))

    def ask_app(body, *, path="/tasks/text-classification", headers=None):
        data = json.dumps(body).encode()
        request = HttpRequest(method="POST", path=path, query_string="a=secret", body=data, headers=headers or {}, id="7")
        response = asyncio.run(app.answer(request))
        return request, response, exporter.get_finished_spans()

    yield ask_app
    room.close()


def test_a_request_is_a_span_of_its_clients_trace_with_its_stages_below_it_and_no_text_anywhere(traced):
    request, response, spans = traced({"inputs": [SECRET, "b"]}, headers=FROM_CLIENT)
    *stages, whole = spans
    assert response.status == 200
    assert [span.name for span in stages] == ["queue", "tokenize", "queue", "run", "decode"]
    assert (whole.name, whole.kind) == ("POST /tasks/{task}", SpanKind.SERVER)
    assert format(whole.parent.span_id, "016x") == PARENT
    assert {format(span.context.trace_id, "032x") for span in spans} == {TRACE} == {request.trace}
    assert {span.parent.span_id for span in stages} == {whole.context.span_id}
    times = [time for span in stages for time in (span.start_time, span.end_time)]
    assert times == sorted(times)
    assert whole.start_time <= times[0]
    assert times[-1] <= whole.end_time
    assert dict(whole.attributes) == {
        "http.request.method": "POST",
        "http.route": "/tasks/{task}",
        "url.path": "/tasks/text-classification",
        "headway.request_id": "7",
        "http.response.status_code": 200,
        "http.response.body.size": len(response.body),
    }
    about = {"headway.model": "mood", "headway.task": "text-classification", "headway.inputs": 2, "headway.sequences": 2}
    assert dict(stages[3].attributes) == about
    assert "secret" not in "".join(span.to_json() for span in spans)


def test_without_a_clients_trace_one_begins_and_what_is_refused_has_no_stages(traced):
    _, response, (whole,) = traced({"inputs": 7}, path="/nowhere")
    assert response.status == 404
    assert (whole.name, whole.parent) == ("POST", None)
    assert whole.status.status_code is StatusCode.UNSET


def test_a_fault_of_ours_is_one_in_the_trace(traced, monkeypatch):
    monkeypatch.setattr("headway.serving.workers.run_pieces", lambda *_, **__: telemetry_error())
    _, response, spans = traced({"inputs": "a"})
    assert response.status == 500
    assert [span.name for span in spans] == ["queue", "tokenize", "POST /tasks/{task}"]
    assert spans[-1].status.status_code is StatusCode.ERROR


def telemetry_error():
    from headway.errors import EngineError

    return EngineError("It does not run.")


def test_what_is_not_sampled_by_the_client_makes_no_spans(traced):
    _, response, spans = traced({"inputs": "a"}, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert (response.status, spans) == (200, ())


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"}, ["otlp_proto_http"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ["otlp_proto_grpc"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp_proto_http"]),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "TRUE"}, []),
    ],
)
def test_the_standard_variables_say_whether_and_how_traces_are_sent(environment, exporters):
    assert wanted(environment) == exporters


def test_what_is_missing_is_said(monkeypatch, capfd):
    environment = {}
    ask_for(None, environment)
    assert environment == {}
    ask_for("http://a:4318", environment)
    assert wanted(environment) == ["otlp_proto_http"]
    assert start({}) is None
    with pytest.raises(ConfigError, match="--otlp-endpoint is 'a:4318', but an address belongs there"):
        ask_for("a:4318", {})
    with pytest.raises(ConfigError, match=r"sent by otlp_proto_grpc, but no such exporter .* installed are .*otlp_proto_http"):
        start({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    monkeypatch.setattr(telemetry, "_is_installed", lambda: False)
    with pytest.raises(MissingExtraError, match=r"pip install 'headway\[serve-otel\]'"):
        ask_for("http://a:4318", {})
    assert start({"OTEL_TRACES_EXPORTER": "otlp"}) is None
    assert "headway: no traces are sent: That needs the package 'opentelemetry-sdk'" in capfd.readouterr().err


def test_an_ask_outside_of_a_request_makes_no_spans(model):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    room = Room([model], limits=Limits(), threads=1, traces=Traces(provider))
    asyncio.run(room.answer(Ask(items=["a"])))
    room.close()
    assert exporter.get_finished_spans() == ()


class Collector(BaseHTTPRequestHandler):
    """What an OpenTelemetry collector hears over HTTP."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.heard.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def test_a_collector_hears_of_requests_also_of_the_last_and_the_log_names_the_trace():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    with serving("--otlp-endpoint", endpoint, "--log", "json", OTEL_SERVICE_NAME="mood-server") as (process, url):
        assert ask(f"{url}/tasks/text-classification", {"inputs": SECRET}, **FROM_CLIENT)[0] == 200
        assert until(lambda: any(TRACE in line for line in process.lines))
    server.shutdown()
    thread.join()
    server.server_close()
    assert json.loads(next(line for line in process.lines if TRACE in line))["trace_id"] == TRACE
    found = [spans for path, said in server.heard if path == "/v1/traces" for spans in said.resource_spans]
    names = [span.name for one in found for scope in one.scope_spans for span in scope.spans]
    assert sorted(names) == ["POST /tasks/{task}", "decode", "queue", "queue", "run", "tokenize"]
    assert {attribute.value.string_value for attribute in found[0].resource.attributes} >= {"mood-server"}
    assert SECRET not in str(server.heard)

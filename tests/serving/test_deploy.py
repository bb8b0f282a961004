"""The Dockerfile and the manifests say what the server understands."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from headway.serving.room import Room
from headway.serving.routing import router
from headway.settings.serving import Limits, ServeSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
FLAGS = {f"--{field.name.replace('_', '-')}" for field in fields(ServeSettings)}


@pytest.fixture(scope="module")
def manifests():
    return {found["kind"]: found for found in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}


@pytest.fixture(scope="module")
def container(manifests):
    return manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def test_flags_exist_and_the_image_is_reached_from_outside(container):
    entry = json.loads(re.search(r"ENTRYPOINT (\[.*\])", (DEPLOY / "Dockerfile").read_text())[1])
    given = [word for word in (*entry, *container["args"]) if word.startswith("--")]
    assert set(given) <= FLAGS
    assert entry[:4] == ["headway", "serve", "--host", "0.0.0.0"]


def test_the_image_is_built_of_what_is_there_and_holds_what_was_installed_alone():
    """That it builds is not shown here; that what it copies exists and suffices for the package is."""
    build, final = (DEPLOY / "Dockerfile").read_text().split("\n\n")
    root = DEPLOY.parent
    copied = [word for line in build.splitlines() if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert all((root / name).exists() for name in copied)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", "src", "constraints.txt", project["readme"], *project["license-files"]} <= set(copied)
    extra = re.search(r"'/source\[(\w+)\]'", build)[1]
    assert extra in project["optional-dependencies"]
    place = re.search(r"--prefix=(\S+)", build)[1]
    assert re.findall(r"^COPY .*", final, re.MULTILINE) == [f"COPY --from=build {place} /usr/local"]


def test_probes_ask_what_is_public_and_the_port_is_the_servers(container):
    public = {route.path for dialect in router().dialects for route in dialect.routes if route.public}
    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["path"] for probe in probes} == {"/ready", "/live"} <= public
    assert str(container["ports"][0]["containerPort"]) == container["args"][container["args"].index("--port") + 1]


def test_a_pod_may_take_longer_to_end_than_its_requests(manifests, container):
    drain = int(container["args"][container["args"].index("--drain-seconds") + 1])
    assert manifests["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= drain + 5 + 5


def test_it_scales_by_a_number_that_is_counted(manifests):
    room = Room([], limits=Limits(), threads=1)
    name = manifests["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert f"\n{name} 0\n" in room.metrics()
    room.close()


def test_nothing_can_be_served_within_limits_of_zero():
    with pytest.raises(ValueError, match="payload_limit is 0, but nothing could be served then"):
        Limits(payload_limit=0)

"""Agents for Java: the environment that puts them in, questions and answers, and what a failed fetch says."""

import base64
import hashlib
import stat
from pathlib import Path

import pytest

from pytest_anomod.agents import java
from pytest_anomod.agents.language import FetchError, Place, Reach
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.system import Agents


def environment(*, own=None, otlp_url="http://172.18.0.1:4318", **asked):
    place = Place(
        service="orders",
        asked=Agents("java", **asked),
        ours="/anomod/ours",
        library="/anomod/library",
        run="/anomod/run",
        otlp_url=otlp_url,
        own=own or {},
    )
    return java.LANGUAGE.environment(place)


def jars(options):
    return [word.partition("=")[0].rpartition("/")[2] for word in options.split() if word.startswith("-javaagent:")]


def test_the_agents_stand_before_what_the_image_has():
    options = environment(own={"JAVA_TOOL_OPTIONS": "-javaagent:/opt/own.jar=x -Xmx1g"})["JAVA_TOOL_OPTIONS"]
    assert jars(options) == ["otel.jar", "jacoco-agent.jar", "anomod.jar", "own.jar"]
    assert options.endswith(" -javaagent:/opt/own.jar=x -Xmx1g")


def test_without_a_receiver_nothing_is_traced():
    found = environment(otlp_url="")
    assert jars(found["JAVA_TOOL_OPTIONS"]) == ["jacoco-agent.jar", "anomod.jar"]
    assert list(found) == ["JAVA_TOOL_OPTIONS"]


def test_an_agent_that_the_image_has_is_not_put_in_twice():
    own = {"JAVA_TOOL_OPTIONS": "-javaagent:/opt/opentelemetry-javaagent.jar -javaagent:/opt/jacocoagent.jar"}
    found = environment(own=own)
    assert jars(found["JAVA_TOOL_OPTIONS"]) == ["anomod.jar", "opentelemetry-javaagent.jar", "jacocoagent.jar"]
    assert not [name for name in found if name.startswith("OTEL_")]


def test_tracing_is_lean_unless_the_service_says_otherwise():
    default = "OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED"
    lean = environment()
    assert lean[default] == "false"
    assert lean["OTEL_INSTRUMENTATION_JAVA_HTTP_SERVER_ENABLED"] == "true"
    assert lean["OTEL_SERVICE_NAME"] == "orders"
    assert default not in environment(own={default: "true"})


def test_lines_are_counted_in_the_packages_that_are_its_own():
    assert "includes=com.acme.*:com.shop.*," in environment(packages=("com.acme", "com.shop"))["JAVA_TOOL_OPTIONS"]
    guessed = environment()["JAVA_TOOL_OPTIONS"]
    assert "includes=" not in guessed
    assert ":org.springframework.*:" in guessed
    assert jars(environment(coverage=False)["JAVA_TOOL_OPTIONS"]) == ["otel.jar", "anomod.jar"]


def test_a_path_with_a_space_stays_one_option():
    place = Place(service="a", asked=Agents("java", coverage=False), ours="", library="/my lib", run="/run")
    assert java.LANGUAGE.environment(place) == {"JAVA_TOOL_OPTIONS": '"-javaagent:/my lib/anomod.jar=/run"'}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, [("kind", "null"), ("value", "")]),
        (True, [("kind", "boolean"), ("value", "true")]),
        (1.5, [("kind", "number"), ("value", "1.5")]),
        (12, [("kind", "number"), ("value", "12")]),
        ("true", [("kind", "text"), ("value", "true")]),
    ],
)
def test_a_value_to_be_returned_comes_with_its_kind(value, said):
    assert list(java._flat({"function": "a:b", "value": value})) == [("function", "a:b"), *said]


def test_a_value_that_java_has_no_word_for_is_refused():
    with pytest.raises(DeploymentError, match=r"not \[1\]"):
        list(java._flat({"value": [1]}))


def program(directory: Path, name: str, text: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_what_is_missing_for_a_fetch_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="need 'mvn'"):
        java.LANGUAGE.fetch(tmp_path)
    program(tmp_path, "mvn", "exit 1")
    with pytest.raises(FetchError, match="need 'javac'"):
        java.LANGUAGE.fetch(tmp_path)
    program(tmp_path, "javac", "exit 1")
    with pytest.raises(FetchError, match="could not download"):
        java.LANGUAGE.fetch(tmp_path)


def test_an_artefact_other_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    names = " ".join(java._downloaded(one) for one in java.MAVEN)
    program(tmp_path, "javac", "exit 0")
    written = f"for name in {names}; do echo other > $name; done"
    program(tmp_path, "mvn", 'for last; do :; done; cd "${last#*=}"; ' + written)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    other = hashlib.sha256(b"other\n").hexdigest()
    with pytest.raises(FetchError, match=f"opentelemetry-javaagent 2.33.1 is not what is pinned: sha256 {other}"):
        java.LANGUAGE.fetch(tmp_path)


def test_maven_names_files_by_artefact_version_and_classifier():
    assert [java._downloaded(one) for one in java.MAVEN[:2]] == [
        "opentelemetry-javaagent-2.33.1.jar",
        "org.jacoco.agent-0.8.15-runtime.jar",
    ]


def reach(tmp_path):
    return Reach(
        service="orders", asked=Agents("java"), library=tmp_path, run=tmp_path, pid=lambda: 1, host=lambda: "127.0.0.1"
    )


def test_lines_of_all_windows_are_made_at_once(tmp_path, monkeypatch):
    program(
        tmp_path,
        "java",
        f'echo "$*" >> {tmp_path}/calls; cat *.exec > {tmp_path}/seen; echo "[{{}}, {{}}]" > lines.json',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    raw = [{"a": {"exec": base64.b64encode(b"one ").decode()}}]
    raw.append({name: {"exec": base64.b64encode(said).decode()} for name, said in (("a", b"two "), ("b", b"three"))})
    agent = java.LANGUAGE.agent(reach(tmp_path))
    assert agent.ask("/coverage/lines", {"snapshots": raw}) == [{}, {}]
    assert (tmp_path / "seen").read_bytes() == b"one two three"
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_coverage_that_cannot_be_read_says_why(tmp_path, monkeypatch):
    agent = java.LANGUAGE.agent(reach(tmp_path))
    raw = [{"a": {"exec": base64.b64encode(b"x").decode()}}]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaptureError, match="needs 'java' on this machine"):
        agent.ask("/coverage/lines", {"snapshots": raw})
    program(tmp_path, "java", "echo no class files; exit 1")
    with pytest.raises(CaptureError, match="no class files"):
        agent.ask("/coverage/lines", {"snapshots": raw})
    assert agent.ask("/coverage/lines", {"snapshots": []}) == []


def test_other_sources_are_other_agents():
    ours = [one for one in java.LANGUAGE.artefacts if one.origin == "javac"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in java._sources())).hexdigest()
    assert [one.sha256 for one in ours] == [digest]

"""Java: OpenTelemetry's agent, JaCoCo for lines, Byteman for changes of code; each stays an archive of its own.

What is ours (inside/java) is compiled when the agents are fetched. It answers over a unix socket, and drives the other
two inside the process, so that nothing listens on a port.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

from pytest_anomod.agents.language import (
    COVERAGE,
    FAULTS,
    INSIDE,
    TRACES,
    Artefact,
    Asked,
    FetchError,
    Place,
    Reach,
    otel_environment,
)
from pytest_anomod.agents.sockets import SocketAgent
from pytest_anomod.host.commands import run
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.fault import Json

MAVEN_TIMEOUT_S = 600.0
JAVAC_TIMEOUT_S = 120.0
LINES_TIMEOUT_S = 300.0
OPTIONS = "JAVA_TOOL_OPTIONS"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_OURS = INSIDE / "java"
_INSIDE = ("Act", "Agent", "Faults", "Functions", "Refused", "Rehearsal")
_LINES = ("anomod-lines.jar", "jacoco-core.jar", "asm.jar", "asm-tree.jar", "asm-commons.jar")
_NOT_OWN = (
    "ch.qos", "com.fasterxml", "com.github.benmanes", "com.google", "com.mongodb", "com.mysql", "com.netflix",
    "com.rabbitmq", "com.squareup", "com.sun", "com.zaxxer", "groovy", "io.grpc", "io.lettuce", "io.micrometer",
    "io.micronaut", "io.netty", "io.opentelemetry", "io.quarkus", "io.reactivex", "io.smallrye", "io.undertow",
    "io.vertx", "jakarta", "java", "javax", "jdk", "kotlin", "kotlinx", "net.bytebuddy", "okhttp3", "okio",
    "org.apache", "org.aspectj", "org.bouncycastle", "org.eclipse", "org.glassfish", "org.hibernate", "org.jacoco",
    "org.jboss", "org.jetbrains", "org.mongodb", "org.postgresql", "org.redisson", "org.slf4j", "org.springframework",
    "org.yaml", "reactor", "redis.clients", "scala", "sun", "anomod.inside",
)  # fmt: skip
"""Packages that are somebody's library: without `packages` all other classes count as the service's own."""
_TRACED = (
    "java-http-server", "servlet", "tomcat", "jetty", "undertow", "netty", "grpc", "jaxrs", "spring-webmvc",
    "spring-webflux", "vertx", "quarkus",
    "java-http-client", "apache-httpclient", "okhttp", "http-url-connection", "jetty-httpclient", "reactor-netty",
    "jdbc", "lettuce", "jedis", "mongo", "cassandra", "elasticsearch-rest", "kafka", "rabbitmq", "spring-kafka",
    "executors", "reactor", "java-util-logging", "logback-appender", "log4j-appender",
)  # fmt: skip
"""What OpenTelemetry looks for: servers, clients, stores, threads and loggers that are common. Its whole set takes
twice the time at the start; a service gets it that sets OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED=true itself."""
_DEFAULT = "OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED"


def _maven(name: str, group: str, artefact: str, version: str, sha256: str, licence: str) -> Artefact:
    place = f"{group}:{artefact}"
    return Artefact(name=name, version=version, sha256=sha256, origin="maven", place=place, licence=licence)


def _sources() -> Iterator[Path]:
    return iter(sorted(_OURS.rglob("*.java")))


def _digest() -> str:
    """Of all our sources: other sources make other agents."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _sources())).hexdigest()


class Java:
    """See `language.Language`."""

    name = "java"
    gives = frozenset({TRACES, COVERAGE, FAULTS})
    also: tuple[tuple[str, Path], ...] = ()

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """Of others, and ours by the digest of its sources."""
        ours = Artefact(
            name="anomod.jar", version="1", sha256=_digest(), origin="javac", place="inside/java", licence="Apache-2.0"
        )
        return (*MAVEN, ours)

    def fetch(self, into: Path) -> None:
        """By mvn and javac, which must be there."""
        for program, what in (("mvn", "Maven, which downloads"), ("javac", "a JDK from 17 on, which compiles ours")):
            if shutil.which(program) is None:
                msg = f"the agents for Java need {program!r} ({what}): install it, or take them from another machine"
                raise FetchError(msg)
        with tempfile.TemporaryDirectory(prefix="anomod-java-") as temporary:
            self._download(Path(temporary), into)
            self._compile(Path(temporary), into)

    def environment(self, place: Place) -> dict[str, str]:
        """Options of others stay, and go last: of equal options the last one counts."""
        own = place.own.get(OPTIONS, "")
        traced = bool(place.asked.traces and place.otlp_url) and "opentelemetry" not in own
        options = []
        if traced:
            options.append(f"-javaagent:{place.library}/otel.jar")
        if place.asked.coverage and "jacoco" not in own:
            options.append(f"-javaagent:{place.library}/jacoco-agent.jar={_jacoco(place)}")
        options.append(f"-javaagent:{place.library}/anomod.jar={place.run}")
        spans = {**otel_environment(place), **_lean(place.own)} if traced else {}
        return {**spans, OPTIONS: " ".join(filter(None, (*map(_quoted, options), own)))}

    def agent(self, reach: Reach) -> Asked:
        return JavaAgent(reach)

    def _download(self, work: Path, into: Path) -> None:
        pom = work / "pom.xml"
        pom.write_text(_pom(MAVEN))
        argv = ["mvn", "--batch-mode", "--quiet", "--file", str(pom), _COPY, "-DexcludeTransitive=true"]
        ended = run([*argv, f"-DoutputDirectory={into}"], cwd=work, timeout_s=MAVEN_TIMEOUT_S)
        _must(ended, "Maven could not download the agents for Java")
        for one in MAVEN:
            path = into / _downloaded(one)
            if not path.is_file():
                msg = f"Maven did not bring {one.place} {one.version}"
                raise FetchError(msg)
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if found != one.sha256:
                msg = f"{one.place} {one.version} is not what is pinned: sha256 {found}, not {one.sha256}; don't use it"
                raise FetchError(msg)
            path.rename(into / one.name)

    def _compile(self, work: Path, into: Path) -> None:
        """The part that starts runs on Java 8 and says there what it lacks; what it starts needs Java 17."""
        inside, lines = work / "inside", work / "lines"
        ours = _OURS / "anomod"
        for release, to, needs, sources in (
            (8, inside, (), [ours / "inside" / "Start.java"]),
            (17, inside, ("jacoco-agent.jar", "byteman.jar"), [ours / "inside" / f"{name}.java" for name in _INSIDE]),
            (17, lines, ("jacoco-core.jar", "asm.jar"), [ours / "lines" / "Lines.java"]),
        ):
            classpath = ":".join(str(into / name) for name in needs) or str(work)
            argv = ["javac", "-nowarn", "-Xlint:-options", "--release", str(release), "-encoding", "UTF-8"]
            argv += ["-d", str(to), "-cp", classpath, *map(str, sources)]
            _must(run(argv, cwd=work, timeout_s=JAVAC_TIMEOUT_S), "javac could not compile our agent")
        _jar(inside, into / "anomod.jar", {"Premain-Class": "anomod.inside.Start", "Can-Retransform-Classes": "true"})
        _jar(lines, into / "anomod-lines.jar", {})


class JavaAgent(SocketAgent):
    """The processes of a service, and one Java here that makes lines of what ran in all windows of a case."""

    def __init__(self, reach: Reach) -> None:
        super().__init__(reach.service, reach.run)
        self._reach = reach

    def ask(self, path: str, payload: Json = None) -> Json:
        if path == "/coverage/lines":
            return self._lines_of(payload["snapshots"])
        return super().ask(path, urlencode(list(_flat(payload or {}))))

    def _lines_of(self, snapshots: Sequence[Mapping[str, Json]]) -> Json:
        """FILES of each snapshot; what several processes say, one after the other, is a file of JaCoCo as well."""
        if not snapshots:
            return []
        if shutil.which("java") is None:
            msg = f"coverage of {self._reach.service!r} needs 'java' on this machine: it makes lines of JaCoCo's counts"
            raise CaptureError(msg)
        with tempfile.TemporaryDirectory(prefix="anomod-lines-") as temporary:
            work = Path(temporary)
            windows = []
            for number, raw in enumerate(snapshots):
                windows.append(work / f"{number}.exec")
                windows[-1].write_bytes(b"".join(base64.b64decode(one["exec"]) for one in raw.values()))
            classpath = ":".join(str(self._reach.library / name) for name in _LINES)
            argv = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classpath, "anomod.lines.Lines"]
            argv += [str(self._reach.run / "classes"), str(work / "lines.json"), *map(str, windows)]
            ended = run(argv, cwd=work, timeout_s=LINES_TIMEOUT_S)
            if ended.code != 0:
                msg = f"coverage of {self._reach.service!r} can't be read: {ended.said or 'java took too long'}"
                raise CaptureError(msg)
            return json.loads((work / "lines.json").read_text(encoding="utf-8"))


def _flat(payload: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Keys and texts; a value to be returned comes with its kind."""
    for key, value in payload.items():
        if key != "value":
            if value is not None:
                yield key, json.dumps(value) if isinstance(value, bool) else str(value)
            continue
        kinds = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "text"}
        if type(value) not in kinds:
            msg = f"a function in Java can return null, a boolean, a number or a text here, not {value!r}"
            raise DeploymentError(msg)
        yield "kind", kinds[type(value)]
        yield "value", value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _jacoco(place: Place) -> str:
    """Options of JaCoCo: it writes no file when the process ends, and the classes that it counts as it sees them."""
    packages = place.asked.packages
    which = f"includes={':'.join(f'{one}.*' for one in packages)}" if packages else f"excludes={_excluded()}"
    loaders = "exclclassloader=sun.reflect.DelegatingClassLoader:io.opentelemetry.javaagent.*"
    return f"output=none,jmx=false,dumponexit=false,classdumpdir={place.run}/classes,{which},{loaders}"


def _excluded() -> str:
    return ":".join(f"{one}.*" for one in _NOT_OWN)


def _lean(own: Mapping[str, str]) -> dict[str, str]:
    """Variables for OpenTelemetry in Java; what the service sets itself is left to it."""
    told = {"OTEL_JAVAAGENT_LOGGING": "none", _DEFAULT: "false"}
    told |= {f"OTEL_INSTRUMENTATION_{one.upper().replace('-', '_')}_ENABLED": "true" for one in _TRACED}
    return {key: value for key, value in told.items() if key not in own}


def _quoted(option: str) -> str:
    return f'"{option}"' if any(map(str.isspace, option)) else option


def _downloaded(one: Artefact) -> str:
    _, artefact, *classifier = one.place.split(":")
    return "-".join((artefact, one.version, *classifier)) + ".jar"


def _pom(artefacts: Sequence[Artefact]) -> str:
    """A project that depends on the artefacts and is nothing else."""
    lines = ["<project><modelVersion>4.0.0</modelVersion><groupId>ours</groupId><artifactId>agents</artifactId>"]
    lines.append("<version>1</version><packaging>pom</packaging><dependencies>")
    for one in artefacts:
        group, artefact, *classifier = one.place.split(":")
        more = f"<classifier>{classifier[0]}</classifier>" if classifier else ""
        lines.append(f"<dependency><groupId>{group}</groupId><artifactId>{artefact}</artifactId>")
        lines.append(f"<version>{one.version}</version>{more}</dependency>")
    return "\n".join([*lines, "</dependencies></project>"])


def _must(ended: tuple[int | None, str], what: str) -> None:
    code, said = ended
    if code != 0:
        msg = f"{what}: {said or 'it took too long' if code is None else said}"
        raise FetchError(msg)


def _jar(classes: Path, to: Path, manifest: Mapping[str, str]) -> None:
    """An archive of classes, the same for the same classes."""
    head = "".join(f"{key}: {value}\r\n" for key, value in {"Manifest-Version": "1.0", **manifest}.items())
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), head + "\r\n")
        for path in sorted(classes.rglob("*.class")):
            archive.writestr(zipfile.ZipInfo(path.relative_to(classes).as_posix()), path.read_bytes())


MAVEN = (
    _maven(
        "otel.jar", "io.opentelemetry.javaagent", "opentelemetry-javaagent", "2.33.1",
        "e43a270df53c6f423e0ab157be9c27ccc01d5dc3232e162fe54777573db2f149", "Apache-2.0",
    ),
    _maven(
        "jacoco-agent.jar", "org.jacoco", "org.jacoco.agent:runtime", "0.8.15",
        "fb5b0036a0899ea97edfa0fc2c7985b55f3f7c5695028163e5e60d4f3cf6075d", "EPL-2.0",
    ),
    _maven(
        "jacoco-core.jar", "org.jacoco", "org.jacoco.core", "0.8.15",
        "ade1e0fdb4cd80d8537b57c6edb70a1360c47fdc518c20c65314517479bc4d0d", "EPL-2.0",
    ),
    _maven(
        "asm.jar", "org.ow2.asm", "asm", "9.10.1",
        "ed825d10ab1399c8c0cb669e688cf0c8c82629b4c8399b58352b68e92ca10fcb", "BSD-3-Clause",
    ),
    _maven(
        "asm-tree.jar", "org.ow2.asm", "asm-tree", "9.10.1",
        "3dfb0d5b6a106cd40b5b250e39935fbf2f927f4477546a5369a3ac609cf0506b", "BSD-3-Clause",
    ),
    _maven(
        "asm-commons.jar", "org.ow2.asm", "asm-commons", "9.10.1",
        "6d0abefb7cbf972ea16edb37ec14835372505063a45f976ab7ea889ed9497895", "BSD-3-Clause",
    ),
    _maven(
        "byteman.jar", "org.jboss.byteman", "byteman", "4.0.27",
        "979274834c1880bd2fb3a8a225d9a21350701a6bbea25a48631eb9b8d2e4cc00", "LGPL-2.1-or-later",
    ),
)  # fmt: skip

LANGUAGE = Java()

"""The Role that the runtime needs, and whether we have it, by the API server's own word."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from pytest_anomod.cli import main
from pytest_anomod.host import cluster
from pytest_anomod.runtimes.kubernetes import rights


class ApiServer(BaseHTTPRequestHandler):
    """Allows everything in a namespace but to delete pods, and nothing of the whole cluster."""

    def do_GET(self):
        self._say({"gitVersion": "v1.99.0"})

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = review["spec"]["resourceAttributes"]
        allowed = bool(asked["namespace"]) and (asked["verb"], asked["resource"]) != ("delete", "pods")
        self._say({**review, "status": {"allowed": allowed}})

    def _say(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """A cluster that answers as ApiServer does, for whoever looks at KUBECONFIG."""
    server = HTTPServer(("127.0.0.1", 0), ApiServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "word"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    yield
    server.shutdown()
    server.server_close()


def test_doctor_prints_the_role_and_what_of_it_is_missing(kubeconfig, capsys, monkeypatch):
    """The one verb that is denied, and that a namespace must be named."""
    monkeypatch.delenv(cluster.NAMESPACE, raising=False)
    assert main(["doctor", "--kubernetes"]) == 1
    said = capsys.readouterr().out
    assert "cluster: context x, Kubernetes v1.99.0" in said
    assert "not allowed in namespace 'default': delete pods\n" in said
    assert f"set {cluster.NAMESPACE} to one that is there" in said
    role = yaml.safe_load(said[said.index("apiVersion") : said.index("not allowed")])
    assert role == rights.manifest("default")

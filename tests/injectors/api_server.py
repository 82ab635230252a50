"""A small API server in memory, for where there is no real one: objects, finalizers, conflicts, patching of Jobs only.

What it has of the real one's contract the real one is asked as well (test_chaos_mesh_contract.py, mode "api").
"""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pytest_anomod.model import clock


class ApiServer(ThreadingHTTPServer):
    """Serves loopback. `served` are the kinds of each API group and version; `patches` counts what may not be done."""

    daemon_threads = True

    def __init__(self, served: dict[str, tuple[str, ...]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.served = served
        self.objects: dict[tuple[str, str], dict[str, dict]] = {}
        """By (collection's path, name)."""
        self.lock = threading.RLock()
        self.version = 0
        self.patches = 0
        self.away = False
        self.denied: set[str] = set()
        """What SelfSubjectAccessReviews deny, as "delete pods"."""
        self.refused = ""
        """The end of the path of a collection in which nothing can be created."""

    def kubeconfig(self, path) -> str:
        """Write a kubeconfig of it; its path."""
        host, port = self.server_address[:2]
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": f"http://{host}:{port}"}}],
            "users": [{"name": "fake", "user": {"token": "none"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
        path.write_text(json.dumps(document))
        return str(path)

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()

    def next_version(self) -> str:
        self.version += 1
        return str(self.version)


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing is printed."""

    def do_GET(self):
        path, query = self._where()
        if path.startswith("/apis/") and path.count("/") == 3:
            kinds = self.server.served.get(path.removeprefix("/apis/"))
            if kinds is None:
                return self._fail(404, "NotFound", "the server could not find the requested resource")
            rows = [
                {"name": kind.lower(), "kind": kind, "namespaced": True, "singularName": "", "verbs": ["create"]}
                for kind in kinds
            ]
            return self._say(200, {"kind": "APIResourceList", "groupVersion": path[6:], "resources": rows})
        with self.server.lock:
            if path in self.server.objects:
                labels, fields = (query.get(name, [""])[0] for name in ("labelSelector", "fieldSelector"))
                name = fields.removeprefix("metadata.name=")
                found = [
                    one
                    for one in self.server.objects[path].values()
                    if _has(one["metadata"].get("labels") or {}, labels) and name in ("", one["metadata"]["name"])
                ]
                return self._say(200, {"kind": "List", "metadata": {}, "items": found})
            here = self._object(path)
            if here is None and self._is_collection(path):
                return self._say(200, {"kind": "List", "metadata": {}, "items": []})
            return self._fail(404, "NotFound", f"{path} not found") if here is None else self._say(200, here)

    def do_POST(self):
        path, body = self._where()[0], self._body()
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            allowed = f"{asked['verb']} {asked['resource']}" not in self.server.denied
            return self._say(201, {**body, "status": {"allowed": allowed}})
        with self.server.lock:
            names = self.server.objects.setdefault(path, {})
            name = body["metadata"]["name"]
            if name in names:
                return self._fail(409, "AlreadyExists", f"{name} already exists")
            now = clock.ns_to_iso(clock.now_ns())[:19] + "Z"
            more = {"uid": str(uuid.uuid4()), "creationTimestamp": now, "resourceVersion": self.server.next_version()}
            body["metadata"] |= more
            if (refused := self.server.refused) and path.endswith(refused):
                return self._fail(403, "Forbidden", f"{refused} is forbidden")
            if "/namespaces/" in path:
                body["metadata"].setdefault("namespace", path.split("/namespaces/")[1].split("/")[0])
            names[name] = body
            return self._say(201, body)

    def do_PUT(self):
        path, body = self._where()[0], self._body()
        path = path.removesuffix("/status")
        with self.server.lock:
            here = self._object(path)
            if here is None:
                return self._fail(404, "NotFound", f"{path} not found")
            if body["metadata"].get("resourceVersion") != here["metadata"]["resourceVersion"]:
                return self._fail(409, "Conflict", "the object has been modified; please apply your changes")
            if "chaos-mesh.org" in path and body.get("spec") != here.get("spec"):
                return self._fail(403, "Forbidden", "admission webhook denied the request: Cannot update chaos spec")
            body["metadata"]["resourceVersion"] = self.server.next_version()
            collection, name = path.rsplit("/", 1)
            self.server.objects[collection][name] = body
            self._end(collection, name)
            return self._say(200, body)

    def do_PATCH(self):
        (path, _), body = self._where(), self._body()
        if "/jobs/" in path:
            with self.server.lock:
                here = self._object(path)
                here["spec"] |= body["spec"]
                return self._say(200, here)
        self.server.patches += 1
        return self._fail(405, "MethodNotAllowed", "nothing is patched")

    def do_DELETE(self):
        (path, _), body = self._where(), self._body() or {}
        with self.server.lock:
            here = self._object(path)
            if here is None:
                return self._fail(404, "NotFound", f"{path} not found")
            if (body.get("preconditions") or {}).get("uid", here["metadata"]["uid"]) != here["metadata"]["uid"]:
                return self._fail(409, "Conflict", "the uid in the precondition is another")
            here["metadata"].setdefault("deletionTimestamp", clock.ns_to_iso(clock.now_ns())[:19] + "Z")
            here["metadata"]["resourceVersion"] = self.server.next_version()
            self._end(*path.rsplit("/", 1))
            return self._say(200, here)

    def _end(self, collection: str, name: str) -> None:
        """What is to be deleted goes with the last of its finalizers, and with it what it owns or has in it."""
        metadata = self.server.objects[collection][name]["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            del self.server.objects[collection][name]
            for names in self.server.objects.values():
                for other, one in list(names.items()):
                    if metadata["uid"] in [owner["uid"] for owner in one["metadata"].get("ownerReferences", ())]:
                        del names[other]
            if collection.endswith("/namespaces"):
                for other in [one for one in self.server.objects if f"/namespaces/{name}/" in one]:
                    del self.server.objects[other]

    def _object(self, path: str) -> dict | None:
        collection, name = path.rsplit("/", 1)
        return self.server.objects.get(collection, {}).get(name)

    def _is_collection(self, path: str) -> bool:
        return path.split("/namespaces/")[-1].count("/") == 1 or path.endswith("/namespaces")

    def _where(self):
        parts = urlsplit(self.path)
        return parts.path.rstrip("/"), parse_qs(parts.query)

    def _body(self):
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length) or b"null")

    def _fail(self, status, reason, message):
        return self._say(status, {"kind": "Status", "status": "Failure", "reason": reason, "message": message})

    def _say(self, status, document):
        if self.server.away:
            message = "the server is currently unable to handle the request"
            status, document = 503, {"kind": "Status", "message": message}
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _has(labels: dict[str, str], selector: str) -> bool:
    """Whether labels are as a selector such as `key=value,other` wants them."""
    for part in filter(None, selector.split(",")):
        key, equals, value = part.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True

"""A small stand-in for an MLflow server, which fails in the ways that a test asks for."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
CREATED = 1_700_000_000_000


class FakeRegistry:
    """Registered models by name and version, and what the server shall do wrong.

    `stores` holds the files by path in the artifact store; `answers` replaces whole answers by
    the end of a request's path: bytes, or a status with headers.
    """

    def __init__(self):
        self.versions = {}
        self.aliases = {}
        self.stores = {}
        self.answers = {}
        self.listed = {}  # more entries of a directory
        self.refusals = Counter()  # how often a file is refused, by name
        self.short = set()  # names of files of which half arrives
        self.page = 2
        self.drip = 0.0  # seconds before each byte of an answer
        self.sent = Counter()
        self.asked = []
        self.address = ""

    def add(self, name, number, files, *, source="", **others):
        root = f"1/{name}-{number}/artifacts"
        self.stores |= {f"{root}/{path}": data for path, data in files.items()}
        self.versions[name, number] = {
            "name": name,
            "version": str(number),
            "creation_timestamp": CREATED + number,
            "source": source or f"mlflow-artifacts:/{root}",
            "run_id": "0123456789abcdef",
            "status": "READY",
            "tags": [],
            **others,
        }

    def reply(self, method, path, query, body):
        match path:
            case "registered-models/search":
                names = {name for name, _ in self.versions}
                rows = [
                    {
                        "name": name,
                        "aliases": [
                            {"alias": alias, "version": str(number)}
                            for (owner, alias), number in self.aliases.items()
                            if owner == name
                        ],
                    }
                    for name in sorted(names)
                    if query.get("filter") in (None, f"name='{name}'")
                ]
                return self.paged("registered_models", rows, query)
            case "model-versions/search":
                rows = [
                    each
                    for (name, _), each in self.versions.items()
                    if query.get("filter") in (None, f"name='{name}'")
                ]
                return self.paged("model_versions", rows, query)
            case "model-versions/get-download-uri":
                found = self.versions[query["name"], int(query["version"])]
                return {"artifact_uri": found["source"]}
            case "model-versions/set-tag":
                found = self.versions[body["name"], int(body["version"])]
                rest = [tag for tag in found["tags"] if tag["key"] != body["key"]]
                found["tags"] = [*rest, {"key": body["key"], "value": body["value"]}]
                return {}
            case "runs/get":
                uri = f"mlflow-artifacts:/1/{query['run_id']}/artifacts"
                return {"run": {"info": {"artifact_uri": uri, "end_time": CREATED}}}
        return None

    def paged(self, key, rows, query):
        start = int(query.get("page_token", 0))
        end = start + self.page
        more = {"next_page_token": str(end)} if end < len(rows) else {}
        return {key: rows[start:end], **more}

    def listing(self, folder):
        start = f"{folder}/"
        below = [path[len(start) :] for path in self.stores if path.startswith(start)]
        files = [
            {"path": path, "is_dir": False, "file_size": len(self.stores[start + path])}
            for path in below
            if "/" not in path
        ]
        folders = sorted({path.partition("/")[0] for path in below if "/" in path})
        rows = [{"path": name, "is_dir": True} for name in folders]
        return {"files": [*files, *rows, *self.listed.get(folder, [])]}


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: FakeRegistry

    def log_message(self, format, *arguments):
        pass

    def do_GET(self):
        self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")

    def do_PUT(self):
        self.handle_one("PUT")

    def handle_one(self, method):
        registry, parts = self.registry, urlsplit(self.path)
        path = unquote(parts.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        registry.asked.append((method, path, dict(self.headers)))
        name = path.rpartition("/")[2]
        if registry.refusals[name]:
            registry.refusals[name] -= 1
            self.answer(503, b"")
            return
        for end, said in registry.answers.items():
            if path.endswith(end):
                self.answer(*said) if isinstance(said, tuple) else self.answer(200, said)
                return
        if path.startswith(API):
            body = json.loads(data) if method == "POST" else {}
            said = registry.reply(method, path.removeprefix(API), query, body)
            status = 404 if said is None else 200
            self.answer(status, json.dumps(said or {}).encode())
        elif path == ARTIFACTS:
            self.answer(200, json.dumps(registry.listing(query["path"])).encode())
        elif method == "PUT":
            registry.stores[path.removeprefix(f"{ARTIFACTS}/")] = data
            self.answer(200, b"{}")
        else:
            found = registry.stores[path.removeprefix(f"{ARTIFACTS}/")]
            registry.sent[name] += len(found)
            self.answer(200, found, half=name in registry.short)

    def answer(self, status, body, headers=(), *, half=False):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.registry.drip:
            self.write_slowly(body)
        else:
            self.wfile.write(body[: len(body) // 2] if half else body)

    def write_slowly(self, body):
        with suppress(OSError):  # nobody listens any more
            for start in range(len(body)):
                time.sleep(self.registry.drip)
                self.wfile.write(body[start : start + 1])


@contextmanager
def serving(registry):
    """Serve a registry on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    registry.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

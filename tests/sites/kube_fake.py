"""A fake API server: a test tool, and no Kubernetes. It stands for servers newer than the one that tests can build.

It speaks the part of the API that the adapter uses (Jobs with Indexed completions and `suspend`, pods, nodes, events, list,
watch, delete by selector), makes the pods of Jobs, and runs each as a sandboxed process of this host. `kube_contract.py` says
what both it and a real server do. It has no scheduler, no quotas, no images and no control groups: those are the real one's.
"""

import itertools
import json
import os
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sites.kube_cluster import Talks

from suanwang.agent.adapters.kubernetes.api import Api, Connection

NODE = "fake-node"
INDEX = "batch.kubernetes.io/job-completion-index"
BASES = {"jobs": "/apis/batch/v1", "pods": "/api/v1", "events": "/api/v1"}
SYSTEM = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"]
SYSTEM += ["--symlink", "usr/lib64", "/lib64", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]

Object = dict[str, Any]


class NoError(Exception):
    """The server says no: status, reason, message."""


class FakeKubernetes(Talks):
    """Serves until `close`. `minor`: of the version that it claims; `cores`: of its one node."""

    def __init__(self, minor: int = 30, cores: int = 8) -> None:
        self.version = {"major": "1", "minor": str(minor), "gitVersion": f"v1.{minor}.0-fake"}
        self.cores = cores
        self.folder = Path(tempfile.mkdtemp(prefix="suanwang-fake-kube-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.site_folder = self.folder / "site"
        self.site_folder.mkdir()
        self.site_folder.chmod(0o711)
        self.image = "localhost/anything:1"
        self.busy_cores = 0  # that somebody else holds
        self.full = False  # whether new pods have no node
        self.slow = threading.Event()  # unset: the image of a new pod is still on its way
        self.slow.set()
        self.refuse: tuple[int, str, str] | None = None  # what it says to every creation
        self.objects: dict[tuple[str, str, str], Object] = {}  # kind, namespace, name
        self.history: list[tuple[int, str, str, str, Object]] = []  # version, kind, namespace, type, object
        self.news = threading.Condition(threading.RLock())
        self._count = itertools.count(1)
        self._processes: dict[str, tuple[subprocess.Popen[bytes], int]] = {}  # by uid of the pod
        self.closed = False
        fake = self

        class Handler(_Handler):
            town = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.api = Api(self.connection())

    def connection(self) -> Connection:
        return Connection(f"http://127.0.0.1:{self._server.server_port}", timeout_s=5.0)

    def make_namespace(self, name: str) -> str:
        return name

    def quiet(self, namespace: str) -> None:
        self.lose_everything(namespace)

    def close(self) -> None:
        self.api.close()
        with self.news:
            self.closed = True
            self.slow.set()
            self.news.notify_all()
            processes = list(self._processes.values())
        for process, pid in processes:
            _signal(pid, signal.SIGKILL)
            process.wait()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        subprocess.run(["rm", "-rf", str(self.folder)], check=False)

    # Objects --------------------------------------------------------------------------------------------------

    def put(self, kind: str, namespace: str, one: Object, what: str) -> Object:
        """Keep an object as it is now, and tell those who watch."""
        with self.news:
            version = next(self._count)
            one = json.loads(json.dumps(one))
            one["metadata"]["resourceVersion"] = str(version)
            key = (kind, namespace, one["metadata"]["name"])
            if what == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = one
            self.history.append((version, kind, namespace, what, one))
            self.news.notify_all()
            return one

    def create(self, kind: str, namespace: str, one: Object) -> Object:
        with self.news:
            name = one["metadata"]["name"]
            if self.refuse is not None:
                raise NoError(*self.refuse)
            if (kind, namespace, name) in self.objects:
                raise NoError(409, "AlreadyExists", f'{kind}.batch "{name}" already exists')
            meta = {**one["metadata"], "namespace": namespace, "uid": f"uid-{next(self._count)}"}
            meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
            made = self.put(kind, namespace, {**one, "metadata": meta, "status": {}}, "ADDED")
            if kind == "jobs":
                self.control(made)
            return made

    def find(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        with self.news:
            found = [one for (name, space, _), one in self.objects.items() if name == kind and space == namespace]
        return [
            one for one in found if all((one["metadata"].get("labels") or {}).get(k) == v for k, v in wanted.items())
        ]

    def remove(self, kind: str, namespace: str, one: Object, grace_s: int | None) -> None:
        with self.news:
            uid = one["metadata"]["uid"]
            if kind == "jobs":
                self.put(kind, namespace, one, "DELETED")
                for pod in self.find("pods", namespace):
                    if pod["metadata"]["ownerReferences"][0]["uid"] == uid:
                        self.remove("pods", namespace, pod, None)
                return
            process = self._processes.get(uid)
            if process is None or grace_s == 0 or one.get("status", {}).get("phase") in ("Succeeded", "Failed"):
                if process is not None:
                    _signal(process[1], signal.SIGKILL)
                self._gone(namespace, one)
                return
            if "deletionTimestamp" not in one["metadata"]:
                one = {**one, "metadata": {**one["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
                self.put("pods", namespace, one, "MODIFIED")
        wait_s = grace_s if grace_s is not None else int(one["spec"].get("terminationGracePeriodSeconds", 30))
        _signal(process[1], signal.SIGTERM)
        timer = threading.Timer(wait_s, _signal, (process[1], signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def _gone(self, namespace: str, pod: Object) -> None:
        """The pod goes; a Job that is still there and not over puts another in its place, as a real one does."""
        with self.news:
            if self.objects.get(("pods", namespace, pod["metadata"]["name"])) is None:
                return
            self.put("pods", namespace, pod, "DELETED")
            owner = pod["metadata"]["ownerReferences"][0]["uid"]
            job = next((one for one in self.find("jobs", namespace) if one["metadata"]["uid"] == owner), None)
            over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
            if job is not None and not over:
                self.control(job)

    # The Job controller ---------------------------------------------------------------------------------------

    def control(self, job: Object) -> None:
        """The pods that a Job lacks."""
        spec, namespace, uid = job["spec"], job["metadata"]["namespace"], job["metadata"]["uid"]
        if spec.get("suspend") or job["status"].get("conditions"):
            return
        indexed = spec.get("completionMode") == "Indexed"
        pods = [one for one in self.find("pods", namespace) if one["metadata"]["ownerReferences"][0]["uid"] == uid]
        have = {one["metadata"].get("annotations", {}).get(INDEX, "") for one in pods}
        for index in [str(number) for number in range(spec["completions"])] if indexed else [""]:
            if index not in have:
                self._make_pod(job, index)

    def _make_pod(self, job: Object, index: str) -> None:
        meta, template = job["metadata"], json.loads(json.dumps(job["spec"]["template"]))
        body = {**template, "kind": "Pod"}
        body["metadata"]["name"] = f"{meta['name']}-{index or 'x'}-{next(self._count)}"
        body["metadata"]["ownerReferences"] = [{"uid": meta["uid"], "name": meta["name"]}]
        if index:
            body["metadata"].setdefault("annotations", {})[INDEX] = index
            body["spec"]["containers"][0].setdefault("env", []).append({"name": "JOB_COMPLETION_INDEX", "value": index})
        if not self.full:
            body["spec"]["nodeName"] = NODE
        refuse, self.refuse = self.refuse, None
        pod = self.create("pods", meta["namespace"], body)
        self.refuse = refuse
        if "nodeName" not in pod["spec"]:
            return
        threading.Thread(target=self._run_pod, args=(meta["namespace"], pod), daemon=True).start()

    # The node -------------------------------------------------------------------------------------------------

    def _run_pod(self, namespace: str, pod: Object) -> None:
        self.slow.wait()
        container, user = pod["spec"]["containers"][0], pod["spec"]["securityContext"]
        (volume,) = pod["spec"]["volumes"]
        mount = container["volumeMounts"][0]
        source = f"{volume['hostPath']['path']}/{mount['subPath']}"
        reading, writing = os.pipe()
        words = [
            "bwrap",
            *SYSTEM,
            "--bind",
            source,
            mount["mountPath"],
            "--unshare-pid",
            "--as-pid-1",
            "--die-with-parent",
        ]
        words += ["--info-fd", str(writing), "--clearenv", "--setenv", "PATH", "/usr/bin:/bin"]
        for one in container["env"]:
            words += ["--setenv", one["name"], one["value"]]
        words += ["setpriv", f"--reuid={user['runAsUser']}", f"--regid={user['runAsGroup']}", "--clear-groups"]
        process = subprocess.Popen(
            [*words, *container["command"]],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as stream:
            said = stream.read()
        pid = int(json.loads(said)["child-pid"]) if said else process.pid
        uid = pod["metadata"]["uid"]
        with self.news:
            self._processes[uid] = (process, pid)
        self._tell(namespace, pod, "Running", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
        code = process.wait()
        code = 128 - code if code < 0 else code
        word = "Completed" if code == 0 else "Error"
        with self.news:
            self._processes.pop(uid, None)
            phase = "Succeeded" if code == 0 else "Failed"
            ended = self._tell(namespace, pod, phase, {"terminated": {"exitCode": code, "reason": word}})
            if ended is not None and "deletionTimestamp" in ended["metadata"]:
                self._gone(namespace, {**ended, "status": {"phase": "Running"}})

    def _tell(self, namespace: str, pod: Object, phase: str, state: Object) -> Object | None:
        with self.news:
            now = self.objects.get(("pods", namespace, pod["metadata"]["name"]))
            if now is None:
                return None
            ready = [{"type": "Ready", "status": "True" if phase == "Running" else "False"}]
            status = {"phase": phase, "containerStatuses": [{"name": "work", "state": state}], "conditions": ready}
            return self.put("pods", namespace, {**now, "status": status}, "MODIFIED")

    def nodes(self) -> list[Object]:
        free = self.cores - self.busy_cores
        has = {"cpu": str(free), "memory": "64Gi", "pods": "110"}
        ready = [{"type": "Ready", "status": "True"}]
        return [
            {"metadata": {"name": NODE, "labels": {}}, "spec": {}, "status": {"allocatable": has, "conditions": ready}}
        ]


class _Handler(BaseHTTPRequestHandler):
    town: FakeKubernetes
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: Object, status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _do(self) -> None:
        found = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(found.query).items()}
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else {}
        try:
            if asked.get("watch"):
                self._watch(found.path, asked)
            else:
                self._answer(self._reply(found.path, asked, body))
        except NoError as no:
            status, reason, message = no.args
            self._answer({"kind": "Status", "reason": reason, "message": message}, status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PATCH = _do  # noqa: N815 - names of the library

    def _place(self, path: str) -> tuple[str, str, str]:
        words = path.strip("/").split("/")
        at = words.index("namespaces") if "namespaces" in words else -1
        if at < 0 or len(words) < at + 3 or words[at + 2] not in BASES:
            raise NoError(404, "NotFound", f"{path}: no such resource")
        return words[at + 2], words[at + 1], words[at + 3] if len(words) > at + 3 else ""

    def _reply(self, path: str, asked: dict[str, str], body: Object) -> Object:
        town, at = (
            self.town,
            {"metadata": {"resourceVersion": str(len(self.town.history) and self.town.history[-1][0])}},
        )
        if path == "/version":
            return town.version
        if path == "/api/v1/nodes":
            return {**at, "items": town.nodes()}
        if path == f"/api/v1/nodes/{NODE}":
            return town.nodes()[0]
        if path == "/api/v1/pods":
            return {**at, "items": [one for (kind, _, _), one in list(town.objects.items()) if kind == "pods"]}
        kind, namespace, name = self._place(path)
        if self.command == "POST":
            return town.create(kind, namespace, body)
        if not name:
            with town.news:
                items = town.find(kind, namespace, asked.get("labelSelector", ""))
                version = str(town.history[-1][0] if town.history else 0)
                if self.command == "DELETE":
                    grace = asked.get("gracePeriodSeconds")
                    for one in items:
                        town.remove(kind, namespace, one, int(grace) if grace is not None else None)
            return {"metadata": {"resourceVersion": version}, "items": items}
        one = town.objects.get((kind, namespace, name))
        if one is None:
            raise NoError(404, "NotFound", f'{kind} "{name}" not found')
        if self.command == "DELETE":
            grace = asked.get("gracePeriodSeconds")
            town.remove(kind, namespace, one, int(grace) if grace is not None else None)
        elif self.command == "PATCH":
            one = town.put(kind, namespace, {**one, "spec": {**one["spec"], **body["spec"]}}, "MODIFIED")
            town.control(one)
        return one

    def _watch(self, path: str, asked: dict[str, str]) -> None:
        kind, namespace, _ = self._place(path)
        wanted = dict(part.split("=", 1) for part in asked.get("labelSelector", "").split(",") if part)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        at, town = int(asked["resourceVersion"]), self.town
        while not town.closed:
            with town.news:
                new = [row for row in town.history if row[0] > at]
                if not new:
                    town.news.wait(0.5)
                    continue
            for version, of, where, what, one in new:
                at = version
                labels = one["metadata"].get("labels") or {}
                if (of, where) == (kind, namespace) and all(labels.get(k) == v for k, v in wanted.items()):
                    self.wfile.write(json.dumps({"type": what, "object": one}).encode() + b"\n")
                    self.wfile.flush()


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

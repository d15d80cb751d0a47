"""A real Kubernetes on this host: etcd, API server, controllers, scheduler, and one node of kubelet, containerd and runc.

Everything listens on 127.0.0.1 or on a socket, runs in the foreground as a child of the tests, and is gone at the end: its
processes, mounts and network links too. The binaries come from `tools/kubernetes.sh`, which keeps them outside the checkout.
Times that are minutes by default (a node that does not answer, tolerations) are seconds here.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tools.rigs.image import busybox_layer, image
from tools.rigs.slurm import free_run, which

from suanwang.agent.adapters.kubernetes.api import Api, Connection

TOOL = Path(__file__).parents[2] / "tools/kubernetes.sh"
WAIT_S = 120.0
IMAGE = "localhost/busybox:1"
ABSENT_IMAGE = "localhost/absent:1"
GROUPS = Path("/sys/fs/cgroup/memory")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COUNT = itertools.count()


def lacking() -> str | None:
    """Why no cluster can run here, or None. The binaries may still have to be built."""
    if os.geteuid() != 0:
        return "needs root"
    if not (GROUPS / "cgroup.procs").exists():
        return "needs control groups of version 1"
    return None


_CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/run/containerd"
oom_score = 0
[grpc]
  address = "{folder}/run/containerd.sock"
[ttrpc]
  address = "{folder}/run/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


class Talks:
    """What tests ask of any cluster, beside the adapter under test."""

    image = IMAGE
    api: Api
    site_folder: Path

    def get(self, path: str) -> dict:
        """An object, or an empty dictionary where there is none or no answer."""
        with contextlib.suppress(Exception):
            return self.api.request("GET", path)
        return {}

    def items(self, path: str, **params: str) -> list[dict]:
        return self.api.all_of(path, params)[0]

    def make_namespace(self, name: str) -> str:
        """With the account that every pod needs."""
        self.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_for(lambda: bool(self.get(path)), "service account")
        return name

    def pods(self, namespace: str) -> list[dict]:
        return self.items(f"/api/v1/namespaces/{namespace}/pods")

    def jobs(self, namespace: str) -> list[dict]:
        return self.items(f"/apis/batch/v1/namespaces/{namespace}/jobs")

    def lose_everything(self, namespace: str) -> None:
        """All Jobs and pods of a namespace, at once."""
        for path, how in (
            (f"/apis/batch/v1/namespaces/{namespace}/jobs", {"propagationPolicy": "Background"}),
            (f"/api/v1/namespaces/{namespace}/pods", {"gracePeriodSeconds": "0"}),
        ):
            self.api.request("DELETE", path, params=how)
        wait_for(lambda: not self.pods(namespace) and not self.jobs(namespace), "empty namespace")

    def quiet(self, namespace: str) -> None:
        with contextlib.suppress(Exception):
            self.lose_everything(namespace)
            self.api.request("DELETE", f"/api/v1/namespaces/{namespace}")

    def told(self, namespace: str) -> str:
        """What the cluster has to say of a namespace, for a failed test."""
        with contextlib.suppress(Exception):
            pods = [
                (one["metadata"]["name"], one["metadata"].get("deletionTimestamp"), one["status"])
                for one in self.pods(namespace)
            ]
            jobs = [(one["metadata"]["name"], one["status"]) for one in self.jobs(namespace)]
            events = [(one["reason"], one["message"]) for one in self.items(f"/api/v1/namespaces/{namespace}/events")]
            return f"pods {pods}\njobs {jobs}\nevents {events}"
        return "no answer"


def wait_for(holds: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + wait_s
    while not holds():
        assert time.monotonic() < deadline, f"no {what} within {wait_s} s"
        time.sleep(0.05)


class KubeCluster(Talks):
    """Starts in its constructor; `close` leaves neither process, mount nor file."""

    def __init__(self) -> None:
        bin_folder = subprocess.run([TOOL], check=True, stdout=subprocess.PIPE, text=True, timeout=3600).stdout
        self.bin = Path(bin_folder.strip().splitlines()[-1])
        self.folder = Path(tempfile.mkdtemp(prefix="suanwang-kube-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.node = f"node-{os.getpid()}-{next(_COUNT)}"
        self.kubeconfig = self.folder / "kubeconfig"
        first = free_run(6)
        self.etcd_port, self.peer_port, self.api_port, self.manager_port, self.scheduler_port, self.node_port = range(
            first, first + 6
        )
        for name in ("run", "cni", "kubelet", "site"):
            (self.folder / name).mkdir()
        (self.folder / "site").chmod(0o711)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (self.folder / "daemons.log").open("ab")
        self.site_folder = self.folder / "site"
        try:
            self._configure()
            self._start()
        except BaseException:
            self.close()
            raise

    def _configure(self) -> None:
        token = base64.urlsafe_b64encode(os.urandom(24)).decode()
        (self.folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
        (self.folder / "tokens.csv").chmod(0o600)
        for command in (("genrsa", "-out", "sa.key", "2048"), ("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")):
            subprocess.run(["openssl", *command], check=True, cwd=self.folder, capture_output=True)
        self._token = token
        (self.folder / "containerd.toml").write_text(_CONTAINERD.format(folder=self.folder))
        number = os.getpid() % 200 + 20
        ipam = {"type": "host-local", "subnet": f"10.{number}.0.0/16", "dataDir": f"{self.folder}/ipam"}
        plugins = [{"type": "ptp", "ipam": ipam}]
        (self.folder / "cni/10-pods.conflist").write_text(
            json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": plugins})
        )
        kubelet = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "127.0.0.1",
            "port": self.node_port,
            "readOnlyPort": 0,
            "healthzPort": 0,
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "oomScoreAdj": 0,
            "failSwapOn": False,
            "nodeLeaseDurationSeconds": 8,
            "nodeStatusUpdateFrequency": "2s",
            "nodeStatusReportFrequency": "4s",
            "syncFrequency": "2s",
            "fileCheckFrequency": "0s",
            "makeIPTablesUtilChains": False,
            "volumePluginDir": f"{self.folder}/volume-plugins",
            "evictionHard": {"memory.available": "50Mi"},
            "imageGCHighThresholdPercent": 100,
            "maxPods": 60,
        }
        (self.folder / "kubelet.json").write_text(json.dumps(kubelet))

    # Daemons --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._spawn(
            "etcd",
            "--data-dir", f"{self.folder}/etcd",
            "--listen-client-urls", f"http://127.0.0.1:{self.etcd_port}",
            "--advertise-client-urls", f"http://127.0.0.1:{self.etcd_port}",
            "--listen-peer-urls", f"http://127.0.0.1:{self.peer_port}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{self.peer_port}",
            "--initial-cluster", f"default=http://127.0.0.1:{self.peer_port}",
            "--unsafe-no-fsync",
        )  # fmt: skip
        self.start_api()
        self._write_kubeconfig()
        self.api = Api(self.connection())
        self.until(self._answers, "API server")
        for name, port, more in (
            ("kube-controller-manager", self.manager_port, [
                "--service-account-private-key-file", f"{self.folder}/sa.key",
                "--node-monitor-grace-period=8s", "--node-monitor-period=1s",
                "--concurrent-gc-syncs=20", "--kube-api-qps=200", "--kube-api-burst=400",
            ]),
            ("kube-scheduler", self.scheduler_port, ["--kube-api-qps=200", "--kube-api-burst=400"]),
        ):  # fmt: skip
            config = str(self.kubeconfig)
            self._spawn(
                name,
                "--kubeconfig", config,
                "--authentication-kubeconfig", config,
                "--authorization-kubeconfig", config,
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                "--port=0",
                "--cert-dir", f"{self.folder}/{name}",
                "--leader-elect=false",
                *more,
            )  # fmt: skip
        self._spawn("containerd", "--config", f"{self.folder}/containerd.toml")
        self.until(lambda: (self.folder / "run/containerd.sock").exists(), "containerd")
        self._import_images()
        self.start_node()
        self.until(self.node_ready, "ready node")
        self.until(lambda: bool(self.get("/api/v1/namespaces/default/serviceaccounts/default")), "service account")

    def start_api(self) -> None:
        self._spawn(
            "kube-apiserver",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.api_port}",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--cert-dir", f"{self.folder}/certs",
            "--token-auth-file", f"{self.folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-key-file", f"{self.folder}/sa.pub",
            "--service-account-signing-key-file", f"{self.folder}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--anonymous-auth=false",
            "--default-not-ready-toleration-seconds=1",
            "--default-unreachable-toleration-seconds=1",
        )  # fmt: skip
        self.until(lambda: (self.folder / "certs/apiserver.crt").exists(), "certificate of the API server")

    def start_node(self) -> None:
        self._spawn(
            "kubelet",
            "--config", f"{self.folder}/kubelet.json",
            "--kubeconfig", str(self.kubeconfig),
            "--root-dir", f"{self.folder}/kubelet",
            "--cert-dir", f"{self.folder}/kubelet-certs",
            "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{self.folder}/run/containerd.sock",
            f"--hostname-override={self.node}",
            "--node-labels=suanwang.test/shape=real",
        )  # fmt: skip

    def _spawn(self, name: str, *options: str) -> None:
        program = self.bin / name
        path = str(program) if program.exists() else which(name)
        assert path is not None, f"{name} is not installed"
        self._processes[name] = subprocess.Popen(
            [path, *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={"PATH": PATH, "HOME": str(self.folder)},
            cwd=self.folder,
            start_new_session=True,
        )

    def kill(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write_kubeconfig(self) -> None:
        ca = base64.b64encode((self.folder / "certs/apiserver.crt").read_bytes()).decode()
        server = {"server": f"https://127.0.0.1:{self.api_port}", "certificate-authority-data": ca}
        self.kubeconfig.touch(0o600)
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "town", "cluster": server}],
                    "users": [{"name": "admin", "user": {"token": self._token}}],
                    "contexts": [{"name": "town", "context": {"cluster": "town", "user": "admin"}}],
                    "current-context": "town",
                }
            )
        )

    def connection(self) -> Connection:
        from suanwang.runtime.kubeconfig import read_kubeconfig

        return read_kubeconfig(self.kubeconfig)

    # Images ---------------------------------------------------------------------------------------------------

    def _import_images(self) -> None:
        layer = busybox_layer()
        for name, entrypoint in ((IMAGE, None), ("localhost/pause:1", ["/bin/sleep", "2147483647"])):
            archive = self.folder / "image.tar"
            archive.write_bytes(image(name, layer, entrypoint))
            self.ctr("images", "import", str(archive))
            archive.unlink()

    def ctr(self, *command: str, check: bool = True) -> str:
        socket = f"{self.folder}/run/containerd.sock"
        done = subprocess.run(
            ["ctr", "--address", socket, "-n", "k8s.io", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0 or not check, f"ctr {command}: {done.stderr}"
        return done.stdout

    # Asking ---------------------------------------------------------------------------------------------------

    def _answers(self) -> bool:
        return bool(self.get("/version"))

    def node_ready(self) -> bool:
        conditions = self.get(f"/api/v1/nodes/{self.node}").get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def until(self, holds: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + wait_s
        while not holds():
            ended = [name for name, one in self._processes.items() if one.poll() is not None]
            assert not ended, f"{ended} ended: {self.trouble()}"
            assert time.monotonic() < deadline, f"no {what} within {wait_s} s: {self.trouble()}"
            time.sleep(0.05)

    def trouble(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "daemons.log").read_text(errors="replace")[-6000:]
        return ""

    # The end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        for name in ("kubelet", "kube-scheduler", "kube-controller-manager"):
            if name in self._processes:
                self.kill(name, signal.SIGKILL)
        if "containerd" in self._processes:
            with contextlib.suppress(Exception):
                self._end_pods()
            self.kill("containerd")
        if hasattr(self, "api"):
            self.api.close()
        for name in list(self._processes):
            self.kill(name, signal.SIGKILL)
        self._log.close()
        _unmount_below(self.folder)
        _remove_groups()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_pods(self) -> None:
        for container in self.ctr("containers", "list", "-q", check=False).split():
            self.ctr("tasks", "kill", "-s", "SIGKILL", container, check=False)
        deadline = time.monotonic() + 10
        while "RUNNING" in self.ctr("tasks", "list", check=False) and time.monotonic() < deadline:
            time.sleep(0.05)
        for container in self.ctr("containers", "list", "-q", check=False).split():
            self.ctr("tasks", "delete", "-f", container, check=False)
        for name in _network_spaces():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _network_spaces() -> list[str]:
    """Those of pods: containerd names them so, and deletes them with the pod alone."""
    return [path.name for path in Path("/var/run/netns").glob("cni-*")]


def _remove_groups() -> None:
    """The control groups that containerd leaves: one with a process in it stays."""
    for root in GROUPS.parent.glob("*/k8s.io"):
        for folder, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def _unmount_below(folder: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)

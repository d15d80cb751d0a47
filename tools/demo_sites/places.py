"""The sites of the demo: what each needs of this host, how its backend starts, and how it joins."""

import importlib.util
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.rigs import kubernetes, ray, slurm

USER: Final = "1001"  # of pods; no account of the host needs to know it
TOOLS: Final = Path(__file__).parents[1]
# Containers, and what else the cluster needs besides its own programs.
KUBERNETES_COMMANDS: Final = ("etcd", "containerd", "runc", "busybox", "openssl", "ip")
KUBERNETES_PACKAGES: Final = "etcd-server containerd runc busybox-static openssl iproute2"


class Place(ABC):
    """One site. `name` is the site's, `adapter` how it joins."""

    name: str
    adapter: str
    what: str  # the programs, as they call themselves
    has_daemons = True  # of its own, which are started before it joins

    @abstractmethod
    def lacking(self) -> tuple[str, dict[str, str]] | None:
        """The key of a text and its values: why it cannot be here; None where it can."""

    @abstractmethod
    def start(self, home: Path) -> None:
        """Start the backend; `home` is a folder that everybody may walk through."""

    @abstractmethod
    def options(self) -> list[str]:
        """What `suanwang join` is told besides who it is."""

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def close(self) -> None:  # noqa: B027 most have something to end, and some have nothing
        """Leave nothing behind."""


class SlurmPlace(Place):
    name, adapter, what = "slurm", "slurm", "Slurm"

    def lacking(self) -> tuple[str, dict[str, str]] | None:
        return _no_root() or _no_programs(slurm.COMMANDS, slurm.PACKAGES)

    def start(self, home: Path) -> None:
        self.cluster = slurm.SlurmCluster(cards=False)

    def options(self) -> list[str]:
        return ["--user", slurm.WORK_USER, "--shared-folder", str(self.cluster.folder / "work"), "--enforces", "cpu"]

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.cluster.conf), "SUANWANG_SLURM_POLL_S": "0"}

    def close(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.close()

    def busy_node(self) -> str | None:
        """A node that has work."""
        return next(iter(self.cluster.run("squeue", "--noheader", "-t", "R", "-o", "%N", check=False).split()), None)

    def strike(self, node: str) -> None:
        """As a power cut does, and the cluster's health check that finds it."""
        self.cluster.cut_power(node)
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=power")

    def mend(self, node: str) -> None:
        self.cluster.start_node(node)
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)

    def jobs(self) -> list[tuple[str, str]]:
        """(state, name) of all that the controller still knows."""
        rows = [line.split() for line in self.cluster.jobs(all_states=True)]
        return [(row[1], row[2]) for row in rows if len(row) == 3]


class RayPlace(Place):
    name, adapter, what = "ray", "ray", "Ray"

    def lacking(self) -> tuple[str, dict[str, str]] | None:
        missing = _no_root() or _no_programs(("unshare", "nsenter", "ip"), "util-linux iproute2")
        return missing if missing or _made("ray.sh") else ("demo_sites.ray_not_made", {"tool": "tools/ray.sh"})

    def start(self, home: Path) -> None:
        self._folder = home / "ray"
        self.head = ray.RayHead()

    def options(self) -> list[str]:
        return ["--ray-url", self.head.url, "--shared-folder", str(self._folder), "--enforces", "cpu"]

    def close(self) -> None:
        if hasattr(self, "head"):
            self.head.close()


class KubernetesPlace(Place):
    name, adapter, what = "kubernetes", "kubernetes", "Kubernetes"

    def lacking(self) -> tuple[str, dict[str, str]] | None:
        if not _made("kubernetes.sh"):
            return _no_root() or ("demo_sites.kubernetes_not_made", {"tool": "tools/kubernetes.sh"})
        missing = _no_root() or _no_programs(KUBERNETES_COMMANDS, KUBERNETES_PACKAGES)
        why = kubernetes.lacking()
        return missing or (("demo_sites.needs", {"what": why}) if why else None)

    def start(self, home: Path) -> None:
        self.cluster = kubernetes.KubeCluster()

    def options(self) -> list[str]:
        folder = self.cluster.site_folder / "work"
        return ["--user", USER, "--shared-folder", str(folder), "--image", self.cluster.image,
                "--enforces", "network", "--enforces", "user"]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.cluster.kubeconfig)}

    def close(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.close()


class QuantumPlace(Place):
    name, adapter, what = "quantum", "quantum", "qiskit-aer"
    has_daemons = False

    def lacking(self) -> tuple[str, dict[str, str]] | None:
        if importlib.util.find_spec("qiskit_aer") is None:
            return "demo_sites.needs", {"what": "pip install 'suanwang[quantum]'"}
        return None

    def start(self, home: Path) -> None:
        """Its simulator is the agent's own."""

    def options(self) -> list[str]:
        return ["--qubits", "16"]


class LocalPlace(Place):
    """This host itself, for the steps that no cluster is here for."""

    name, adapter, what = "local", "local", "sandbox"
    has_daemons = False

    def lacking(self) -> tuple[str, dict[str, str]] | None:
        return None

    def start(self, home: Path) -> None:
        """It runs already."""

    def options(self) -> list[str]:
        return []


def _no_root() -> tuple[str, dict[str, str]] | None:
    return None if os.geteuid() == 0 else ("demo_sites.needs_root", {})


def _no_programs(names: tuple[str, ...], packages: str) -> tuple[str, dict[str, str]] | None:
    missing = [name for name in names if slurm.which(name) is None]
    if missing:
        return "demo_sites.needs_package", {"missing": ", ".join(missing), "packages": packages}
    return None


def _made(tool: str) -> bool:
    """Whether a tool has made what it makes once, outside of the checkout."""
    done = subprocess.run([TOOLS / tool, "--made"], check=False, capture_output=True)
    return done.returncode == 0


PLACES: Final[tuple[Callable[[], Place], ...]] = (SlurmPlace, RayPlace, QuantumPlace, KubernetesPlace)

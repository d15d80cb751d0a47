"""The Kubernetes cluster of `tools/rigs` or one of others, and what a test needs of this host for it, by name."""

import os
import signal
from pathlib import Path

import pytest
from tools.rigs.kubernetes import ABSENT_IMAGE, WAIT_S, KubeCluster, Talks, lacking, wait_for

from suanwang.agent.adapters.kubernetes.api import Api

__all__ = ["ABSENT_IMAGE", "GIVEN", "SITES", "GivenCluster", "KubeCluster", "Talks", "wait_for"]
GIVEN = os.environ.get("SUANWANG_SITES_KUBECONFIG", "")
WHY_NOT = None if GIVEN else lacking()
SITES = [pytest.mark.sites, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]


class GivenCluster(Talks):
    """A cluster of others, which SUANWANG_SITES_KUBECONFIG names: no daemon of it is killed. SUANWANG_SITES_FOLDER is a folder
    that this host and its nodes have under the same name, SUANWANG_SITES_IMAGE an image with a shell."""

    def __init__(self) -> None:
        from suanwang.runtime.kubeconfig import read_kubeconfig

        self.kubeconfig = Path(GIVEN)
        self.image = os.environ.get("SUANWANG_SITES_IMAGE", "busybox:1")
        self.site_folder = Path(os.environ["SUANWANG_SITES_FOLDER"])
        self.connection = lambda: read_kubeconfig(self.kubeconfig)
        self.api = Api(self.connection())
        self.node = self.items("/api/v1/nodes")[0]["metadata"]["name"]

    def kill(self, name: str, number: int = signal.SIGTERM) -> None:
        pytest.skip(f"{name} of a cluster of others is not killed")

    def start_node(self) -> None:
        """It was not killed."""

    def node_ready(self) -> bool:
        return True

    def until(self, holds, what: str, wait_s: float = WAIT_S) -> None:
        wait_for(holds, what, wait_s)

    def close(self) -> None:
        self.api.close()

"""Clusters that tests share: one that is never broken, and one that may be; and quantum devices. Each worker has its own."""

import pytest
from tests.sites.kube_cluster import GIVEN, GivenCluster, KubeCluster
from tests.sites.kube_rig import KubeRig
from tests.sites.quantum_rig import QuantumRig, every_kind
from tests.sites.ray_head import RayHead
from tests.sites.ray_rig import RayRig
from tests.sites.slurm_cluster import SlurmCluster
from tests.sites.slurm_rig import SlurmRig
from tests.sites.tes_server import TesBrain

from suanwang.model.event import EventKind


@pytest.fixture(scope="session")
def steady():
    """A cluster whose daemons run from the first test to the last."""
    made = SlurmCluster()
    yield made
    made.close()


@pytest.fixture(scope="session")
def cluster():
    """A cluster whose daemons a test may kill, as long as all are back at its end."""
    made = SlurmCluster()
    yield made
    made.close()


@pytest.fixture
def rig(cluster, tmp_path):
    made = SlurmRig(cluster, tmp_path / "objects")
    yield made
    made.close()


@pytest.fixture(scope="session")
def overdue(steady, tmp_path_factory):
    """Work whose time Slurm ends itself. It looks twice a minute, so this is begun early and looked at last."""
    rig = SlurmRig(steady, tmp_path_factory.mktemp("overdue"))
    order = rig.start(run="sleep 300", resources={"wall_time": "10 min"})
    rig.until_kind(EventKind.RUNNING)
    # Others may be there: the check of a site that has just joined.
    (number,) = [line.split()[0] for line in steady.jobs() if order.attempt_id in line]
    steady.run("scontrol", "update", f"jobid={number}", "timelimit=0")
    yield rig
    rig.close()


@pytest.fixture(scope="session")
def quantum(tmp_path_factory):
    """Simulated quantum devices of several kinds. Loading the simulator takes seconds: all tests share one."""
    made = QuantumRig(tmp_path_factory.mktemp("quantum"), *every_kind())
    yield made
    made.close()


@pytest.fixture(scope="session")
def kubernetes():
    """A real Kubernetes, whose daemons a test may kill as long as all are back at its end; or one of others."""
    made = GivenCluster() if GIVEN else KubeCluster()
    yield made
    made.close()


@pytest.fixture
def kube(kubernetes, tmp_path):
    made = KubeRig(kubernetes, tmp_path / "objects")
    yield made
    made.close()


@pytest.fixture(scope="session")
def tes_brain(tmp_path_factory):
    """A TES server that tests share; each of them leaves it running."""
    made = TesBrain(tmp_path_factory.mktemp("tes"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def ray_head():
    """A real Ray head, which a test may kill as long as it is back at its end."""
    made = RayHead()
    yield made
    made.close()


@pytest.fixture
def ray(ray_head, tmp_path):
    made = RayRig(ray_head, tmp_path)
    yield made
    made.close()

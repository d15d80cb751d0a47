"""A cluster with accounting: slurmdbd over MariaDB. Figures come from `sacct`, and its limits refuse submissions."""

import shutil
from pathlib import Path

import pytest
from tests.sites.slurm_cluster import WORK_USER, SlurmCluster, free_run, lacking, which
from tests.sites.slurm_rig import SlurmRig

from suanwang.agent.adapters.slurm import PoolRoute
from suanwang.model.event import EventKind
from suanwang.model.ids import PoolId
from suanwang.model.reason import FailureReason

_MISSING = next((one for one in ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb") if which(one) is None), None)
_WHY = lacking() or f"needs accounting ({_MISSING}; apt-get install slurmdbd mariadb-server)"
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(lacking() is not None or _MISSING is not None, reason=_WHY)]

_SLURM = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/run/munge.sock
AccountingStorageEnforce=associations,limits
"""
_DBD = """
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={folder}/run/dbd.log
PidFile={folder}/run/dbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
"""
_USER = "CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct.* TO slurm@'127.0.0.1'"


def start_accounting(cluster: SlurmCluster, port: int, sql: int) -> None:
    """MariaDB and slurmdbd as children of ours, before the controller that reports to them."""
    data, socket = cluster.folder / "sql", cluster.folder / "run/sql.sock"
    data.mkdir()
    shutil.chown(data, "mysql", "mysql")
    common = ["--no-defaults", f"--datadir={data}", "--user=mysql"]
    install = which("mariadb-install-db")
    cluster.run(install, *common, "--skip-test-db", "--auth-root-authentication-method=normal", timeout_s=60)
    (cluster.folder / "run").chmod(0o777)
    cluster.start(
        "mariadbd", *common, f"--port={sql}", "--bind-address=127.0.0.1", f"--socket={socket}", "--skip-log-bin"
    )
    client = [which("mariadb"), "--no-defaults", f"--socket={socket}", "-uroot"]
    cluster.until(socket.exists, "database")
    cluster.run(*client, "-e", _USER)
    (cluster.folder / "run").chmod(0o755)
    conf = cluster.folder / "slurmdbd.conf"
    conf.write_text(_DBD.format(folder=cluster.folder, port=port, sql=sql))
    conf.chmod(0o600)
    cluster.start("slurmdbd", "-D")

    def answers() -> bool:
        return "Cluster" in cluster.run("sacctmgr", "list", "cluster", check=False, timeout_s=10)

    cluster.until(answers, "accounting")
    for words in (
        ("cluster", "town"),
        ("account", "grid", "small"),
        ("user", WORK_USER, "account=grid"),
        ("user", WORK_USER, "account=small", "maxsubmitjobs=1"),
    ):
        cluster.run("sacctmgr", "-i", "add", *words)


@pytest.fixture(scope="module")
def cluster():
    port = free_run(2)
    made = SlurmCluster(_SLURM.replace("{port}", str(port)), lambda cluster: start_accounting(cluster, port, port + 1))
    yield made
    made.close()


@pytest.fixture
def rig(cluster, tmp_path):
    pools = {
        PoolId(f"conformance/{name}"): PoolRoute(partition="batch", account=name) for name in ("grid", "small", "none")
    }
    made = SlurmRig(cluster, tmp_path / "objects", pools=pools)
    yield made
    made.close()


WORK = """
import time
x = bytearray(60 << 20)
end = time.process_time() + 0.6
while time.process_time() < end: pass
time.sleep(1.5)
"""


def test_figures_come_from_the_accounting(rig):
    end, _ = rig.run(pool="grid", run=("python", "-c", WORK), resources={"memory": "200 MiB"})
    assert end.kind is EventKind.FINISHED
    assert 500_000 <= end.usage.core_us <= 2_000_000
    assert end.usage.memory_peak_bytes >= 60 << 20


def test_a_limit_of_submissions_refuses_in_slurms_own_words(rig):
    rig.start(1, pool="small", run="sleep 30")
    rig.until_kind(EventKind.RUNNING)
    end, _ = rig.run(2, pool="small", run="true")
    assert (end.kind, end.reason) == (EventKind.FAILED, FailureReason.BACKEND)
    assert "policy" in end.detail


def test_an_account_that_the_user_may_not_use_is_refused(rig):
    end, _ = rig.run(pool="none", run="true")
    assert (end.kind, end.reason) == (EventKind.FAILED, FailureReason.BACKEND)
    assert "account" in end.detail
    assert not list(Path(rig.folder / "licences").iterdir())

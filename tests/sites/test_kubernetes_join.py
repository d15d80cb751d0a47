"""A real Kubernetes joins a grid: what is found on it, the rights that the guide gives the agent, and the first task."""

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from tests.plan.worlds import general, grid_of, site_of
from tests.sites.kube_cluster import SITES, wait_for
from tests.sites.kube_rig import KubeRig

from suanwang.agent.adapters.kubernetes.discover import discover
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.grid import PoolKind, PriceBook
from suanwang.model.record import Phase
from suanwang.runtime import agent_main, join_main
from suanwang.runtime.app import serving
from suanwang.runtime.join_main import Talk, Wish
from suanwang.runtime.settings import Settings

pytestmark = SITES
GUIDE = Path(__file__).parents[2] / "docs/guide/kubernetes-site.md"
FIRST_TASK_S = 300
TASK = {
    "run": "hostname > result.txt",
    "sites": ["annex"],
    "outputs": [{"path": "result.txt"}],
    "resources": {"cpu": 1, "memory": "64 MiB", "wall_time": "30 s"},
}


def add_node(cluster, name: str, cpu: str, cards: int, taints=()) -> None:
    """A node that has no kubelet: the server believes what is written, for as long as nobody looks."""
    labels = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "kubernetes.io/hostname": name}
    body = {"metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}}
    cluster.api.request("POST", "/api/v1/nodes", body)
    has = {"cpu": cpu, "memory": "256Gi", "pods": "10", "nvidia.com/gpu": str(cards)}
    ready = [{"type": "Ready", "status": "True", "reason": "Written", "message": "by a test"}]
    patch = {"status": {"capacity": has, "allocatable": has, "conditions": ready}}
    how = "application/merge-patch+json"
    cluster.api.request("PATCH", f"/api/v1/nodes/{name}/status", patch, content_type=how)


def test_a_cluster_is_found_by_shapes_of_nodes(kubernetes):
    add_node(kubernetes, "cards-1", "64", 4)
    add_node(kubernetes, "walled", "64", 4, [{"key": "others", "effect": "NoSchedule"}])
    path = f"/api/v1/namespaces/{kubernetes.api.namespace}/resourcequotas"
    kubernetes.api.request("POST", path, {"metadata": {"name": "some"}, "spec": {"hard": {"pods": "50"}}})
    try:
        found = discover(kubernetes.api)
    finally:
        for name in ("cards-1", "walled"):
            kubernetes.api.request("DELETE", f"/api/v1/nodes/{name}")
        kubernetes.api.request("DELETE", f"{path}/some")
    cards = next(pool for pool in found.pools if pool.kind is PoolKind.AI)
    assert (cards.cores_per_node, cards.accelerators_per_node) == (64, 4)
    assert (cards.accelerator_model, cards.resource) == ("nvidia-a100-sxm4-40gb", "nvidia.com/gpu")
    assert cards.queue == "nvidia.com/gpu.product=NVIDIA-A100-SXM4-40GB"
    assert any("walled" in note for note in found.notes)
    assert any("quota some" in note and "pods 50" in note for note in found.notes)
    assert found.version.startswith("Kubernetes v1.")


def test_a_cluster_joins_and_runs_its_first_task(kubernetes, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    file = tmp_path / "grid.yaml"
    site = site_of("core", [general("core", cores=1, memory=2**30)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    home = Settings(home=tmp_path / "brain", grid=str(file), port=0, scarcity_s=0, optimise_s=0)
    told: dict[str, object] = {}
    with serving(home, with_agent=False) as here, Client(here.url, here.key) as client:

        def say(key, values):
            if key == "cli.join.waits":
                client.approve_join(values["join"])

        def story(_: Callable[[], bool]) -> None:
            told["task"] = client.wait(client.submit(TASK).task_id, timeout_s=90)

        monkeypatch.setattr(agent_main, "until_signal", story)
        own = Settings(home=tmp_path / "site", url=here.url, adapter="kubernetes")
        folder = kubernetes.site_folder / f"join-{time.monotonic_ns()}"
        wish = Wish(
            site="annex", user="1001", shared_folder=str(folder), image=kubernetes.image, enforces=("network", "user")
        )
        begun_s = time.monotonic()
        talk = Talk(say, lambda ask: True, lambda view: None)
        assert join_main.run(own, client.issue_key("local", "joiner").key, wish, talk) == 0
    assert time.monotonic() - begun_s < FIRST_TASK_S
    assert told["task"].phase is Phase.SUCCEEDED, told["task"]
    kept = (tmp_path / "site/agents/agent-annex/kubernetes.yaml").read_text()
    assert f"volume: {{host_path: {str(folder)!r}}}".replace("'", '"') in kept


def test_the_rights_that_the_guide_gives_are_enough(kubernetes, tmp_path):
    """The guide's own text is applied, and an attempt and a gang run with the token of that account."""
    from suanwang.agent.adapters.kubernetes import Api, Connection

    namespace = kubernetes.make_namespace(f"rights-{time.monotonic_ns()}")
    (text,) = re.findall(r"```yaml\n(# rights.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for one in yaml.safe_load_all(text.replace("namespace: grid", f"namespace: {namespace}")):
        place = one["metadata"].get("namespace")
        kinds = f"{one['kind'].lower()}s"
        base = "/api/v1" if kinds == "serviceaccounts" else "/apis/rbac.authorization.k8s.io/v1"
        if place is None:
            one["metadata"]["name"] += f"-{namespace}"
            if "roleRef" in one:
                one["roleRef"]["name"] += f"-{namespace}"
        kubernetes.api.request("POST", f"{base}/namespaces/{place}/{kinds}" if place else f"{base}/{kinds}", one)
    found: list[str] = []

    def has_token() -> bool:
        secrets = kubernetes.items(f"/api/v1/namespaces/{namespace}/secrets")
        of = "kubernetes.io/service-account.name"
        found[:] = [
            base64.b64decode(one["data"]["token"]).decode()
            for one in secrets
            if one["metadata"].get("annotations", {}).get(of) == "suanwang-agent"
        ]
        return bool(found)

    wait_for(has_token, "token of the account")
    given = kubernetes.connection()

    class Town:
        image, site_folder = kubernetes.image, kubernetes.site_folder
        told = staticmethod(kubernetes.told)

        def connection(self) -> Connection:
            return Connection(given.server, given.verify, {"Authorization": f"Bearer {found[0]}"}, None, namespace)

        def make_namespace(self, name: str) -> str:
            return namespace

        def quiet(self, name: str) -> None:
            kubernetes.quiet(name)

    rig = KubeRig(Town(), tmp_path / "objects")
    try:
        assert rig.run(1, run="true")[0].kind is EventKind.FINISHED
        shape = {"kind": "hpc", "nodes": 2, "memory": "64 MiB"}
        assert rig.run(2, run="true", resources=shape)[0].kind is EventKind.FINISHED
        rig.start(3, run="true", image="localhost/absent:1")
        assert rig.end().attempt_id[-1] == "3"
        stopped = rig.start(4, run="sleep 100")
        rig.until_kind(EventKind.RUNNING)
        rig.adapter.stop(stopped.attempt_id)
        assert rig.end().kind is EventKind.STOPPED
        api = Api(rig.cluster.connection())
        assert discover(api).pools, "and to join"
        api.close()
    except BackendError as fault:
        raise AssertionError(fault.detail) from fault
    finally:
        rig.close()

"""What the adapter relies on of an API server, as cases for a real one and for the fake one: what keeps the fake honest."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.sites.kube_cluster import Talks, wait_for

from suanwang.agent.adapters.kubernetes.api import AwayError, RefusedError

_COUNT = itertools.count()
COMMAND = ["/bin/sh", "-c"]


def job(town: Talks, name: str, command: str, **spec: Any) -> dict[str, Any]:
    """A Job as the adapter makes them, by hand."""
    container = {
        "name": "work",
        "image": town.image,
        "command": [*COMMAND, command],
        "env": [],
        "volumeMounts": [{"name": "site", "mountPath": "/suanwang", "subPath": "contract"}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": 1001, "runAsGroup": 1001},
        "containers": [container],
        "volumes": [{"name": "site", "hostPath": {"path": str(town.site_folder)}}],
    }
    labels = {"case": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"backoffLimit": 0, "template": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": spec}


def place(town: Talks) -> tuple[str, str]:
    (town.site_folder / "contract").mkdir(exist_ok=True)
    namespace = town.make_namespace(f"contract-{next(_COUNT)}-{id(town) % 10_000}")
    return namespace, f"/apis/batch/v1/namespaces/{namespace}/jobs"


def phases(town: Talks, namespace: str) -> list[str]:
    return sorted(one["status"].get("phase", "") for one in town.pods(namespace))


def case_a_name_is_taken_once(town: Talks) -> None:
    namespace, jobs = place(town)
    first = town.api.request("POST", jobs, job(town, "a", "true"))
    with pytest.raises(RefusedError) as no:
        town.api.request("POST", jobs, job(town, "a", "false"))
    assert (no.value.status, no.value.reason) == (409, "AlreadyExists")
    assert town.api.request("GET", f"{jobs}/a")["metadata"]["uid"] == first["metadata"]["uid"]
    town.quiet(namespace)


def case_what_is_not_there_is_not_found(town: Talks) -> None:
    namespace, jobs = place(town)
    with pytest.raises(RefusedError) as no:
        town.api.request("GET", f"{jobs}/a")
    assert (no.value.status, no.value.reason) == (404, "NotFound")
    town.quiet(namespace)


def case_pods_have_the_labels_of_their_job_and_an_exit_code(town: Talks) -> None:
    namespace, jobs = place(town)
    town.api.request("POST", jobs, job(town, "a", "exit 7"))
    wait_for(lambda: phases(town, namespace) == ["Failed"], "failed pod")
    (pod,) = town.pods(namespace)
    (status,) = pod["status"]["containerStatuses"]
    assert pod["metadata"]["labels"]["case"] == "a"
    assert (status["state"]["terminated"]["exitCode"], status["state"]["terminated"]["reason"]) == (7, "Error")
    town.quiet(namespace)


def case_a_watch_tells_what_came_after_its_list(town: Talks) -> None:
    namespace, jobs = place(town)
    town.api.request("POST", jobs, job(town, "a", "true"))
    items, version = town.api.all_of(jobs, {"labelSelector": "case=b"})
    assert items == []
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        try:
            with town.api.watch(jobs, {"labelSelector": "case=b"}, version) as watch:
                for what, one in watch.changes():
                    seen.append((what, one["metadata"]["name"]))
                    if what == "DELETED":
                        return
        except AwayError:
            return

    thread = threading.Thread(target=follow)
    thread.start()
    town.api.request("POST", jobs, job(town, "b", "true"))
    town.api.request("DELETE", jobs, params={"labelSelector": "case=b", "propagationPolicy": "Background"})
    thread.join(30)
    assert not thread.is_alive()
    assert (seen[0], seen[-1]) == (("ADDED", "b"), ("DELETED", "b"))
    assert [one["metadata"]["name"] for one in town.jobs(namespace)] == ["a"]
    town.quiet(namespace)


def case_a_pod_that_is_deleted_is_replaced_and_one_of_a_deleted_job_is_not(town: Talks) -> None:
    namespace, jobs = place(town)
    town.api.request("POST", jobs, job(town, "a", "trap 'exit 1' TERM; while :; do sleep 0.1; done"))
    wait_for(lambda: phases(town, namespace) == ["Running"], "running pod")
    (pod,) = town.pods(namespace)
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
    town.api.request("DELETE", path, params={"gracePeriodSeconds": "1"})

    def replaced() -> bool:
        others = [one for one in town.pods(namespace) if one["metadata"]["uid"] != pod["metadata"]["uid"]]
        return [one["status"].get("phase") for one in others] == ["Running"]

    wait_for(replaced, "second pod")
    town.api.request("DELETE", jobs, params={"labelSelector": "case=a", "propagationPolicy": "Background"})
    wait_for(lambda: not town.pods(namespace) and not town.jobs(namespace), "end")
    town.quiet(namespace)


def contract_cases() -> dict[str, Callable[[Talks], None]]:
    return {name.removeprefix("case_"): case for name, case in globals().items() if name.startswith("case_")}

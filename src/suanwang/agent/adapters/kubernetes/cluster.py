"""What the clerk asks of the cluster: the mirror, and requests by what they are for. Raises AwayError."""

from collections.abc import Iterable, Mapping
from typing import Final

from suanwang.agent.adapters.kubernetes import gang
from suanwang.agent.adapters.kubernetes.api import EXISTS, MISSING, Api, AwayError, Object, RefusedError, ServerVersion
from suanwang.agent.adapters.kubernetes.attempt import Attempt, Stage
from suanwang.agent.adapters.kubernetes.manifest import ATTEMPT, COMPLETION_INDEX, INSTANCE, PART, TURN, apart, jobs_of
from suanwang.agent.adapters.kubernetes.settings import KubernetesSettings, PoolRoute
from suanwang.agent.adapters.kubernetes.verdict import is_over, is_ready
from suanwang.agent.adapters.kubernetes.watch import JOBS, PODS, Mirror
from suanwang.model.ids import PoolId

MERGE_PATCH: Final = "application/merge-patch+json"


class Cluster:
    """One cluster, as one adapter sees it."""

    def __init__(self, api: Api, mirror: Mirror, settings: KubernetesSettings) -> None:
        self.api = api
        self.mirror = mirror
        self._settings = settings
        self.version = ServerVersion()

    def namespace(self, route: PoolRoute) -> str:
        return route.namespace or self.api.namespace

    # What is there --------------------------------------------------------------------------------------------

    def jobs(self, attempt: Attempt) -> dict[str, Object]:
        """Those of its last submission that the mirror shows, by uid."""
        return {uid_of(one): one for one in self.mirror.of(JOBS, attempt.order.attempt_id) if _is_of(one, attempt)}

    def pods(self, attempt: Attempt) -> dict[int, list[Object]]:
        """Those of its last submission that the mirror shows, by part, the oldest first."""
        out: dict[int, list[Object]] = {}
        for pod in self.mirror.of(PODS, attempt.order.attempt_id):
            if _is_of(pod, attempt):
                out.setdefault(_part_of(pod), []).append(pod)
        for found in out.values():
            found.sort(key=lambda one: str(one["metadata"].get("creationTimestamp", "")))
        return out

    def job(self, attempt: Attempt, name: str) -> Object | None:
        """As the server has it now; None where it has none."""
        try:
            return self.api.request("GET", JOBS.path(self.namespace(attempt.route), name))
        except RefusedError as fault:
            if fault.status == MISSING:
                return None
            raise AwayError(fault.message) from fault

    def is_at_it(self, attempt: Attempt) -> bool:
        """Whether work of it may still go on or begin, as the server has it now. A pod on a node that is silent does not
        count: nobody can say when it ends."""
        namespace, selector = self.namespace(attempt.route), {"labelSelector": self._selector(attempt)}
        try:
            jobs, _ = self.api.all_of(JOBS.path(namespace), selector)
            pods, _ = self.api.all_of(PODS.path(namespace), selector)
        except RefusedError as fault:
            raise AwayError(fault.message) from fault
        return any(not is_leaving(job) and not _has_ended(job) for job in jobs) or any(map(self._may_work, pods))

    def _may_work(self, pod: Object) -> bool:
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        if is_over(pod) or (not node and is_leaving(pod)):
            return False
        ready = self.node_is_ready(node) if node else True
        return is_ready(pod) if ready is None else ready

    def events(self, attempt: Attempt, uid: str) -> list[Object]:
        """What the cluster says of one object, the newest last; nothing where we may not ask."""
        path = f"/api/v1/namespaces/{self.namespace(attempt.route)}/events"
        try:
            found, _ = self.api.all_of(path, {"fieldSelector": f"involvedObject.uid={uid}"})
        except RefusedError:
            return []
        return sorted(found, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""))

    def node_is_ready(self, name: str) -> bool | None:
        """None where we may not ask."""
        try:
            return gang.is_ready({**self.api.request("GET", f"/api/v1/nodes/{name}"), "spec": {}})
        except RefusedError as fault:
            return False if fault.status == MISSING else None

    def has_nodes(self, attempt: Attempt) -> bool:
        """Whether each of its parts has a pod, and each of these a node."""
        pods = self.pods(attempt)
        return len(pods) == attempt.shape.parts and all(
            (found[0]["spec"] or {}).get("nodeName") for found in pods.values()
        )

    def has_room(self, attempt: Attempt, others: Iterable[Attempt] = ()) -> bool:
        """Whether all of its pods would stand now. True where we may not ask: then it is tried, and taken back if need be.
        Not while another gang of the pool is on its way to its nodes: what that will hold is not to be seen yet."""
        if any(one is not attempt and self._is_on_its_way(one, attempt.order.pool) for one in others):
            return False
        (body, *_) = jobs_of(attempt.order, self._settings, attempt.route, 0, attempt.shape).values()
        spec = body["spec"]["template"]["spec"]
        held = {name: gang.milli(amount) for name, amount in spec["containers"][0]["resources"]["requests"].items()}
        wanted = gang.Wanted(
            count=attempt.shape.parts,
            held=held,
            apart=apart(attempt.order, attempt.route),
            selector=attempt.route.node_selector,
            tolerations=tuple(spec.get("tolerations", ())),
        )
        try:
            nodes, _ = self.api.all_of("/api/v1/nodes")
            pods, _ = self.api.all_of("/api/v1/pods", {"fieldSelector": "spec.nodeName!="})
            return gang.room(nodes, pods, wanted) >= wanted.count
        except (RefusedError, ValueError):
            return True

    def _is_on_its_way(self, other: Attempt, pool: PoolId) -> bool:
        if other.order.pool != pool or not other.is_gang or other.stage is not Stage.QUEUED or other.fails:
            return False
        begun = other.admitted or not other.shape.indexed
        return begun and not other.gone_ahead and not self.has_nodes(other)

    # What is done ---------------------------------------------------------------------------------------------

    def create(self, attempt: Attempt, body: Object) -> str | None:
        """The uid of the Job, made now or there already; None where it has gone in between. Raises RefusedError."""
        try:
            return uid_of(self.api.request("POST", JOBS.path(self.namespace(attempt.route)), body))
        except RefusedError as fault:
            if fault.status != EXISTS:
                raise
        found = self.job(attempt, body["metadata"]["name"])
        if found is None:
            return None
        if not self.is_ours(found):
            name, others = body["metadata"]["name"], "another adapter's job has this name"
            raise RefusedError(EXISTS, "AlreadyExists", f"{name}: {others}; has the agent's folder been lost?")
        return uid_of(found)

    def is_ours(self, job: Object) -> bool:
        return (job["metadata"].get("labels") or {}).get(INSTANCE) == self._settings.instance

    def begin(self, attempt: Attempt, name: str) -> None:
        """Let a Job make its pods that was made without."""
        path = JOBS.path(self.namespace(attempt.route), name)
        try:
            self.api.request("PATCH", path, {"spec": {"suspend": False}}, content_type=MERGE_PATCH)
        except RefusedError as fault:
            raise AwayError(fault.message) from fault

    def delete(self, attempt: Attempt, grace_s: int) -> None:
        """All of it. First the Jobs, so that no pod is replaced, then the pods, with that long for their work."""
        self._delete(self.namespace(attempt.route), self._selector(attempt), grace_s)

    def _selector(self, attempt: Attempt) -> str:
        return f"{INSTANCE}={self._settings.instance},{ATTEMPT}={attempt.order.attempt_id}"

    def sweep(self, turns: Mapping[str, int]) -> bool:
        """Delete what is of no attempt, or of a submission that is not its last. `turns`: the last of each. True where there
        was something."""
        strays = set()
        for kind in (JOBS, PODS):
            for one in self.mirror.all(kind):
                labels = one["metadata"].get("labels") or {}
                attempt, turn = str(labels.get(ATTEMPT)), str(labels.get(TURN))
                leaving = one["metadata"].get("deletionTimestamp") is not None
                if not leaving and str(turns.get(attempt)) != turn:
                    strays.add((str(one["metadata"]["namespace"]), attempt, turn))
        for namespace, attempt, turn in sorted(strays):
            selector = f"{INSTANCE}={self._settings.instance},{ATTEMPT}={attempt},{TURN}={turn}"
            self._delete(namespace, selector, 1)
        return bool(strays)

    def _delete(self, namespace: str, selector: str, grace_s: int) -> None:
        try:
            self.api.request(
                "DELETE", JOBS.path(namespace), params={"labelSelector": selector, "propagationPolicy": "Background"}
            )
            more = {"labelSelector": selector, "gracePeriodSeconds": str(grace_s)}
            self.api.request("DELETE", PODS.path(namespace), params=more)
        except RefusedError as fault:
            raise AwayError(fault.message) from fault


def uid_of(one: Object) -> str:
    return str(one["metadata"]["uid"])


def is_leaving(one: Object) -> bool:
    """Whether it is being deleted."""
    return one["metadata"].get("deletionTimestamp") is not None


def _has_ended(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(one.get("type") in ("Complete", "Failed") and one.get("status") == "True" for one in conditions)


def live(pods: dict[int, list[Object]]) -> bool:
    """Whether any of them may still be at work."""
    return any(not is_over(pod) for found in pods.values() for pod in found)


def _is_of(one: Object, attempt: Attempt) -> bool:
    labels = one["metadata"].get("labels") or {}
    return labels.get(TURN) == str(attempt.record.turn)


def _part_of(pod: Object) -> int:
    """By its label, or, of an Indexed Job, by the server's own number for it."""
    labels, notes = pod["metadata"].get("labels") or {}, pod["metadata"].get("annotations") or {}
    text = str(labels.get(PART) or notes.get(COMPLETION_INDEX) or labels.get(COMPLETION_INDEX) or "0")
    return int(text) if text.isdecimal() else 0

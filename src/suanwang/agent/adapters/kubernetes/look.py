"""One look at one attempt: what the cluster lacks of it is brought there, and what the cluster shows of it is read."""

from collections.abc import Iterable
from typing import Final

from suanwang.agent.adapters.kubernetes import script
from suanwang.agent.adapters.kubernetes.api import Object, RefusedError
from suanwang.agent.adapters.kubernetes.attempt import Attempt, Part
from suanwang.agent.adapters.kubernetes.cluster import Cluster, is_leaving, live, uid_of
from suanwang.agent.adapters.kubernetes.manifest import job_name, jobs_of
from suanwang.agent.adapters.kubernetes.verdict import (
    NODE_GONE,
    OUTSIDE,
    Ending,
    end_of,
    is_at_work,
    is_over,
    is_ready,
    never_begins,
    not_created,
    of_fault,
    refused,
    tries_again,
    word_of,
)
from suanwang.agent.beneath import OutsideError
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError

CREATES_AT_ONCE: Final = 50  # so that a large array keeps nobody else waiting
ASK_WHY_US: Final = 2_000_000  # a Job has no pods for that long: its events are asked, and again after as long
WORD_US: Final = 3_000_000
ORDINARY: Final = "Error"  # Kubernetes' word for an exit code that is not 0
GONE_US: Final = 20_000_000  # beyond the grace, after which a pod that does not go is its node's matter


class Look:
    """`take` once; then `ended`: pods that are over, with the facts; `left_over`: the cluster may still have work of it;
    `unfinished`: there is more to bring; `take_back`: a gang that does not come to stand."""

    def __init__(self, attempt: Attempt, cluster: Cluster, others: Iterable[Attempt] = ()) -> None:
        self._attempt = attempt
        self._cluster = cluster
        self._others = others
        self._now_us = attempt.services.monotonic()
        self._jobs = cluster.jobs(attempt)
        self._pods = cluster.pods(attempt)
        self._gone: dict[int, bool] = {}  # by first part of a Job
        self._found: set[int] = set()  # Jobs that the server was asked for by name
        self._given_up: bool | None = None
        self.ended: list[tuple[int, Ending]] = []
        self.left_over = False
        self.unfinished = False
        self.take_back = False

    def take(self) -> None:
        """Raises AwayError; what has been learnt until then stands."""
        attempt = self._attempt
        if not attempt.fails:
            self._bring()
        for number, part in enumerate(attempt.parts):
            if not part.over:
                self._read(number, part)
        if attempt.is_gang and not attempt.fails:
            self._raise_gang()
        self.left_over = live(self._pods) or bool(self._jobs) or any(map(self._has_job, self._found))
        if self.left_over and all(part.over for part in attempt.parts) and not live(self._pods):
            self.left_over = attempt.deleted_us is None and attempt.stopped
        if self._gives_up():
            self.left_over = False

    # What the cluster lacks -----------------------------------------------------------------------------------

    def _bring(self) -> None:
        attempt, made = self._attempt, 0
        known = dict(attempt.record.uids)
        wanted = 1 if attempt.shape.indexed else attempt.shape.parts
        if len(known) == wanted:
            self._admit()
            return
        bodies = jobs_of(attempt.order, attempt.services.settings, attempt.route, attempt.record.turn, attempt.shape)
        for first, body in bodies.items():
            if first in known or attempt.parts[first].over or attempt.told(attempt.parts[first]) is not None:
                continue
            if made == CREATES_AT_ONCE:
                self.unfinished = True
                break
            made += 1
            try:
                uid = self._cluster.create(attempt, body)
            except RefusedError as fault:
                attempt.failure = (attempt.parts[first].index, refused(fault.message))
                break
            if uid is not None:
                known[first] = uid
                attempt.note_jobs(known)
        if attempt.waits_us is None:
            attempt.waits_us = self._now_us

    def _admit(self) -> None:
        """Begin a gang's Indexed Job, once there is room for all of it."""
        attempt = self._attempt
        if not attempt.shape.indexed or not attempt.is_gang or attempt.admitted:
            return
        name = job_name(attempt.order.attempt_id, attempt.record.turn, None)
        if self._pods or self._cluster.has_room(attempt, self._others):
            self._cluster.begin(attempt, name)
            attempt.admitted, attempt.waits_us = True, self._now_us

    # What it shows --------------------------------------------------------------------------------------------

    def _read(self, number: int, part: Part) -> None:
        pod = self._pod(number, part)
        if pod is None:
            self._read_without(number, part)
        elif is_over(pod):
            code, word, message = end_of(pod)
            if code and word == ORDINARY and not is_leaving(pod) and self._waits_for_word(part):
                return
            outside = is_leaving(pod) and word not in OUTSIDE
            if outside and not self._attempt.fails:
                word = self._why_gone(part) or word
            job = not self._job_is_gone(number) if code != 0 else True
            self._over(number, Ending(code=code, word=word, message=message, pod=not outside, job=job))
        elif is_at_work(pod):
            part.stands = True
            if not self._attempt.is_gang:
                self._attempt.begin(number)
            self._watch_leaving(number, part, pod)
        else:
            self._read_waiting(number, part, pod)

    def _waits_for_word(self, part: Part) -> bool:
        """The status that the script wrote may take a moment to be seen over the network."""
        part.untold_us = part.untold_us or self._now_us
        late = self._now_us - part.untold_us > WORD_US
        return not late and not self._attempt.fails and self._attempt.told(part) is None

    def _pod(self, number: int, part: Part) -> Object | None:
        """The pod of a part: the first that was seen, and none in its place."""
        found = self._pods.get(number, [])
        if not part.pod and found:
            part.pod = uid_of(found[0])
        return next((one for one in found if uid_of(one) == part.pod), None)

    def _read_waiting(self, number: int, part: Part, pod: Object) -> None:
        part.tried_us = (part.tried_us or self._now_us) if tries_again(pod) else None
        verdict = never_begins(pod, self._now_us - (part.tried_us or self._now_us))
        if verdict is not None and not self._attempt.fails:
            self._attempt.failure = (part.index, verdict)
        self._watch_leaving(number, part, pod)

    def _watch_leaving(self, number: int, part: Part, pod: Object) -> None:
        """A pod that somebody else deletes, or whose node says no more: what becomes of it is waited for, but not for ever."""
        if self._gives_up():
            self._over(number, Ending(pod=False))
            return
        if self._attempt.fails:
            return
        silent = self._is_silent(part, pod)
        if is_leaving(pod):
            part.leaving_us = part.leaving_us or self._now_us
            silent = silent or self._now_us - part.leaving_us > self._attempt.services.settings.grace_us + GONE_US
        if silent:
            self._over(number, Ending(word=NODE_GONE, pod=False))

    def _is_silent(self, part: Part, pod: Object) -> bool:
        """Whether its node has said nothing for too long; at once, where somebody deletes the pod besides. A pod of ours is
        ready as soon as it runs, so one that is not any more is the cluster's word that its node is silent."""
        node = str((pod.get("spec") or {}).get("nodeName", ""))
        if not node or (is_at_work(pod) and is_ready(pod) and not is_leaving(pod)):
            part.silent_us = None
            return False
        if self._cluster.node_is_ready(node) is not False:
            part.silent_us = None
            return False
        part.silent_us = part.silent_us or self._now_us
        return is_leaving(pod) or self._now_us - part.silent_us >= self._attempt.services.settings.node_lost_us

    def _read_without(self, number: int, part: Part) -> None:
        """No pod: it has none yet, or none any more."""
        attempt = self._attempt
        gone = self._job_is_gone(number)
        if part.pod:
            word = "" if attempt.fails or gone else self._why_gone(part)
            self._over(number, Ending(word=word, pod=False, job=not gone))
        elif gone or (attempt.fails and self._never_had_job(number)) or attempt.told(part) is not None:
            self._over(number, Ending(pod=False, job=not gone))
        elif self._gives_up():
            self._over(number, Ending(pod=False))
        elif not attempt.fails and self._has_job(number):
            self._ask_why(number, part)

    def _never_had_job(self, number: int) -> bool:
        """Whether there is none and none is known: of a creation that nobody heard the answer of, only the server knows.
        One that is found is ours from now on. Raises AwayError."""
        first = self._first(number)
        # They are made in order, up to the first without an answer: beyond the one after the last known none was tried.
        tried = first <= max(self._attempt.record.uids, default=-1) + 1
        if self._has_job(number) or first in self._found or not tried:
            return not self._has_job(number)
        self._found.add(first)
        part = None if self._attempt.shape.indexed else number
        found = self._cluster.job(
            self._attempt, job_name(self._attempt.order.attempt_id, self._attempt.record.turn, part)
        )
        if found is not None and self._cluster.is_ours(found):
            self._attempt.note_jobs({**self._attempt.record.uids, first: uid_of(found)})
        return not self._has_job(number)

    def _has_job(self, number: int) -> bool:
        return self._first(number) in self._attempt.record.uids

    def _first(self, number: int) -> int:
        return 0 if self._attempt.shape.indexed else number

    def _job_is_gone(self, number: int) -> bool:
        """Whether the server had its Job and has it no more. The mirror may be behind: only the server's word counts."""
        first = self._first(number)
        uid = self._attempt.record.uids.get(first)
        if uid is None or uid in self._jobs:
            return False
        if first not in self._gone:
            part = None if self._attempt.shape.indexed else number
            name = job_name(self._attempt.order.attempt_id, self._attempt.record.turn, part)
            found = self._cluster.job(self._attempt, name)
            self._gone[first] = found is None or uid_of(found) != uid
        return self._gone[first]

    def _why_gone(self, part: Part) -> str:
        return word_of(self._cluster.events(self._attempt, part.pod))

    def _ask_why(self, number: int, part: Part) -> None:
        """A Job without pods: its events say whether the cluster refuses them."""
        attempt = self._attempt
        if attempt.lookups_us == 0 or self._now_us < attempt.lookups_us:
            attempt.lookups_us = attempt.lookups_us or self._now_us + ASK_WHY_US
            return
        attempt.lookups_us = self._now_us + ASK_WHY_US
        verdict = not_created(self._cluster.events(attempt, attempt.record.uids[self._first(number)]))
        if verdict is not None:
            attempt.failure = (part.index, verdict)

    def _over(self, number: int, ending: Ending) -> None:
        self.ended.append((number, ending))

    def _gives_up(self) -> bool:
        """What is being deleted has had its time: a node that does not answer keeps its pods for ever. The server has to
        say so now: what the mirror shows may be old. Raises AwayError."""
        attempt = self._attempt
        if attempt.deleted_us is None:
            return False
        if self._now_us - attempt.deleted_us <= attempt.services.settings.grace_us + GONE_US:
            return False
        if self._given_up is None:
            self._given_up = not self._cluster.is_at_it(attempt)
        return self._given_up

    # Gangs ----------------------------------------------------------------------------------------------------

    def _raise_gang(self) -> None:
        """Give the word once all of it stands; take it back where that does not come."""
        attempt = self._attempt
        if not attempt.gone_ahead and any(attempt.begun(part) for part in attempt.parts):
            attempt.gone_ahead = True  # of an earlier process
        if not attempt.gone_ahead and all(part.stands for part in attempt.parts):
            try:
                attempt.services.folder.put(
                    attempt.order.attempt_id, script.GO_FILE, f"{attempt.record.turn}\n".encode()
                )
            except (OSError, BackendError, OutsideError) as fault:
                verdict: Verdict = of_fault(fault)
                attempt.failure = (attempt.parts[0].index, verdict)
                return
            attempt.gone_ahead = True
        if attempt.gone_ahead:
            for number, part in enumerate(attempt.parts):
                if part.stands:
                    attempt.begin(number)
            return
        # Of an earlier process's Indexed Job that was begun there are pods: `_admit` has found them.
        if attempt.shape.indexed and not attempt.admitted:
            return
        # Members that have nodes hold up nobody: they come to stand as soon as their image is there, or never begin.
        if attempt.waits_us is None or self._cluster.has_nodes(attempt):
            attempt.waits_us = self._now_us
        self.take_back = self._now_us - attempt.waits_us > attempt.services.settings.gang_wait_us

"""The network agent: makes routers do what the live plans want, and tells the brain what they do.

Level-triggered, and it keeps nothing that it could not ask again: what is wanted comes whole from the brain, what is
installed is read from the routers. A link that falls is taken out of the programs at once, before the brain has been
told: a policy whose path is broken goes its standby's way, or is taken off, so that its traffic goes as the IGP has it.
One that leads through protection functions is closed instead: nothing of it passes them by.
"""

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from suanwang.agent.adapters.srv6 import Counters, LinkUse, SrNetwork, link_use, policy_use
from suanwang.model.error import NetworkError
from suanwang.model.ids import LinkId, SecurityPoolId, TaskId
from suanwang.model.sr_program import PlacedPolicy, RouterProgram
from suanwang.model.wanted import (
    FunctionUse,
    LinkUseReport,
    NetworkReport,
    PolicyUseReport,
    ProbedPath,
    Steered,
    TaskFlow,
    WantedNetwork,
)

PolicyKey = tuple[str, int, str]
PROBES_AT_ONCE: Final = 8
# Drift (what others deleted or changed) is looked for so often; what is wanted is written when it changes.
RECONCILE_US: Final = 5_000_000


class Laid(NamedTuple):
    """What was wanted as programs; what could not be is left out, and `faults` say why."""

    programs: Mapping[str, RouterProgram]
    placed: tuple[PlacedPolicy, ...]
    faults: tuple[str, ...]


class Member(NamedTuple):
    """A task in the network: its flow, its address, and whether all its policies are placed."""

    flow: TaskFlow
    address: str
    placed: bool


class Domain(Protocol):
    """The routers of one SRv6 domain, and what the agent needs to know of them."""

    @property
    def network(self) -> SrNetwork: ...

    def addresses(self) -> Mapping[str, TaskId]:
        """The addresses of tasks whose network is part of the domain; an array has one for each element."""

    def refresh(self) -> None:
        """Take in what has changed, without waiting."""

    def down(self) -> frozenset[LinkId]:
        """Links with an end that is not up."""

    def wait(self, timeout_s: float) -> bool:
        """Wait until links or tasks come or go; whether they did."""

    @property
    def generation(self) -> int:
        """Grows when the routers were made anew, and so hold nothing of what was written."""

    def standing(self, wanted: WantedNetwork) -> Hashable:
        """What else `lay` depends on: the functions that are there for the security pools."""

    def lay(self, wanted: WantedNetwork, steers: Mapping[PolicyKey, list[str]], down: frozenset[LinkId]) -> Laid:
        """Compile. Policies that cannot be are left out."""

    def hold(self, members: Collection[Member]) -> None:
        """Give each flow its bandwidth on its links and no more, and close what is not placed and must be."""

    def carried(self, use: LinkUse) -> LinkUseReport | None:
        """What left a router by a device as the directed link that it is the source of, with the rate in the grid's
        figures, as capacities are; None for a device that is no link of the grid."""

    def functions(self, wanted: WantedNetwork) -> tuple[FunctionUse, ...]:
        """The security pools that the domain has a function for: what passes them now, and whether they live."""

    def out_of(self, pool: SecurityPoolId, flow: TaskFlow, prefixes: list[str]) -> list[str]:
        """What comes out of a function for these prefixes: the same, but for an encryption hop, which carries them to
        its far end."""

    def probe(self, member: Member) -> ProbedPath | None:
        """One-way delay and loss by packets that take the flow's policies."""

    def probe_address(self, flow: TaskFlow) -> str | None:
        """A second address that is steered like the task's, and answers probes."""

    def close(self) -> None: ...


class NetworkBus(Protocol):
    """What the agent needs of its brain."""

    def exchange(self, report: NetworkReport, wait_ms: int) -> WantedNetwork: ...


@dataclass
class NetworkAgent:
    """Thread-safe: `listen`, `watch` and `measure` are the bodies of three threads' loops."""

    name: str
    domain: Domain
    bus: NetworkBus
    clock: Callable[[], int]
    probing: bool = True  # off: who counts packets wants no others on the way
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _wanted: WantedNetwork | None = None
    _done: tuple[object, ...] | None = None
    _members: tuple[Member, ...] = ()
    _programs: dict[str, RouterProgram] = field(default_factory=dict)
    _placed: tuple[PlacedPolicy, ...] = ()
    _faults: tuple[str, ...] = ()
    _trouble: tuple[str, ...] = ()  # of the last measurement
    _installed: str = ""
    _told_down: set[LinkId] = field(default_factory=set)
    _read: tuple[int, Mapping[str, Counters]] | None = None
    _reconciled_us: int = 0
    _generation: int = 0
    _closed: bool = False
    _seen: NetworkReport | None = None

    @property
    def placed(self) -> tuple[PlacedPolicy, ...]:
        """What is on the routers now."""
        return self._placed

    @property
    def members(self) -> tuple[Member, ...]:
        return self._members

    def listen(self, wait_ms: int) -> None:
        """One round with the brain. Raises UnreachableError where none answers."""
        answer = self.bus.exchange(self._report(), wait_ms)
        with self._lock:
            down = self.domain.down()
            self._told_down = {one for one in self._told_down if one in answer.links_down} | (
                down & set(answer.links_down)
            )
            # Two threads ask; what was answered first may arrive last.
            if self._wanted is None or answer.position >= self._wanted.position:
                self._wanted = answer
            self.sync()

    def watch(self, timeout_s: float) -> None:
        """Wait for the network to change, put the routers right, and tell the brain at once."""
        if self.domain.wait(timeout_s):
            self.sync()
            down = self.domain.down()
            wanted = self._wanted
            known = set(wanted.links_down) if wanted is not None else set()
            if down - known or (self._told_down & known) - down:
                self.listen(0)

    def sync(self) -> None:
        """Make the routers do what is wanted, as far as it can be now. What fails is told, and tried again."""
        with self._lock:
            if self._wanted is None or self._closed:
                return
            wanted, down, addresses = self._wanted, self.domain.down(), self.domain.addresses()
            if self.domain.generation != self._generation:
                self._generation, self._programs, self._members = self.domain.generation, {}, ()
            standing = self._generation, self.domain.standing(wanted)
            state = (wanted.digest, down, tuple(sorted(addresses.items())), standing)
            if state == self._done:
                return
            steers = self._steers(wanted.tasks, addresses)
            laid = self.domain.lay(wanted, steers, down | frozenset(wanted.links_down))
            placed = {(one.headend, one.color, one.endpoint) for one in laid.placed}
            of_task = {one.flow.task_id: one for one in wanted.tasks}
            members = tuple(
                Member(of_task[task].flow, address, placed.issuperset(of_task[task].policies))
                for address, task in sorted(addresses.items())
                if task in of_task
            )
            faults = list(laid.faults)
            guarded = self._guarded(members)
            try:
                self.domain.hold(guarded)
                changed = [one for router, one in laid.programs.items() if self._programs.get(router) != one]
                self.domain.network.apply(changed)
                self._programs, self._placed, guarded = dict(laid.programs), laid.placed, members
                self.domain.hold(members)
                self._done = state
            except NetworkError as error:
                faults.append(f"{error.code}: {error.params}")
            self._members, self._faults = guarded, tuple(faults)
            self._installed = wanted.digest  # as far as it can be; the faults say what is missing

    def _guarded(self, members: Iterable[Member]) -> tuple[Member, ...]:
        """Members as they are to be while the routers are written: what leads through protection functions is closed, but
        for what leads through them already. So it is opened when its policies stand and not before, and stays closed
        where a router refuses them."""
        stood = {(one.address, one.flow.task_id) for one in self._members if one.placed}
        return tuple(
            one._replace(placed=one.placed and (not one.flow.pools or (one.address, one.flow.task_id) in stood))
            for one in members
        )

    def measure(self) -> None:
        """Counters, probes and drift; the next round tells of them."""
        now_us, self._trouble = self.clock(), ()
        if now_us - self._reconciled_us >= RECONCILE_US:
            self._reconciled_us = now_us
            self._reconcile()
        counters = self._counters()
        before, self._read = self._read, (now_us, counters)
        with self._lock:  # what is measured together was written together
            members, placed, wanted = self._members, self._placed, self._wanted
        if before is None or now_us <= before[0]:
            return
        interval_us = now_us - before[0]
        found = map(self.domain.carried, link_use(before[1], counters, interval_us))
        links = tuple(one for one in found if one is not None)
        sids = _sids(wanted.tasks if wanted is not None else (), placed)
        probed = self._probed([one for one in members if one.placed] if self.probing else [])
        self._seen = NetworkReport(
            agent=self.name,
            at_us=now_us,
            measured_at_us=now_us,
            interval_us=interval_us,
            links=links,
            policies=_policy_reports(placed, before[1], counters),
            functions=self.domain.functions(wanted) if wanted is not None else (),
            paths=tuple(one.model_copy(update={"segments": sids.get(one.task_id, ())}) for one in probed),
        )

    def _counters(self) -> Mapping[str, Counters]:
        """Of the routers that answer; one that does not is told, and the others are not lost with it."""
        out: dict[str, Counters] = {}
        for router in list(self._programs):
            try:
                out |= self.domain.network.counters([router])
            except NetworkError as error:
                self._tell(error)
        return out

    def _probed(self, members: Collection[Member]) -> tuple[ProbedPath, ...]:
        """Several at once: a path that is dead keeps its probe waiting, and not those after it."""
        if not members:
            return ()
        with ThreadPoolExecutor(PROBES_AT_ONCE, "probe") as pool:
            return tuple(found for found in pool.map(self.domain.probe, members) if found is not None)

    def _tell(self, error: NetworkError) -> None:
        with self._lock:
            self._trouble = (*self._trouble, f"{error.code}: {error.params}")

    def joined(self) -> None:
        """A task's network has just become part of the domain: when this returns its policies stand, or, where they lead
        through protection functions and do not stand, its traffic is closed."""
        self.domain.refresh()
        self.listen(0)

    def close(self) -> None:
        """Leave the routers as they were found: nothing of ours is on them."""
        with self._lock:
            self._closed = True  # who still waits for an answer of the brain must not write again
            self._wanted, self._done, self._programs, self._members = None, None, {}, ()
            try:
                with suppress(NetworkError):
                    self.domain.hold(())
                self.domain.network.remove()
            finally:
                self.domain.close()

    def _reconcile(self) -> None:
        """Correct what others have changed under our number, a router at a time: what falls meanwhile need not wait."""
        for router in list(self._programs):
            with self._lock:
                program = self._programs.get(router)
                if program is None:
                    continue
                try:
                    self.domain.network.apply([program])
                except NetworkError as error:
                    self._tell(error)

    def _report(self) -> NetworkReport:
        with self._lock:
            down = self.domain.down()
            seen = self._seen or NetworkReport(agent=self.name, at_us=self.clock(), interval_us=1)
            known = set(self._wanted.links_down) if self._wanted is not None else set()
            return seen.model_copy(
                update={
                    "at_us": self.clock(),
                    "installed": self._installed,
                    "faults": tuple(dict.fromkeys((*self._faults, *self._trouble))),
                    "links_down": tuple(sorted(down)),
                    "links_up": tuple(sorted((self._told_down & known) - down)),
                }
            )

    def _steers(self, tasks: Iterable[Steered], addresses: Mapping[str, TaskId]) -> dict[PolicyKey, list[str]]:
        """Which prefixes enter which policy: the first one at its headend, each other after the function before it."""
        of_task: dict[TaskId, list[str]] = {}
        for address, task in addresses.items():
            of_task.setdefault(task, []).append(f"{address}/128")
        out: dict[PolicyKey, list[str]] = {}
        for one in tasks:
            prefixes = of_task.get(one.flow.task_id)
            if prefixes is None:
                continue
            probe = self.domain.probe_address(one.flow)
            steered = [*prefixes, f"{probe}/128"] if probe is not None else prefixes
            for at, key in enumerate(one.policies):
                before = one.flow.pools[at - 1].security_pool if at else None
                out.setdefault(key, []).extend(
                    steered if before is None else self.domain.out_of(before, one.flow, steered)
                )
        return {key: sorted(set(prefixes)) for key, prefixes in out.items()}


def _policy_reports(
    placed: Iterable[PlacedPolicy], before: Mapping[str, Counters], after: Mapping[str, Counters]
) -> tuple[PolicyUseReport, ...]:
    """Of the policies whose headends answered both times: of another it is not known that nothing went into it."""
    read = [one for one in placed if one.headend in before and one.headend in after]
    return tuple(
        PolicyUseReport(
            headend=one.headend,
            color=one.color,
            endpoint=one.endpoint,
            packets=sum(each.packets for each in one.active),
            standby_packets=sum(each.packets for each in one.standby),
            bound_packets=one.bound.packets,
        )
        for one in policy_use(read, before, after)
    )


def _sids(tasks: Iterable[Steered], placed: Iterable[PlacedPolicy]) -> dict[TaskId, tuple[str, ...]]:
    """The SIDs that each task's packets are given, stretch after stretch; a plan's path is one list, the first."""
    of = {(one.headend, one.color, one.endpoint): one for one in placed}
    return {
        one.flow.task_id: tuple(
            sid for key in one.policies if key in of for each in of[key].active[:1] for sid in each.sids
        )
        for one in tasks
    }

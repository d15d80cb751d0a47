"""A day played again: given arrivals on a calm grid. The brain and its agents wake when there is news, not by the second.

Nothing fails here by chance, no message is lost and no agent is late: what a day costs is the plan's doing alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from suanwang.agent.adapters.fake import DURATION_TAG, OUTCOME_TAG, FakeSettings
from suanwang.flow import Road
from suanwang.model.batch import AnyRecord, expanded
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import AgentId, SiteId
from suanwang.model.principal import Submission
from suanwang.model.record import AttemptOpened, DeliveryOrdered, Record, StopRequested, TenantSet
from suanwang.model.trace import Arrival
from suanwang.model.units import US_PER_DAY, US_PER_S
from suanwang.observe.state import State
from suanwang.twin.checks import Checker
from suanwang.twin.scene import Hands, Scene

CALM = FakeSettings(duration_permille_min=1000, duration_permille_max=1000)
NEVER_US = 36_500 * US_PER_DAY  # no agent falls silent
TICK_US = US_PER_S  # what time alone brings about is looked at no more often than this
TICK_IDLE_US = 60 * US_PER_S  # without a reason no more often than this
# While plans wait for room that was made lately, they are pulled forward a few a tick.
PULL_FOR_US = 20 * US_PER_S
# At one instant: agents first, so that what ends is over before what follows it begins; then users; then the brain.
AGENTS, USERS, BRAIN = range(3)

Watch = Callable[[Sequence[Record], int], None]


class DayLog:
    """Hands every batch on and keeps none: a day is measured as it goes by."""

    def __init__(self, watch: Watch) -> None:
        self.position = 0
        self.records = 0
        self._watch = watch

    def append(
        self, batches: Sequence[AnyRecord], at_us: int, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> int:
        records = list(expanded(batches))
        self.position += 1
        self.records += len(records)
        self._watch(records, at_us)
        return self.position


class CalmRoad(Road):
    """The road of a day on which work begins when it was planned to and never outlasts its window."""

    def extend(self, now_us: int) -> None:
        """Nothing. The brain extends a lease ten seconds before its end, for reports that may be late; none is."""


class Day(Scene[DayLog]):
    """One day. The same grid, seed, tenants and arrivals give the same records on every machine.

    `watch` sees every batch of records; `timer` gives seconds of the real clock, for the time that planning takes;
    `checked` looks at every promise of the twin after every step, which takes its time.
    """

    def __init__(
        self,
        grid: Grid,
        seed: int,
        tenants: Iterable[Tenant],
        arrivals: Sequence[Arrival],
        watch: Watch,
        timer: Callable[[], float] = lambda: 0.0,
        checked: bool = False,
    ) -> None:
        start_us = min((one.at_us for one in arrivals), default=0)
        super().__init__(grid, seed, start_us, DayLog(self._log_watch(watch)), NEVER_US)
        self.timer = timer
        self.plan_s = 0.0  # of the real clock, in all rounds of planning
        self.rounds = 0
        self._checker = Checker() if checked else None
        self._called: dict[SiteId, None] = {}  # sites with an order to fetch
        self._brain_due_us: int | None = None
        self._agent_due_us: dict[SiteId, int] = {}
        self._ticked_us = start_us
        self._by_the_second = any(one.request.on_budget == "stop" for one in arrivals)
        self._hands = self._boot(grid)
        for tenant in tenants:
            self.road.emit(TenantSet(at_us=start_us, tenant=tenant))
        self.road.commit()
        for arrival in arrivals:
            self.at(arrival.at_us, partial(self._submit, arrival), USERS)

    def _make_road(self, state: State) -> Road:
        return CalmRoad(state, self.log, lambda: self.now_us, self.ids, self.seed, NEVER_US)

    def _boot(self, grid: Grid) -> dict[SiteId, Hands]:
        """An agent a site: what one has to say is then no longer than what runs there."""
        out = {}
        for number, site in enumerate(one for one in grid.sites if one.pools):
            hands = Hands(AgentId(f"agent-{number}"), (site.id,), self.seed, lambda: self.now_us, CALM)
            hands.boot()
            out[site.id] = hands
            self._wake_agent(site.id, self.now_us)
        return out

    def _log_watch(self, watch: Watch) -> Watch:
        def take(records: Sequence[Record], at_us: int) -> None:
            for record in records:
                if isinstance(record, AttemptOpened | DeliveryOrdered):
                    self._called[record.site] = None
                elif isinstance(record, StopRequested):
                    task = self.road.state.tasks[record.task_id]
                    if task.attempt is not None:
                        self._called[task.attempt.site] = None
            watch(records, at_us)

        return take

    def run(self, say: Callable[[int], None] = lambda _: None) -> State:
        """Play until nothing is left to happen. `say` is told now and then how many tasks have ended."""
        said = 0
        while self._heap:
            self.step()
            if self._checker is not None:
                self._checker.after_step(self.road.state)
            ended = len(self.road.state.tasks) - len(self.road.state.live)
            if ended >= said + 100:
                said = ended
                say(ended)
        return self.road.state

    # -- the actors --------------------------------------------------------------------------------------------

    def _submit(self, arrival: Arrival) -> None:
        tags = {
            DURATION_TAG: ",".join(str(max(1, run.span_us)) for run in arrival.runs),
            OUTCOME_TAG: ",".join(run.outcome for run in arrival.runs),
        }
        request = arrival.request.model_copy(update={"tags": arrival.request.tags | tags, "secrets": ()})
        offer = Submission.model_construct(request=request, secrets={}, idempotency_key=arrival.key)
        self.road.submit(arrival.tenant, "what-if", [offer], [self.ids.task_id()])
        self._wake_brain(self.now_us)

    def _wake_brain(self, at_us: int) -> None:
        if self._brain_due_us is None or at_us < self._brain_due_us:
            self._brain_due_us = at_us
            self.at(at_us, partial(self._brain_step, at_us), BRAIN)

    def _brain_step(self, due_us: int) -> None:
        if due_us != self._brain_due_us:
            return  # an earlier wake took its place
        self._brain_due_us = None
        self._plan()
        self.road.dispatch_round()
        if self._is_tick_due():
            self._ticked_us = self.now_us
            self.road.tick()
            if self.road.waits.is_ready():
                self._plan()
                self.road.dispatch_round()
        called, self._called = self._called, {}
        for site in called:
            self._wake_agent(site, self.now_us)
        next_us = self._next_us()
        if next_us is not None:
            self._wake_brain(max(next_us, self.now_us))

    def _is_tick_due(self) -> bool:
        """Whether a tick might find something. One looks at all that runs, so it comes when there is a reason."""
        since_us = self.now_us - self._ticked_us
        return since_us >= TICK_US and (since_us >= TICK_IDLE_US or self._pulls() or self._is_moment_due())

    def _is_moment_due(self) -> bool:
        moments = (self.road.waits.late.next_us(), self.road.waits.pauses.next_us())
        return any(one is not None and one <= self.now_us for one in moments)

    def _pulls(self) -> bool:
        """Whether plans that wait for room may be pulled forward, or quotes have to be watched by the second."""
        state = self.road.state
        pulls = bool(state.planned) and self.now_us - self.road.room_us < PULL_FOR_US
        return pulls or (self._by_the_second and bool(state.by_site))

    def _plan(self) -> None:
        began_s = self.timer()
        while self.road.plan_round():
            self.rounds += 1
        self.plan_s += self.timer() - began_s
        if self.road.plan_fault is not None:
            raise self.road.plan_fault[1]

    def _next_us(self) -> int | None:
        """When the brain has something to do, if no news comes."""
        road, state = self.road, self.road.state
        start_us = state.agenda.next_us()
        moments = [one for one in (road.waits.late.next_us(), road.waits.pauses.next_us()) if one is not None]
        if self._pulls():
            moments.append(self.now_us + TICK_US)
        # What is due at a moment is done by a tick, and so it waits for the next of them.
        moments = [max(one, self._ticked_us + TICK_US) for one in moments]
        return min([*moments, *([start_us] if start_us is not None else [])], default=None)

    def _wake_agent(self, site: SiteId, at_us: int) -> None:
        due_us = self._agent_due_us.get(site)
        if due_us is None or at_us < due_us:
            self._agent_due_us[site] = at_us
            self.at(at_us, partial(self._agent_step, site, at_us), AGENTS)

    def _agent_step(self, site: SiteId, due_us: int) -> None:
        if self._agent_due_us.get(site) != due_us:
            return
        del self._agent_due_us[site]
        agent = self._hands[site].agent
        assert agent is not None, "no agent crashes on a calm day"
        before = self.log.position
        agent.exchange(self._send)
        if self.log.position != before:
            self._wake_brain(self.now_us)
        next_us = self.now_us if agent.unacknowledged else agent.next_wake_us()
        if next_us is not None:
            self._wake_agent(site, max(next_us, self.now_us))

    def _send(self, heartbeat: Heartbeat) -> Orders:
        return self.road.exchange(heartbeat)

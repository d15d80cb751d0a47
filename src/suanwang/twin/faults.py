"""What strikes in the first phase of a history, and its healing."""

import random
from typing import TYPE_CHECKING

from suanwang.model.compact import AnyPlan
from suanwang.model.error import ConflictError
from suanwang.model.ids import AgentId, LinkId, SecurityPoolId, SiteId
from suanwang.model.path_report import PathFault, PathReport
from suanwang.model.record import ENDS
from suanwang.model.units import US_PER_S

if TYPE_CHECKING:
    from suanwang.twin.scene import Hands
    from suanwang.twin.world import World

# Seconds between two faults, at least and at most.
EVERY_S = (2, 25)
LASTS_S = (1, 60)
NETWORK_AGENT = "twin-network"
# A restart reads the whole log. In a long history the brain falls only after the log has grown by a quarter since it
# last did, so that the history takes time in proportion to its length, and restarts from logs of every length occur.
SHORT_LOG_RECORDS = 20_000


class Faults:
    """A planned run of faults on one world, from one stream."""

    def __init__(self, world: "World", draw: random.Random) -> None:
        self._world = world
        self._draw = draw
        self._cut: set[AgentId] = set()
        self._fell_at_records = 0

    def cut(self, agent: AgentId) -> bool:
        """Whether the wire to an agent is cut now."""
        return agent in self._cut

    def plan(self) -> None:
        """Put faults on the heap, over the time in which tasks arrive and a minute more."""
        world = self._world
        end_us = max(at_us for at_us, _, _ in world._heap) + 60 * US_PER_S
        at_us = world.now_us
        while at_us < end_us:
            at_us += self._draw.randint(*EVERY_S) * US_PER_S
            world.at(at_us, self._strike)

    def heal(self) -> None:
        """Mend everything, for good."""
        world = self._world
        self._cut.clear()
        world.brain_up = True
        for hands in world.hands:
            if hands.agent is None:
                hands.boot()
        for site in sorted(world.road.state.operator_down):
            self._heal_site(site)
        for link in sorted(world.road.state.links_down):
            world.road.set_link(link, True, "twin")
        for pool, out in sorted(world.road.state.security_out.items()):
            world.road.set_security_pool(pool, True, "twin", out.agent)
        world.road.commit()

    def _later(self) -> int:
        return self._world.now_us + self._draw.randint(*LASTS_S) * US_PER_S

    def _strike(self) -> None:
        if self._world.healed:
            return
        strikes = (
            self._agent,
            self._agent,
            self._partition,
            self._brain,
            self._outage,
            self._site,
            self._link,
            self._path,
            self._path,
            self._security_pool,
            self._report,
            self._cancel,
        )
        self._draw.choice(strikes)()

    def _agent(self) -> None:
        hands = self._draw.choice(self._world.hands)
        if hands.agent is None:
            return
        hands.crash()
        self._world.at(self._later(), lambda: self._boot(hands))

    def _boot(self, hands: "Hands") -> None:
        if hands.agent is None:
            hands.boot()

    def _partition(self) -> None:
        agent = self._draw.choice(self._world.hands).agent_id
        self._cut.add(agent)
        self._world.at(self._later(), lambda: self._cut.discard(agent))

    def _brain(self) -> None:
        if self._world.brain_up and self._may_fall():
            self._world.crash_brain()

    def _may_fall(self) -> bool:
        records = self._world.log.records
        if records > SHORT_LOG_RECORDS and records < self._fell_at_records * 5 // 4:
            return False
        self._fell_at_records = records
        return True

    def _outage(self) -> None:
        """The brain is away for a while and comes back from its log."""
        world = self._world
        if not world.brain_up or not self._may_fall():
            return
        world.brain_up = False

        def back() -> None:
            if not world.brain_up:
                world.crash_brain()
                world.brain_up = True

        world.at(self._later(), back)

    def _site(self) -> None:
        world = self._world
        site = self._draw.choice(world.index.grid.sites).id
        if not world.brain_up or site in world.road.state.operator_down or site not in world.road.state.sites:
            return
        world.road.lose_site(site, "operator_failed")
        world.road.commit()
        world.at(self._later(), lambda: self._heal_site(site))

    def _heal_site(self, site: SiteId) -> None:
        world = self._world
        if not world.brain_up:  # the operator tries again when it is back
            world.at(self._later(), lambda: self._heal_site(site))
        elif site in world.road.state.operator_down:
            world.road.heal_site(site)
            world.road.commit()

    def _link(self) -> None:
        world = self._world
        if not world.brain_up or not world.index.grid.links:
            return
        self._cut_link(LinkId(self._draw.choice(world.index.grid.links).id))

    def _cut_link(self, link: LinkId) -> None:
        world = self._world
        world.road.set_link(link, False, "twin")
        world.road.commit()
        world.at(self._later(), lambda: self._mend(link))

    def _path(self) -> None:
        """A link under something that runs is cut, of one that holds bandwidth if there is any."""
        found = self._on_paths()
        if self._world.brain_up and found:
            self._cut_link(self._draw.choice(self._draw.choice(found).path.links).link)

    def _security_pool(self) -> None:
        """An operator takes a security pool out, or its function dies: one that something passes if there is any."""
        world = self._world
        passed = sorted({step.security_pool for plan in self._on_paths() for step in plan.protection})
        pools = passed or list(world.index.security_order)
        if world.brain_up and pools:
            pool, agent = self._draw.choice(pools), self._draw.choice((None, NETWORK_AGENT))
            world.road.set_security_pool(pool, False, "twin", agent)
            world.road.commit()
            world.at(self._later(), lambda: self._revive(pool, agent))

    def _revive(self, pool: SecurityPoolId, agent: str | None) -> None:
        """What the same one took out; another may have taken it over."""
        world = self._world
        if not world.brain_up:
            world.at(self._later(), lambda: self._revive(pool, agent))
        else:
            world.road.set_security_pool(pool, True, "twin", agent)
            world.road.commit()

    def _report(self) -> None:
        """The network says that a path is out of its promise; now and then it says so of one that was left already."""
        found = self._on_paths()
        if not self._world.brain_up or not found:
            return
        plan = self._draw.choice(found)
        late = plan.parent is not None and self._draw.random() < 0.2
        kind = self._draw.choice((PathFault.DELAY, PathFault.LOSS, PathFault.DOWN))
        avoid = (self._draw.choice(plan.path.links).link,) if self._draw.random() < 0.5 else ()
        full = plan.protection and self._draw.random() < 0.5
        pools = (self._draw.choice(plan.protection).security_pool,) if full else ()
        seen = PathReport(
            task_id=plan.task_id,
            plan_id=plan.parent if late and plan.parent is not None else plan.plan_id,
            kind=kind,
            measured_us=plan.path.latency_us * self._draw.randint(1, 3),
            promised_us=plan.path.latency_us,
            avoid=avoid,
            avoid_pools=pools,
            observed_at_us=self._world.now_us,
        )
        self._world.road.report_paths([seen])

    def _on_paths(self) -> list[AnyPlan]:
        """The plans of what runs over links: those that hold bandwidth, else any."""
        tasks = self._world.road.state.live.values()
        plans = [task.attempt.plan for task in tasks if task.attempt is not None and task.attempt.plan.path.links]
        return [plan for plan in plans if plan.bandwidth_bps] or plans

    def _mend(self, link: LinkId) -> None:
        world = self._world
        if not world.brain_up:
            world.at(self._later(), lambda: self._mend(link))
        elif link in world.road.state.links_down:
            world.road.set_link(link, True, "twin")
            world.road.commit()

    def _cancel(self) -> None:
        world = self._world
        if not world.brain_up or not world.road.state.tasks:
            return
        task = self._draw.choice(list(world.road.state.tasks.values()))
        if task.phase in ENDS:
            return
        try:
            world.road.cancel(task.task_id, "twin")
        except ConflictError as error:  # it may end between the look and the call only in a real world
            raise AssertionError("the twin has one thread") from error

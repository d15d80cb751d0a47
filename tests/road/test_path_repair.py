"""The path of a running task is repaired under it: the attempt goes on, the bill stays, and nobody loses room by it."""

import json
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.plan.worlds import FIREWALL, general, grid_of, link_of, site_of
from tests.road.test_giving_way import PRICED
from tests.road.test_reservations import reserve
from tests.road.town import TENANT, S, Town

from suanwang.dispatch.repair import down
from suanwang.model.compact import full_plan
from suanwang.model.grid import SecurityPool, Tenant
from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, SiteId, TaskId
from suanwang.model.path_report import PathFault, PathObservation, PathOutcome
from suanwang.model.plan import Hold, Plan
from suanwang.model.principal import Submission
from suanwang.model.record import ENDS, Phase, TenantSet
from suanwang.model.reservation import Wanted
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Resources, Standby, TaskRequest
from suanwang.observe.state import State
from suanwang.twin.checks import Checker, at_the_end
from suanwang.twin.world import compare
from suanwang.verify.holds import capacity_of, over

MBPS = 10**6
# home reaches far over a (the cheapest way), over b (which is thin), and over c and d (the longest).
LINKS = ("home-a", "a-far", "home-b", "b-far", "home-c", "c-d", "d-far")
THIN_BPS, WIDE_BPS = 30 * MBPS, 100 * MBPS


class Mesh(Town):
    """Six sites of four cores; firewalls at a and at b."""

    def __init__(self) -> None:
        names = ("home", "a", "b", "c", "d", "far")
        super().__init__(*names, book=PRICED)
        walls = {one: [firewall(one)] for one in ("a", "b")}
        places = [site_of(one, [general(one, memory=2**30)], security=walls.get(one, [])) for one in names]
        links = [
            link_of(
                name, *name.split("-"), capacity=THIN_BPS if "b" in name else WIDE_BPS, price=900_000 * (1 + at // 2)
            )
            for at, name in enumerate(LINKS)
        ]
        self.index = index_grid(grid_of(places, links, books=(PRICED,)))
        self.log.batches.clear()
        self.road = self.opened()
        self.road.emit(TenantSet(at_us=self.now_us, tenant=Tenant(id=TENANT, name="T", priority_max=100)))
        self.road.commit()
        self.exchange()

    def send(self, seconds: int = 120, cpu: int = 1, wall_s: int = 600, **fields) -> TaskId:
        task_id = self.ids.task_id()
        resources = Resources(cpu=cpu, memory=1, wall_time=wall_s * S)
        fields = {"sites": ("far",), "bandwidth": 20 * MBPS, **fields}
        tags = {"fake.duration-us": str(seconds * S)}
        request = TaskRequest(run="true", resources=resources, tags=tags, **fields)
        self.road.submit(TENANT, "me", [Submission(request=request)], [task_id])
        return task_id

    def running(self, **fields) -> TaskId:
        task_id = self.send(**fields)
        self.until(task_id, Phase.RUNNING)
        return task_id

    def set(self, link: str, up: bool, agent: str | None = None) -> bool:
        changed = self.road.set_link(LinkId(link), up, "me", agent)
        self.road.commit()
        return changed

    def set_pool(self, pool: str, up: bool, agent: str | None = None) -> bool:
        changed = self.road.set_security_pool(SecurityPoolId(pool), up, "me", agent)
        self.road.commit()
        return changed

    def plan_of(self, task_id: TaskId) -> Plan:
        plan = self.task(task_id).plan
        assert plan is not None
        return full_plan(plan)

    def way(self, task_id: TaskId) -> tuple[str, ...]:
        return self.plan_of(task_id).path.sites

    def report(self, task_id: TaskId, kind: PathFault = PathFault.DELAY, plan_id: PlanId | None = None, **fields):
        seen = PathObservation(kind=kind, observed_at_us=self.now_us, **fields)
        found = self.road.report_path(task_id, plan_id or self.plan_of(task_id).plan_id, seen)
        self.road.commit()
        return found

    def told(self, task_id: TaskId) -> list[str]:
        """What the log says of the paths of a task, oldest first."""
        all_of_it = [one for batch in self.log.batches for one in json.loads(batch) if one.get("task_id") == task_id]
        return [one["t"].removeprefix("path_") for one in all_of_it if one["t"] in KINDS]

    def billed(self, task_id: TaskId) -> dict[tuple[str, str], int]:
        """Amounts by kind and item."""
        out: dict[tuple[str, str], int] = defaultdict(int)
        for one in self.records("charge_posted"):
            if one["task_id"] == task_id:
                out[one["line"]["kind"], one["line"]["item"]] += one["line"]["amount_micro_yuan"]
        return dict(out)


KINDS = ("path_broken", "path_repaired", "path_restored")


def firewall(site: str) -> SecurityPool:
    return SecurityPool(id=f"{site}/fw", function=FIREWALL, capacity_bps=WIDE_BPS, price_micro_yuan_per_gbps_hour=1_000)


def replayed(town: Mesh) -> State:
    state = town.log.replay(State(town.index))
    compare(town.road.state, state)
    return state


# -- a link is cut -------------------------------------------------------------------------------------------------


def test_a_cut_path_is_replaced_at_once_and_the_attempt_goes_on() -> None:
    town = Mesh()
    mine = town.running()
    before, attempt = town.plan_of(mine), town.task(mine).attempt.attempt_id
    assert before.path.sites == ("home", "a", "far")
    town.now_us += 5 * S
    town.set("home-a", False)
    after = town.plan_of(mine)
    assert (town.task(mine).phase, town.task(mine).attempt.attempt_id) == (Phase.RUNNING, attempt)
    assert after.path.sites == ("home", "b", "far")
    assert (after.parent, after.generation, after.lease_id) == (before.plan_id, 2, before.lease_id)
    assert after.quote == before.quote
    assert after.quoted.path == before.path
    assert town.task(mine).attempt.plan is town.task(mine).plan
    lease = town.road.state.leases[after.lease_id]
    held = {(one.key, one.start_us, one.end_us) for one in lease if one.resource == "link"}
    assert held == {(key, town.now_us, before.end_us) for key in ("home-b:ab", "b-far:ab")}
    (told,) = town.records("path_repaired")
    assert (told["cause"]["kind"], told["cause"]["avoid"]) == ("cut", ["home-a"])
    assert told["cause"]["promised_us"] == before.path.latency_us
    replayed(town)
    town.until(mine, Phase.SUCCEEDED)
    assert [one["reason"] for one in town.records("attempt_closed")] == [None]


def test_the_cut_and_the_repair_are_one_batch() -> None:
    town = Mesh()
    mine = town.running()
    batches = len(town.log.batches)
    town.set("a-far", False)
    assert len(town.log.batches) == batches + 1
    assert town.told(mine) == ["repaired"]


def test_the_bill_is_that_without_the_repair() -> None:
    bills = []
    for cut in (False, True):
        town = Mesh()
        mine = town.running(protection=(FIREWALL,))
        quote = town.plan_of(mine).quote_micro_yuan
        if cut:
            town.set("home-a", False)
            town.set("home-b", False)  # over c, d and far to the firewall at b, and back
            assert town.told(mine) == ["repaired", "repaired"]
        town.until(mine, Phase.SUCCEEDED)
        bills.append(town.billed(mine))
        assert sum(bills[-1].values()) <= quote
    assert bills[0] == bills[1]
    assert ("bandwidth", "home-a") in bills[1]


def test_what_a_stopped_attempt_has_saved_is_billed_along_the_quoted_way() -> None:
    bills = []
    for cut in (False, True):
        town = Mesh()
        mine = town.running(checkpoint="state", checkpoint_every=5 * S, sites=("far", "d"))
        for _ in range(12):
            town.round()
        if cut:
            town.set("home-a", False)
        town.road.lose_site(town.plan_of(mine).site, "operator_failed")
        town.set("home-a", True)
        town.until(mine, Phase.SUCCEEDED)
        bills.append(town.billed(mine))
    assert bills[0] == bills[1]


def test_a_repair_passes_the_firewall_again() -> None:
    town = Mesh()
    mine = town.running(protection=(FIREWALL,))
    assert [one.security_pool for one in town.plan_of(mine).protection] == ["a/fw"]
    town.set("home-a", False)
    assert [one.security_pool for one in town.plan_of(mine).protection] == ["b/fw"]
    held = {one.key for one in town.plan_of(mine).holds if one.resource == "protection"}
    assert held == {"b/fw"}


def test_the_latency_bound_is_kept() -> None:
    town = Mesh()
    mine = town.running(latency=2_000)
    town.set("home-a", False)
    assert town.way(mine) == ("home", "b", "far")
    town.set("home-b", False)
    assert town.told(mine) == ["repaired", "broken"]
    assert town.task(mine).phase is Phase.RUNNING
    assert mine in town.road.state.broken


def test_a_task_that_holds_no_bandwidth_gets_a_path_too() -> None:
    town = Mesh()
    mine = town.running(bandwidth=0)
    town.set(town.plan_of(mine).path.links[0].link, False)
    assert town.told(mine) == ["repaired"]
    assert all(one.resource == "pool" for one in town.road.state.leases[town.plan_of(mine).lease_id])


def test_the_highest_priority_is_repaired_first() -> None:
    town = Mesh()
    low, high = town.running(), town.running(priority=50)
    town.set("home-c", False)
    town.set("home-a", False)  # over b there is room for one
    assert town.told(high) == ["repaired"]
    assert town.told(low) == ["broken"]


def test_an_overrun_lease_is_extended_before_its_path_is_repaired() -> None:
    """The brain was away past the end of the window, and hears of the cut before it ticks."""
    town = Mesh()
    mine = town.running(seconds=2_000, wall_s=60)
    town.now_us += 65 * S
    town.set("home-a", False)
    assert town.told(mine) == ["repaired"]
    links = [one for one in town.road.state.leases[town.plan_of(mine).lease_id] if one.resource == "link"]
    assert {one.start_us for one in links} == {town.now_us}
    assert all(one.end_us > town.now_us for one in links)
    replayed(town)


# -- no path, and later one ----------------------------------------------------------------------------------------


def broken(town: Mesh, **fields) -> TaskId:
    mine = town.running(**fields)
    for link in ("home-c", "home-b", "home-a"):
        town.set(link, False)
    assert town.told(mine) == ["broken"]
    return mine


def test_a_mended_link_that_carries_the_path_restores_it() -> None:
    town = Mesh()
    mine = broken(town)
    plan = town.plan_of(mine)
    town.set("home-a", False)
    assert town.told(mine) == ["broken"]  # cut twice is no news
    town.set("home-a", True)
    assert town.told(mine) == ["broken", "restored"]
    assert town.plan_of(mine) == plan
    assert not town.road.state.broken
    replayed(town)


def test_a_mended_link_elsewhere_brings_another_path() -> None:
    town = Mesh()
    mine = broken(town)
    town.set("home-b", True)
    assert town.told(mine) == ["broken", "repaired"]
    assert town.way(mine) == ("home", "b", "far")
    assert not town.road.state.broken


def test_room_that_comes_back_is_taken_before_anybody_waits_for_it() -> None:
    town = Mesh()
    blocker = town.running(seconds=40)
    town.set("home-a", False)  # the blocker goes over b
    assert town.way(blocker) == ("home", "b", "far")
    town.set("home-a", True)
    mine = town.running(seconds=200)
    town.set("home-c", False)
    town.set("home-a", False)
    assert town.told(mine) == ["broken"]
    waiting = town.send()
    town.until(blocker, Phase.SUCCEEDED)
    town.round()
    assert town.told(mine) == ["broken", "repaired"]
    assert town.task(waiting).attempt is None


def test_room_that_a_reservation_gives_back_is_taken() -> None:
    town = Mesh()
    mine = town.running()
    town.set("home-c", False)
    held = Wanted(source=SiteId("home"), target=SiteId("far"), bandwidth_bps=THIN_BPS, avoid_sites=(SiteId("a"),))
    kept = reserve(town, held)
    assert {one.link for one in kept.way.links} == {"home-b:ab", "b-far:ab"}
    town.set("home-a", False)
    town.round()
    assert town.told(mine) == ["broken"]
    town.road.release(kept.reservation.reservation_id, "op")
    town.round()
    assert town.told(mine) == ["broken", "repaired"]
    assert town.way(mine) == ("home", "b", "far")


def test_nothing_is_searched_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Mesh()
    broken(town)
    town.round()
    looked = []
    monkeypatch.setattr("suanwang.repair.repair", lambda *given: looked.append(given))
    for _ in range(20):
        town.round()
    assert looked == []


def test_a_brain_that_starts_looks_again() -> None:
    town = Mesh()
    mine = broken(town)
    before = town.road.state.broken
    town.road = town.opened()
    assert town.road.state.broken == before
    town.exchange()
    town.set("c-d", False)
    town.set("home-b", True)
    assert town.told(mine) == ["broken", "repaired"]


def test_a_path_that_is_broken_to_the_end_does_no_harm() -> None:
    town = Mesh()
    mine = broken(town, seconds=30)
    town.until(mine, Phase.SUCCEEDED)
    assert not town.road.state.broken
    replayed(town)


# -- with a standby place ------------------------------------------------------------------------------------------


def test_a_dead_path_is_left_for_the_standby_place_and_a_slow_one_is_not() -> None:
    town = Mesh()
    mine = town.running(sites=("far", "b"), standby=Standby.SITE)
    first = town.plan_of(mine)
    others = {"home-c", "home-b"} - {one.link for one in (*first.path.links, *first.standby.path.links)}
    for link in others:
        town.set(link, False)
    assert town.report(mine, PathFault.LOSS, lost_permille=500) is PathOutcome.BROKEN
    assert town.report(mine, PathFault.DOWN) is PathOutcome.FELL_OVER
    second = town.plan_of(mine)
    assert (second.site, second.took_over) == (first.standby.site, True)
    town.until(mine, Phase.SUCCEEDED)


# -- what always holds ---------------------------------------------------------------------------------------------

WORDS = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.sampled_from(LINKS)),
        st.tuples(st.just("mend"), st.sampled_from(LINKS)),
        st.tuples(
            st.sampled_from(("fall", "rise")),
            st.tuples(st.sampled_from(("a/fw", "b/fw")), st.sampled_from((None, "net-1"))),
        ),
        st.tuples(
            st.just("send"),
            st.fixed_dictionaries(
                {
                    "seconds": st.sampled_from((5, 40, 300)),
                    "bandwidth": st.sampled_from((0, 10 * MBPS, 25 * MBPS, 60 * MBPS)),
                    "sites": st.sampled_from((("far",), ("far", "d"), ("b",), ())),
                    "latency": st.sampled_from((None, None, 2_000, 3_000)),
                    "protection": st.sampled_from(((), (), (FIREWALL,))),
                    "standby": st.sampled_from((None, None, Standby.SITE)),
                    "wall_s": st.sampled_from((20, 600)),
                    "priority": st.sampled_from((0, 50)),
                    "preemptible": st.booleans(),
                }
            ),
        ),
        st.tuples(st.just("round"), st.sampled_from((1, 4, 30))),
        st.tuples(st.just("report"), st.tuples(st.sampled_from(list(PathFault)[1:]), st.integers(0, 9))),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=40,
)


def act(town: Mesh, word: str, what) -> None:
    match word:
        case "cut" | "mend":
            town.set(what, word == "mend")
        case "fall" | "rise":
            town.set_pool(what[0], word == "rise", what[1])
        case "send":
            town.send(**what)
        case "round":
            town.round(what)
        case "report":
            kind, number = what
            live = [one for one in town.road.state.live.values() if one.attempt is not None]
            if live:
                mine = live[number % len(live)]
                plan = mine.attempt.plan
                full = tuple(one.security_pool for one in plan.protection) if number % 2 else ()
                town.report(mine.task_id, kind, plan.plan_id, measured_us=2_500, avoid_pools=full)
        case "restart":
            town.road = town.opened()
            for agent in set(town.road.state.agent_of.values()):
                town.road.heard_us[agent] = town.now_us


def never_oversubscribed(state: State) -> None:
    """Every lease beside all others, by the arithmetic of the checker of plans."""
    by_key: dict[tuple[str, str], list[Hold]] = defaultdict(list)
    for holds in state.leases.values():
        for hold in holds:
            by_key[hold.resource, hold.key].append(hold)
    for (resource, key), holds in by_key.items():
        assert over(capacity_of(resource, key, state.index), holds, ()) is None, key


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words=WORDS)
def test_safety_any_history_of_cuts_and_repairs(words: list) -> None:
    """Never oversubscribed, no path over what is out but a broken one, a replay gives the state, and at the end every task
    has ended, with no bill above its quote."""
    town, checker = Mesh(), Checker()
    for word, what in words:
        act(town, word, what)
        state = town.road.state
        checker.after_step(state)
        never_oversubscribed(state)
        for task in state.live.values():
            plan = task.attempt.plan if task.attempt is not None else None
            if plan is not None and down(state).hits(plan.path, plan.protection):
                assert task.task_id in state.broken or task.phase is Phase.STOPPING
        replayed(town)
    assert town.road.verify_faults == 0
    for link in sorted(town.road.state.links_down):
        town.set(link, True)
    for pool, out in sorted(town.road.state.security_out.items()):
        town.set_pool(pool, True, out.agent)
    for _ in range(400):
        if not town.road.state.live:
            break
        town.round(5)
        checker.after_step(town.road.state)
    assert all(one.phase in ENDS for one in town.road.state.tasks.values())
    charges = [(one["tenant"], one["line"]["amount_micro_yuan"]) for one in town.records("charge_posted")]
    at_the_end(town.road.state, town.log.effects, charges)

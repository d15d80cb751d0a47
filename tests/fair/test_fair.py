"""Whose turn it is: by dominant share and weight between tenants, by priority and age within one."""

from fractions import Fraction
from random import Random

import pytest

from suanwang.fair import Kind, Line, Shares
from suanwang.fair.line import URGENT, WINDOW_MAX
from suanwang.model.grid import Tenant
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.share import NOTHING, minus, plus
from suanwang.model.tenants import path_of

TOTALS = (900, 1_800, 70, 0, 13)
CORES, CARDS = (10, 20, 0, 0, 0), (1, 1, 7, 0, 0)


class Desk:
    """Tenants who hold what was given to them, and a line before it."""

    def __init__(self, *tenants: Tenant) -> None:
        self.tenants = {one.id: one for one in tenants}
        self.own = dict.fromkeys(self.tenants, NOTHING)
        self.line = Line(TOTALS, self.tenants, self.held)
        self.needs: dict[TaskId, tuple] = {}
        self.orders = 0

    def held(self, tenant: TenantId, whole: bool):
        if not whole:
            return self.own[tenant]
        out = NOTHING
        for one, held in self.own.items():
            out = plus(out, held) if tenant in path_of(one, self.tenants) else out
        return out

    def add(self, tenant: str, need=CORES, priority: int = 10) -> TaskId:
        self.orders += 1
        task_id = TaskId(f"{tenant}-{self.orders}")
        self.needs[task_id] = need
        quota = (need[0], need[2])
        self.line.add(
            task_id, TenantId(tenant), priority, self.orders, need, lambda: Kind(need, need, quota, frozenset())
        )
        self.line.kinds[need].window = WINDOW_MAX
        return task_id

    def take(self, limit: int) -> list[TaskId]:
        return self.line.take(limit, lambda _: True)

    def give(self, *task_ids: TaskId) -> None:
        for one in task_ids:
            tenant = TenantId(one.rpartition("-")[0])
            self.own[tenant] = plus(self.own[tenant], self.needs[one])
            self.line.touch(tenant)

    def back(self, task_id: TaskId) -> None:
        tenant = TenantId(task_id.rpartition("-")[0])
        self.own[tenant] = minus(self.own[tenant], self.needs[task_id])
        self.line.touch(tenant)


def tenant(name: str, parent: str | None = None, weight: int = 1) -> Tenant:
    return Tenant(id=TenantId(name), name=name, parent=parent, weight=weight)


def owner(task_id: TaskId) -> str:
    return task_id.rpartition("-")[0]


def test_the_dominant_share_is_the_greatest_and_exact() -> None:
    shares = Shares.of(TOTALS)
    assert shares.fraction((90, 0, 7, 0, 0)) == Fraction(1, 10)
    assert shares.fraction((91, 0, 7, 0, 0)) == Fraction(91, 900)
    assert shares.fraction((0, 0, 0, 5, 0)) == 0, "of what the grid has not"
    assert (shares.resource((91, 0, 7, 0, 0)), shares.resource(NOTHING)) == ("cores", None)


def test_of_one_tenant_priority_goes_before_age() -> None:
    desk = Desk(tenant("a"))
    tasks = [desk.add("a", priority=one) for one in (10, 50, 10, 50)]
    assert desk.take(9) == [tasks[1], tasks[3], tasks[0], tasks[2]]


def test_a_priority_of_one_tenant_is_nothing_to_another() -> None:
    desk = Desk(tenant("a"), tenant("b"))
    for _ in range(3):
        desk.add("a", priority=50)
        desk.add("b", priority=0)
    assert [owner(one) for one in desk.take(6)] in (["a", "b"] * 3, ["b", "a"] * 3)


def test_what_is_urgent_goes_before_every_share() -> None:
    desk = Desk(tenant("a"), tenant("b"))
    desk.give(desk.add("a"), desk.add("a"))
    for _ in range(2):
        desk.add("b")
    urgent = desk.add("a", priority=URGENT)
    assert desk.take(9)[0] == urgent


def test_weights_divide_the_turns() -> None:
    desk = Desk(tenant("a", weight=3), tenant("b"))
    for _ in range(40):
        desk.add("a")
        desk.add("b")
    taken = [owner(one) for one in desk.take(40)]
    assert (taken.count("a"), taken.count("b")) == (30, 10)


def test_the_paper_s_example() -> None:
    """Ghodsi et al., section 4.1: 9 CPUs and 18 GB; tasks of 1 CPU and 4 GB beside tasks of 3 CPUs and 1 GB."""
    desk = Desk(tenant("a"), tenant("b"))
    free = list(TOTALS)
    for _ in range(9):
        desk.add("a", need=(100, 400, 0, 0, 0))
        desk.add("b", need=(300, 100, 0, 0, 0))
    taken = []
    for one in desk.take(18):
        need = desk.needs[one]
        if any(have < want for have, want in zip(free, need, strict=True)):
            break
        free = [have - want for have, want in zip(free, need, strict=True)]
        taken.append(owner(one))
    assert (taken.count("a"), taken.count("b")) == (3, 2)


def test_a_tree_shares_between_branches_first() -> None:
    desk = Desk(tenant("x"), tenant("y"), tenant("x1", "x"), tenant("x2", "x"), tenant("y1", "y"))
    for name in ("x1", "x2", "y1"):
        for _ in range(40):
            desk.add(name)
    taken = [owner(one) for one in desk.take(40)]
    assert [taken.count(name) for name in ("x1", "x2", "y1")] == [10, 10, 20]


def test_a_parent_s_own_tasks_stand_beside_its_children() -> None:
    desk = Desk(tenant("x"), tenant("x1", "x"))
    for name in ("x", "x1"):
        for _ in range(10):
            desk.add(name)
    taken = [owner(one) for one in desk.take(10)]
    assert (taken.count("x"), taken.count("x1")) == (5, 5)


def test_a_cancelled_task_is_passed_over_and_leaves_nothing() -> None:
    desk = Desk(tenant("a"))
    first, second = desk.add("a"), desk.add("a")
    desk.line.remove(first)
    assert desk.take(9) == [second]
    desk.line.end_round()
    assert not (desk.line.kinds or desk.line.inside or desk.line.is_ready())


def family(draw: Random) -> list[Tenant]:
    names: list[str] = []
    out = []
    for at in range(draw.randrange(2, 9)):
        parent = draw.choice([None, *names])
        out.append(tenant(f"t{at}", parent, draw.choice((1, 1, 2, 3))))
        names.append(f"t{at}")
    return out


class Plain:
    """The rule said slowly: from the top, each time to the child with the least share by its weight."""

    def __init__(self, desk: Desk, waiting: dict[TaskId, int]) -> None:
        self.desk, self.waiting = desk, waiting
        self.extra = dict.fromkeys(desk.tenants, NOTHING)

    def share(self, name: str, whole: bool) -> Fraction:
        names = [one for one in self.desk.tenants if one == name or (whole and name in path_of(one, self.desk.tenants))]
        held = NOTHING
        for one in names:
            held = plus(held, plus(self.desk.own[one], self.extra[one]))
        weight = self.desk.tenants[name].weight if whole else 1
        return max(Fraction(have, all_) for have, all_ in zip(held, TOTALS, strict=True) if all_) / weight

    def has(self, name: str) -> bool:
        return any(name in path_of(owner(one), self.desk.tenants) for one in self.waiting)

    def check(self, task_id: TaskId) -> None:
        """The task is one that the rule allows to be next."""
        mine = owner(task_id)
        best = min(
            (one for one in self.waiting if owner(one) == mine),
            key=lambda one: (-self.waiting[one], int(one.rpartition("-")[2])),
        )
        assert task_id == best
        below: str | None = None
        for at in path_of(mine, self.desk.tenants):
            parent = self.desk.tenants[at].parent
            if below is None:
                self._least(at, False, [one for one in self.desk.tenants if self.desk.tenants[one].parent == at])
            family_ = [one for one in self.desk.tenants if self.desk.tenants[one].parent == parent and one != at]
            own = parent is not None and any(owner(one) == parent for one in self.waiting)
            self._least(at, True, family_, parent if own else None)
            below = at
        del self.waiting[task_id]
        self.extra[mine] = plus(self.extra[mine], self.desk.needs[task_id])

    def _least(self, chosen: str, whole: bool, others: list[str], own: str | None = None) -> None:
        mine = self.share(chosen, whole)
        assert all(mine <= self.share(one, True) for one in others if self.has(one))
        assert own is None or mine <= self.share(own, False)


@pytest.mark.parametrize("seed", range(60))
def test_safety_the_order_is_by_the_rule_after_any_history(seed: int) -> None:
    draw = Random(seed)
    desk = Desk(*family(draw))
    waiting: dict[TaskId, int] = {}
    held: list[TaskId] = []
    for _ in range(30):
        for _ in range(draw.randrange(8)):
            priority = draw.choice((0, 10, 50))
            waiting[desk.add(draw.choice(list(desk.tenants)), draw.choice((CORES, CARDS)), priority)] = priority
        if waiting and draw.random() < 0.3:
            gone = draw.choice(list(waiting))
            desk.line.remove(gone)
            del waiting[gone]
        plain = Plain(desk, waiting)
        taken = desk.take(draw.randrange(1, 9))
        for one in taken:
            plain.check(one)
        desk.give(*taken)
        held += taken
        desk.line.end_round()
        draw.shuffle(held)
        for one in held[: draw.randrange(6)]:
            desk.back(one)
            held.remove(one)
    assert set(desk.line.inside) == set(waiting)


@pytest.mark.parametrize("seed", range(20))
def test_safety_a_tenant_who_floods_does_not_delay_the_others(seed: int) -> None:
    """However many tasks the others have, a tenant's first tasks come within as many turns as tenants wait."""
    draw = Random(seed)
    tenants = [tenant(f"t{at}") for at in range(draw.randrange(2, 6))]
    desk = Desk(*tenants, tenant("flood"))
    for _ in range(2_000):
        desk.add("flood", priority=50)
    for one in tenants:
        for _ in range(3):
            desk.add(one.id, priority=draw.randrange(50))
    taken = [owner(one) for one in desk.take(3 * (len(tenants) + 1))]
    assert all(taken.count(one.id) == 3 for one in tenants)


def test_a_turn_costs_the_height_of_the_tree_and_not_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(*(tenant(f"t{at}") for at in range(500)))
    for number in range(5_000):
        desk.add(f"t{number % 500}")
    seen = []
    share = desk.line._share
    monkeypatch.setattr(desk.line._ladders[1], "_share", lambda *which: seen.append(which) or share(*which))
    assert len(desk.take(100)) == 100
    assert len(seen) <= 100 * 2, "the tenant alone, and with all below it"

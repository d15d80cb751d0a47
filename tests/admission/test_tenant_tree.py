"""The tree of tenants: who may stand where, and what is used up the tree."""

from random import Random

import pytest

from suanwang.admission.admit import Applicant, Refused, Standing, admit
from suanwang.grids import random_grid
from suanwang.grids.check import check_all
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.model.share import NOTHING
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.tenants import DEPTH_MAX, path_of, tree_fault
from suanwang.observe.loads import HELD_CORES, LIVE_CORES, Loads, quota

INDEX = index_grid(random_grid(2, seed=1))


def tenant(name, parent=None, **fields):
    return Tenant(id=TenantId(name), name=name, parent=parent, **fields)


def tree(*tenants):
    return {one.id: one for one in tenants}


CHAIN = [tenant("t0"), *(tenant(f"t{at}", f"t{at - 1}") for at in range(1, DEPTH_MAX))]


# the tenants that are there                    the one that is set            the fault
@pytest.mark.parametrize(
    ("there", "new", "code"),
    [
        ([], tenant("a"), None),
        ([tenant("a")], tenant("b", "a"), None),
        ([], tenant("b", "a"), "tenant_parent_unknown"),
        ([], tenant("a", "a"), "tenant_cycle"),
        ([tenant("a"), tenant("b", "a")], tenant("a", "b"), "tenant_cycle"),
        ([tenant("a"), tenant("b", "a"), tenant("c", "b")], tenant("a", "c"), "tenant_cycle"),
        (CHAIN, tenant("deep", f"t{DEPTH_MAX - 2}"), None),
        (CHAIN, tenant("deep", f"t{DEPTH_MAX - 1}"), "tenant_deep"),
        ([*CHAIN, tenant("top")], tenant("t0", "top"), "tenant_deep"),
    ],
)
def test_where_a_tenant_may_stand(there, new, code):
    fault = tree_fault(new, tree(*there))
    assert (fault.code if fault else None) == code


@pytest.mark.parametrize(("parent", "code"), [("nobody", "tenant_parent_unknown"), ("one", "tenant_cycle")])
def test_a_grid_file_says_so_too(parent, code):
    grid = INDEX.grid.model_copy(update={"tenants": (tenant("one", parent),)})
    assert code in [one.code for one in check_all(grid)]


def test_the_path_is_from_the_tenant_to_the_top():
    assert path_of(TenantId("t3"), tree(*CHAIN)) == ("t3", "t2", "t1", "t0")


@pytest.mark.parametrize("field", ["cores_borrowed_max", "accelerators_lent_max", "weight"])
def test_a_limit_below_zero_is_a_fault(field):
    with pytest.raises(ValueError, match=field):
        tenant("a", **{field: -1})


UNI = tenant("uni", cores_max=100, budget_micro_yuan=1_000, live_tasks_max=5)
EASY = Standing(0, 0, 0, 0)

# cores asked    own limits                                      own standing           the parent's          expected
ROWS = [
    (60,         {"cores_max": 60},                              EASY,                  EASY,                 []),
    (61,         {"cores_max": 60},                              EASY,                  EASY,                 ["cores_quota"]),
    (61,         {"cores_max": 60, "cores_borrowed_max": 20},    EASY,                  EASY,                 []),
    (81,         {"cores_max": 60, "cores_borrowed_max": 20},    EASY,                  EASY,                 ["cores_quota"]),
    (41,         {"cores_max": 60},                              EASY,                  Standing(0, 60, 0, 0), ["cores_quota"]),
    (40,         {"cores_max": 60},                              EASY,                  Standing(0, 60, 0, 0), []),
    (1,          {},                                             EASY,                  Standing(0, 0, 0, 1_000), ["budget"]),
    (1,          {},                                             EASY,                  Standing(5, 0, 0, 0),  ["live_tasks"]),
]  # fmt: skip


@pytest.mark.parametrize(("cores", "limits", "own", "parents", "reasons"), ROWS)
def test_the_limits_of_those_above_count(cores, limits, own, parents, reasons):
    request = TaskRequest(run="true", resources=Resources(cpu=cores))
    asks = Applicant(request, tenant("lab", "uni", **limits), own, INDEX, 0, frozenset(), ((UNI, parents),))
    answer = admit(asks)
    refusals = answer.refusals if isinstance(answer, Refused) else ()
    assert [one.reason.value for one in refusals] == reasons
    assert all("`uni`" in one.limit for one in refusals if parents is not EASY)


def family():
    """A parent of 100 cores, two children of 60 and 40; the first may borrow."""
    return tree(
        tenant("uni", cores_max=100),
        tenant("a", "uni", cores_max=60, cores_borrowed_max=40),
        tenant("b", "uni", cores_max=40),
    )


def test_what_one_child_borrowed_does_not_stand_against_those_who_use_their_own():
    loads = Loads(family())
    loads.live(TenantId("a"), 1, 100, 0)
    (_, own), (_, above) = loads.claims(TenantId("b"), LIVE_CORES)
    assert (own, above) == (0, 60), "of the 100 of its sister only its quota counts"
    (_, own), (_, above) = loads.claims(TenantId("a"), LIVE_CORES)
    assert (own, above) == (100, 100), "its own counts whole"


def within_again(loads, name, figure):
    """What `within` must be, worked out from the bottom."""
    own = loads.own.get(name)
    use = 0 if own is None else (own.cores if figure == LIVE_CORES else own.held_cores)
    for child in [one for one in loads.tenants.values() if one.parent == name]:
        use += min(within_again(loads, child.id, figure), quota(child, figure))
    return use


@pytest.mark.parametrize("seed", range(20))
def test_safety_sums_up_the_tree_are_what_they_say_after_any_history(seed):
    draw = Random(seed)
    tenants = tree(*(tenant(f"t{at}", f"t{draw.randrange(at)}" if at else None, cores_max=9) for at in range(6)))
    loads = Loads(tenants)
    held = dict.fromkeys(tenants, 0)
    for _ in range(200):
        one, cores = draw.choice(list(tenants)), draw.randrange(1, 6)
        if draw.random() < 0.5 and held[one] >= cores:
            loads.live(one, -1, -cores, 0)
            loads.let_go(one, 5, cores, 0, (cores, 0, 0, 0, 0))
            held[one] -= cores
        else:
            loads.live(one, 1, cores, 0)
            loads.take(one, 5, cores, 0, (cores, 0, 0, 0, 0))
            held[one] += cores
        if draw.random() < 0.05:
            tenants[one] = tenants[one].model_copy(update={"cores_max": draw.randrange(20)})
            loads.tree_changed()
        at = draw.choice(list(tenants))
        below = [two for two in tenants if at in path_of(two, tenants)]
        assert loads.together(at).held[0] == sum(held[two] for two in below)
        for figure in (LIVE_CORES, HELD_CORES):
            assert next(iter(loads.claims(at, figure)))[1] == within_again(loads, at, figure)


def test_a_change_right_after_a_tenant_was_set_counts_once() -> None:
    """Nobody need have asked in between: the sum over the tree is made before the change, not after."""
    loads = Loads(family())
    for tenant in family():
        loads.alone(tenant)
    for change in (
        lambda one: loads.live(one, 1, 4, 2),
        lambda one: loads.bill(one, 5),
        lambda one: loads.take(one, 7, 4, 2, NOTHING),
    ):
        loads.tree_changed()
        change(TenantId("a"))
    again = Loads(family(), loads.own)
    again.tree_changed()
    for tenant in family():
        assert loads.together(tenant) == again.together(tenant)
        for figure in range(4):
            assert list(loads.claims(tenant, figure)) == list(again.claims(tenant, figure))

"""What the pages, the CLI and the bills ask of the store."""

import pytest
from history import SITES, START_US, History

from suanwang.model.event import EventKind, InstructionKind
from suanwang.model.reason import FailureReason, RefusalReason
from suanwang.model.record import Phase
from suanwang.store import Store


@pytest.fixture
def store(url, open_store) -> Store:
    return open_store(url)


def put(store: Store, history: History, *records) -> None:
    store.append([record for part in records for record in part], history.now_us)


def submit(store: Store, history: History, tenant: str = "alpha", **changes) -> str:
    """One task, its request changed; gives its id."""
    (record,) = history.submit(tenant)
    record = record.model_copy(update={"request": record.request.model_copy(update=changes)})
    store.append([record], history.now_us)
    return record.task_id


PHASES = [
    # step of the history, phase after it, what waits in the outbox
    ("admit", Phase.WAITING, []),
    ("plan", Phase.PLANNED, []),
    ("drop", Phase.PLANNED, []),  # what follows says where the task goes
    ("wait", Phase.WAITING, []),
    ("plan", Phase.PLANNED, []),
    ("open", Phase.DISPATCHED, ["start"]),
    ("stale", Phase.DISPATCHED, ["start"]),
    ("accepted", Phase.DISPATCHED, []),
    ("staging", Phase.STAGING, []),
    ("running", Phase.RUNNING, []),
    ("progress", Phase.RUNNING, []),
    ("collecting", Phase.COLLECTING, []),
    ("failed", Phase.COLLECTING, []),
    ("close_failed", Phase.COLLECTING, []),
    ("wait", Phase.WAITING, []),
    ("plan", Phase.PLANNED, []),
    ("open", Phase.DISPATCHED, ["start"]),
    ("cancel", Phase.DISPATCHED, ["start"]),
    ("stop", Phase.STOPPING, ["start", "stop"]),
    ("running", Phase.RUNNING, ["stop"]),
    ("stop", Phase.STOPPING, ["stop"]),
    ("finished", Phase.STOPPING, []),
    ("close", Phase.STOPPING, []),
    ("deliver", Phase.DELIVERING, ["deliver"]),
    ("delivery_failed", Phase.DELIVERING, []),
    ("deliver", Phase.DELIVERING, ["deliver"]),
    ("succeed", Phase.SUCCEEDED, []),
]


@pytest.mark.parametrize("together", [False, True], ids=["a batch a step", "one batch"])
def test_each_step_moves_the_task_and_the_outbox(url, open_store, together):
    """The same steps in one batch end where single batches end."""
    for end in range(1, len(PHASES) + 1) if together else [len(PHASES)]:
        with Store("sqlite:///:memory:") if together else open_store(url) as store:
            history = History(7)
            put(store, history, history.opening())
            batch = history.submit("alpha")
            one = history.live[-1]
            one.steps = [*(step for step, _, _ in PHASES), "keep"]
            for _, phase, waiting in PHASES[:end]:
                batch += history._step(one)
                if not together:
                    put(store, history, batch)
                    batch = []
                    assert store.task(one.task_id).phase is phase
                    assert [order.kind.value for order in store.outbox()] == waiting
            if together:
                put(store, history, batch)
                assert store.task(one.task_id).phase is PHASES[end - 1][1]
                assert [order.kind.value for order in store.outbox()] == PHASES[end - 1][2]


def test_a_task_that_succeeded_shows_its_whole_road(store):
    history = History(7)
    road = history.whole_road()
    put(store, history, history.opening(), road)
    task_id = road[0].task_id
    task = store.task(task_id)
    assert (task.phase, task.reason, task.fence, task.generation) == (Phase.SUCCEEDED, None, 1, 1)
    assert task.request == road[0].request
    assert task.billed_micro_yuan == sum(r.line.amount_micro_yuan for r in road if r.t == "charge_posted")
    plan = next(r.plan for r in road if r.t == "plan_committed")
    assert store.plans(task_id)[0].plan == plan == store.latest_plan(task_id)
    assert (task.site, task.pool, task.quote_micro_yuan) == (plan.site, plan.pool, plan.quote_micro_yuan)
    (attempt,) = store.attempts(task_id)
    closed = next(r for r in road if r.t == "attempt_closed")
    assert (attempt.usage, attempt.outputs, attempt.exit_code) == (closed.usage, closed.outputs, 0)
    assert (attempt.stage, attempt.succeeded, attempt.running_us) == ("delivered", True, history.now_us - 1_000)
    assert store.attempt(attempt.attempt_id) == attempt
    assert [event.kind for event in store.events(task_id)] == [record.t for record in road]
    assert store.leases_held() == 0
    assert store.latest_plan("task-none") is None
    assert store.task("task-none") is None


def test_a_lease_is_held_until_its_plan_ends(store):
    history = History(7)
    put(store, history, history.submit("alpha"))
    one = history.live[-1]
    put(store, history, history.admit(one), history.plan(one))
    assert store.leases_held() == 1
    put(store, history, history.drop(one), history.plan(one), history.open(one))
    assert store.leases_held() == 1
    put(store, history, history.extend(one))
    assert store.plans(one.task_id)[-1].lease_end_us == one.plan.end_us + 7
    put(store, history, history.close(one))
    assert store.leases_held() == 0
    assert [(row.drop_reason, row.released_us) for row in store.plans(one.task_id)] == [
        ("site_lost", history.now_us),
        (None, history.now_us),
    ]


def test_a_repaired_plan_takes_the_lease_on(store):
    """One lease, two plans: what the task, its attempt, an extension and the close mean from then on is the second."""
    history = History(7)
    put(store, history, history.submit("alpha"))
    one = history.live[-1]
    put(store, history, history.admit(one), history.plan(one), history.open(one))
    first, attempt_id = one.plan, one.attempt_id
    put(store, history, history.broken(one))
    put(store, history, history.repair(one))
    second = one.plan
    assert store.leases_held() == 1
    task = store.task(one.task_id)
    assert (task.plan_id, task.generation, task.phase.value) == (second.plan_id, 2, "dispatched")
    assert store.attempt(attempt_id).plan_id == second.plan_id
    assert store.latest_plan(one.task_id) == second
    (start,) = store.outbox()
    assert (start.attempt_id, start.plan_id, start.pool) == (attempt_id, first.plan_id, first.pool)
    put(store, history, history.extend(one))
    assert [row.lease_end_us for row in store.plans(one.task_id)] == [first.end_us, second.end_us + 7]
    released_us = history.now_us
    put(store, history, history.repair(one), history.close(one))  # the second and its end in one batch
    assert store.leases_held() == 0
    assert [(row.drop_reason, row.released_us) for row in store.plans(one.task_id)] == [
        ("path_repaired", released_us),
        ("path_repaired", history.now_us),
        (None, history.now_us),
    ]
    told = {event.kind: event.body for event in store.events(one.task_id)}
    assert told["path_repaired"]["parent"] == second.plan_id
    assert told["path_repaired"]["cause"]["avoid"] == ["bj-gz"]


def test_a_refused_task_says_its_first_reason(store):
    history = History(7)
    put(store, history, history.submit("alpha"), history.refuse(history.live[-1]))
    task = store.task(history.live[-1].task_id)
    assert (task.phase, task.reason, task.ended_us) == (Phase.REFUSED, RefusalReason.BUDGET, history.now_us)
    assert store.events(task.task_id)[-1].body["refusals"][0]["field"] == "price_limit"


def test_a_failed_task_says_why(store):
    history = History(7)
    put(store, history, history.submit("alpha"), [history.end(history.live[-1], Phase.FAILED, FailureReason.SIGNAL)])
    assert store.task(history.live[-1].task_id).reason == FailureReason.SIGNAL


def test_pages_are_complete_and_stable_while_tasks_come_in(store):
    history = History(3)
    ids = [submit(store, history, tenant) for tenant in ["alpha", "beta"] * 12]
    seen: list[str] = []
    cursor = None
    while True:
        page = store.tasks(limit=5, cursor=cursor)
        seen += [task.task_id for task in page.items]
        submit(store, history)  # newer than every page
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted(ids, reverse=True)
    assert len(store.tasks(tenant="beta", limit=100).items) == 12
    assert store.tasks(limit=100, cursor="zzz").items
    assert store.tasks(tenant="nobody").items == ()


@pytest.mark.parametrize("limit", [0, -5, 10**9])
def test_a_page_has_at_least_one_row_and_not_too_many(store, limit):
    submit(store, History(3))
    assert len(store.tasks(limit=limit).items) == 1


def test_tasks_are_found_by_phase_tag_and_text(store):
    history = History(3)
    one = submit(store, history, name="Render 100% frame_1", tags={"team": "sky", "x": "1"})
    two = submit(store, history, name="train a MODEL", tags={"team": "sea"})
    three = submit(store, history, name="odd\x00name", tags={})
    store.append([history.end(history.live[1], Phase.CANCELLED)], 9)

    def found(**asked) -> set[str]:
        return {task.task_id for task in store.tasks(**asked).items}

    assert found(tag="team") == {one, two}
    assert found(tag="team=sky") == {one}
    assert found(tag="team=") == set()
    assert found(tag="x=2") == set()
    assert found(text="render") == {one}
    assert found(text="model") == {two}
    assert found(text="0%") == {one}
    assert found(text="e_1") == {one}
    assert found(text="n_1") == set()  # no wildcard of SQL
    assert found(text="%") == {one}
    assert found(text="odd\x00n") == {three}
    assert found(text=two) == {two}
    assert found(text=two[:10]) == {one, two, three}
    assert found(text="") == {one, two, three}
    assert found(phase=Phase.CANCELLED) == {two}
    assert found(phase=Phase.WAITING, tag="team", text="frame") == {one}
    assert store.task(one).tags == {"team": "sky", "x": "1"}
    counts = store.counts()
    assert (counts[Phase.WAITING], counts[Phase.CANCELLED], counts[Phase.RUNNING], len(counts)) == (2, 1, 0, len(Phase))
    assert sum(store.counts("beta").values()) == 0


def test_an_idempotency_key_finds_its_tenants_task(store):
    history = History(3)
    (record,) = history.submit("alpha")
    store.append([record.model_copy(update={"idempotency_key": "k\x001"})], 1)
    (other,) = history.submit("beta")
    store.append([other.model_copy(update={"idempotency_key": "k\x001"})], 2)
    assert store.idempotent("alpha", "k\x001").task_id == record.task_id
    assert store.idempotent("beta", "k\x001").task_id == other.task_id
    assert store.idempotent("alpha", "k2") is None
    assert store.idempotent("gamma", "k\x001") is None


def test_followers_get_each_step_once(store):
    history = History(3)
    road = history.whole_road()
    seen, after = [], (0, 0)
    for start in range(0, len(road), 4):
        store.append(road[start : start + 4], START_US)
        for event in store.events_after(road[0].task_id, after, limit=3):
            seen.append(event.kind)
            after = (event.position, event.ordinal)
    for event in store.events_after(road[0].task_id, after):
        seen.append(event.kind)
    assert seen == [record.t for record in road]


def test_steps_do_not_repeat_what_has_a_row_of_its_own(store):
    history = History(3)
    road = history.whole_road()
    store.append(road, 1)
    bodies = {event.kind: event.body for event in store.events(road[0].task_id)}
    assert "request" not in bodies["task_submitted"]
    assert "plan" not in bodies["plan_committed"]
    assert bodies["plan_committed"]["plan_id"] == history_plan(road).plan_id
    assert bodies["charge_posted"]["line"]["kind"] == "quote_cap"


def history_plan(road):
    return next(record.plan for record in road if record.t == "plan_committed")


def test_charges_page_in_order_and_sum_to_the_bill(store):
    history = History(3)
    for tenant in ("alpha", "beta", "alpha"):
        history.now_us += 1_000
        put(store, history, history.whole_road(tenant))
    seen, cursor = [], None
    while True:
        page = store.charges(tenant="alpha", limit=4, cursor=cursor)
        seen += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert len(seen) == 6
    assert [(row.position, row.ordinal) for row in seen] == sorted((row.position, row.ordinal) for row in seen)
    assert {row.quantity for row in seen if row.kind == "memory"} == {2**64 + 5}
    bill = store.bill("alpha", 0, history.now_us + 1)
    assert bill.amount_micro_yuan == sum(row.amount_micro_yuan for row in seen)
    assert bill.charges == 6
    assert dict(bill.credits).keys() <= {"own", "third-party"}
    assert sum(amount for _, amount in bill.credits) == bill.amount_micro_yuan
    assert sum(line.charges for line in bill.lines) == 6
    assert {line.kind for line in bill.lines} == {"core", "memory", "quote_cap"}
    first_us = START_US + 1_000
    assert store.bill("alpha", 0, first_us).charges == 0
    assert store.bill("alpha", first_us, first_us + 1).charges == 3
    assert store.charges(tenant="alpha", from_us=first_us + 1).items == tuple(seen[3:])
    assert len(store.charges(task_id=seen[0].task_id).items) == 3
    assert len(store.charges(tenant="alpha", cursor="9x.%", limit=10**6).items) == 6
    assert store.charges(tenant="alpha", cursor=f"{10**25}.1").items == ()
    assert store.bill("alpha", -(10**30), 10**30).charges == 6
    assert store.events_after(seen[0].task_id, (10**30, 0)) == []


def test_the_outbox_holds_complete_instructions_for_the_sites_asked(store):
    history = History(3)
    put(store, history, history.submit("alpha"), history.submit("beta"))
    for one in history.live:
        put(store, history, history.admit(one), history.plan(one), history.open(one))
    first, second = history.live
    (start, other) = store.outbox()
    assert (start.attempt_id, other.attempt_id) == (first.attempt_id, second.attempt_id)
    assert (start.kind, start.fence, start.site, start.pool) == (
        InstructionKind.START,
        1,
        first.plan.site,
        first.plan.pool,
    )
    assert (start.demand, start.not_before_us) == (first.plan.demand, first.plan.run_start_us)
    assert start.request == store.task(first.task_id).request
    put(store, history, history.stop(first), [history._attempt_event(second, EventKind.FINISHED)])
    put(store, history, history.close(second), history.deliver(second))
    kinds = [order.kind for order in store.outbox(SITES)]
    assert kinds == [InstructionKind.START, InstructionKind.STOP, InstructionKind.DELIVER]
    deliver = store.outbox()[-1]
    assert deliver.outputs == second.outputs != ()
    assert [order.kind for order in store.outbox([deliver.site])][-1] == InstructionKind.DELIVER
    assert store.outbox(["elsewhere"]) == []
    assert store.outbox([]) == []
    put(store, history, [history.end(second, Phase.CANCELLED)])
    assert {order.task_id for order in store.outbox()} == {first.task_id}


def test_the_grid_its_tenants_keys_sites_and_agents(store):
    history = History(3)
    opening = history.opening()
    key = next(record for record in opening if record.t == "key_issued")
    put(store, history, opening)
    assert [tenant.id for tenant in store.tenants()] == ["alpha", "beta"]
    assert store.tenant("alpha").name == "Alpha"
    assert store.tenant("nobody") is None
    assert (store.grid().grid_id, store.grid().text) == ("small", '{"id":"small"}')
    adopted = opening[0].model_copy(update={"grid_id": "larger"})
    put(store, history, [adopted], [history._event("att-unknown", EventKind.RUNNING, effective=False)])
    assert store.grid().grid_id == "larger"
    assert {site.site: site.live for site in store.sites()} == dict.fromkeys(SITES, True)
    assert store.key(key.key_id).revoked_us is None
    put(store, history, [history.revoke(key.key_id)])
    assert store.key(key.key_id).revoked_us == history.now_us
    assert store.key("key-none\x00") is None
    assert [row.key_id for row in store.keys("alpha")] == [key.key_id]
    assert store.keys("beta") == []
    assert store.agent_cursors() == {"agent-one": 1}
    put(store, history, [history.link(up=False)])
    assert [(link.link, link.up) for link in store.links()] == [("bj-gz", False)]
    put(store, history, [history.security_pool(up=False, agent="net-1")])
    put(store, history, [history.security_pool(up=False)])  # an operator makes it theirs
    (pool,) = store.security_pools()
    assert (pool.security_pool, pool.up, pool.cause, pool.agent) == (
        "cn-bj-hub/firewall",
        False,
        "operator_failed",
        None,
    )


def test_an_empty_store_answers(store):
    assert store.grid() is None
    assert store.tasks().items == store.charges().items == ()
    assert store.bill("alpha", 0, 1).lines == ()
    assert store.bill("alpha", 0, 1).amount_micro_yuan == 0
    assert store.last_position() == store.leases_held() == 0


@pytest.mark.parametrize("text", ["\x00", "a\ud800b", "', --", "%_\\", "é" * 5_000])
def test_what_a_user_types_finds_nothing_and_breaks_nothing(store, text):
    submit(store, History(3))
    assert store.task(text) is store.key(text) is store.tenant(text) is store.idempotent(text, text) is None
    assert store.tasks(tenant=text).items == store.tasks(tag=text).items == store.tasks(text=text).items == ()
    assert store.tasks(cursor=text).items in ((), store.tasks().items)
    assert store.events(text) == store.plans(text) == store.attempts(text) == []
    assert store.charges(tenant=text, task_id=text, cursor=text).items == ()
    assert store.bill(text, 0, 9).charges == 0
    assert store.object_info(text) is None
    assert store.get_secrets(text) == {}

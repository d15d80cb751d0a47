"""What pools cannot do: the same for a task by itself and in a batch of thousands, and never planned where it would fail."""

from collections import Counter

import pytest
from tests.plan.worlds import MIB, NOW, Ids, S, general, grid_of, link_of, site_of, snapshot_of

from suanwang.agent.adapter import Limit
from suanwang.agent.needed import lacks_of, needed
from suanwang.model.ability import FIELD_OF, abilities_of, bits_of
from suanwang.model.grid import Ability, Pool
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.task import TaskRequest
from suanwang.plan import PlanAsk, plan, plan_batch
from suanwang.verify import verify

NEEDS: dict[Ability, dict[str, object]] = {
    Ability.COMMANDS: {},
    Ability.CIRCUITS: {"run": {"circuit": "OPENQASM 3.0;"}},
    Ability.IMAGES: {"image": "alpine:3"},
    Ability.MOUNTS: {"mounts": [{"path": "/data", "folder": "data"}]},
    Ability.SECRETS: {"secrets": ["TOKEN"]},
    Ability.NETWORK: {"resources": {"network": True}},
    Ability.CHECKPOINTS: {"checkpoint": "saved"},
    Ability.GANGS: {"resources": {"nodes": 2}},
    Ability.CPU_LIMIT: {"resources": {"cpu": 2}},
    Ability.MEMORY_LIMIT: {"resources": {"memory": 2**20}},
    Ability.PROCESS_LIMIT: {"resources": {"processes": 9}},
    Ability.DISK_LIMIT: {"resources": {"disk": 2**20}},
    Ability.ISOLATION: {"security_level": 2},
}


def request(**changes: object) -> TaskRequest:
    return TaskRequest.model_validate({"run": "true", **changes})


@pytest.mark.parametrize("ability", list(Ability))
def test_each_ability_has_a_task_that_needs_it_and_a_field_to_do_without_it(ability: Ability) -> None:
    usual = set(abilities_of(request()))
    assert usual == {Ability.COMMANDS}
    found = set(abilities_of(request(**NEEDS[ability])))
    assert ability in found
    assert found - usual - {ability} <= {Ability.CPU_LIMIT, Ability.MEMORY_LIMIT}, "two nodes are held to both"
    assert FIELD_OF[ability].split(".")[0] in TaskRequest.model_fields
    assert bits_of((ability, ability)) == bits_of((ability,)) > 0


def test_a_limit_that_an_agent_would_refuse_for_is_an_ability_that_the_planner_asks_for() -> None:
    for changes in NEEDS.values():
        asked = request(**changes)
        if Ability.CIRCUITS in abilities_of(asked):
            continue
        for limit in Limit:
            refuses = limit in needed(asked)
            assert refuses == bool(set(lacks_of({limit})) & set(abilities_of(asked))), (limit, changes)


def lacking(site: str, *lacks: Ability) -> Pool:
    return general(site, nodes=9, cores=64, memory=2**40).model_copy(update={"lacks": lacks})


def test_a_batch_goes_where_single_tasks_go_and_nowhere_that_cannot() -> None:
    sites = (
        site_of("a", [lacking("a", Ability.MOUNTS, Ability.DISK_LIMIT)]),
        site_of("b", [lacking("b", Ability.SECRETS, Ability.IMAGES)]),
        site_of("c", [lacking("c", Ability.COMMANDS)]),
    )
    snapshot = snapshot_of(grid_of(sites, [link_of("ab", "a", "b"), link_of("bc", "b", "c")]))
    kinds = ({}, NEEDS[Ability.MOUNTS], NEEDS[Ability.IMAGES], {**NEEDS[Ability.MOUNTS], **NEEDS[Ability.IMAGES]})
    asked = [
        request(**{"resources": {"memory": MIB, "wall_time": 60 * S}, **kinds[at % len(kinds)]}) for at in range(200)
    ]
    asks = [PlanAsk(TaskId(f"t{at}"), TenantId("t"), one) for at, one in enumerate(asked)]
    together = plan_batch(snapshot, asks, NOW, 0, Ids())
    alone = [plan(snapshot, [one], NOW, 0, Ids())[0] for one in asks[: len(kinds)]]
    places = Counter()
    for at, found in enumerate(together):
        place = None if found.plan is None else found.plan.site
        places[at % len(kinds), place] += 1
        assert place == (None if alone[at % len(kinds)].plan is None else alone[at % len(kinds)].plan.site)
        assert found.plan is None or verify(found.plan, asked[at], snapshot) == []
    assert places == {(0, "a"): 50, (1, "b"): 50, (2, "a"): 50, (3, None): 50}
    why = alone[3].report()
    assert [(one.reason.value, one.pools) for one in why.clauses] == [("ability", 3)]
    assert [(one.field, one.needed) for one in why.relaxations if one.clause.value == "ability"] == [
        ("image", "without images")
    ]

"""Admission as aligned rows: what is asked, what the tenant has; the expected reasons last."""

import pytest

from suanwang.admission.admit import Admitted, Applicant, Refused, Standing, admit
from suanwang.grids import random_grid
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Avoid, Input, Resources, TaskRequest
from suanwang.model.units import US_PER_HOUR

NOW = 1_800_000_000_000_000
INDEX = index_grid(random_grid(4, seed=1))
SITE = INDEX.grid.sites[0].id
TENANT = Tenant(
    id=TenantId("t"),
    name="T",
    budget_micro_yuan=1_000,
    live_tasks_max=3,
    cores_max=64,
    accelerators_max=8,
    priority_max=50,
    security_level_max=3,
)
EASY = Standing(0, 0, 0, 0)


def ask(**fields):
    return TaskRequest(run="true", **fields)


# what is asked                                                        standing              expected reasons
ROWS = [
    (ask(),                                                            EASY,                 []),
    (ask(),                                                            Standing(2, 0, 0, 0), []),
    (ask(),                                                            Standing(3, 0, 0, 0), ["live_tasks"]),
    (ask(resources=Resources(cpu=64)),                                 EASY,                 []),
    (ask(resources=Resources(cpu=65)),                                 EASY,                 ["cores_quota"]),
    (ask(resources=Resources(cpu=8), array=9),                         EASY,                 ["cores_quota"]),
    (ask(resources=Resources(cpu=1)),                                  Standing(0, 64, 0, 0), ["cores_quota"]),
    (ask(resources=Resources(accelerators=8, nodes=2)),                EASY,                 ["accelerators_quota"]),
    (ask(),                                                            Standing(0, 0, 0, 999), []),
    (ask(),                                                            Standing(0, 0, 0, 1_000), ["budget"]),
    (ask(priority=50),                                                 EASY,                 []),
    (ask(priority=51),                                                 EASY,                 ["priority"]),
    (ask(security_level=4),                                            EASY,                 ["security_class"]),
    (ask(deadline=NOW),                                                EASY,                 ["deadline_past"]),
    (ask(deadline=NOW + 1),                                            EASY,                 ["deadline_too_short"]),
    (ask(deadline=NOW + US_PER_HOUR),                                  EASY,                 []),
    (ask(deadline=NOW + US_PER_HOUR, earliest_start=NOW + US_PER_HOUR), EASY,                ["deadline_too_short"]),
    (ask(origin="nowhere"),                                            EASY,                 ["origin_unknown"]),
    (ask(owners=("own", "third-party", "nobody")),                     EASY,                 ["owner_unknown"]),
    (ask(avoid=Avoid(links=("l",), risks=("r",), regions=("FR",))),    EASY,                 ["avoid_unknown"] * 3),
    (ask(avoid=Avoid(regions=("CN",), sites=("nowhere",))),            EASY,                 ["avoid_unknown", "avoid_origin"]),
    (ask(sites=(SITE, "nowhere")),                                     EASY,                 ["site_unknown"]),
    (ask(inputs=(Input(source="dataset:none", path="x"),)),            EASY,                 ["data_set_unknown"]),
    (ask(secrets=("TOKEN",)),                                          EASY,                 ["secret_missing"]),
    (ask(priority=99, security_level=5, origin="nowhere"),             Standing(3, 0, 0, 1_000), ["live_tasks", "budget", "priority", "security_class", "origin_unknown"]),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "standing", "reasons"), ROWS)
def test_admission(request_, standing, reasons):
    answer = admit(Applicant(request_, TENANT, standing, INDEX, NOW))
    found = [one.reason.value for one in answer.refusals] if isinstance(answer, Refused) else []
    assert found == reasons


def test_an_admitted_request_has_an_origin():
    answer = admit(Applicant(ask(), TENANT, EASY, INDEX, NOW))
    assert isinstance(answer, Admitted)
    assert answer.request.origin == INDEX.grid.default_origin


def test_anothers_data_set_is_answered_as_one_that_does_not_exist():
    owned = [one for one in INDEX.grid.data_sets if one.tenant is not None]
    assert owned, "the random grid has a data set with an owner"
    request = ask(inputs=(Input(source=f"dataset:{owned[0].id}", path="x"),))
    answer = admit(Applicant(request, TENANT, EASY, INDEX, NOW))
    assert isinstance(answer, Refused)
    assert [one.reason.value for one in answer.refusals] == ["data_set_unknown"]

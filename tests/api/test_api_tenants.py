"""Tenants are set in their tree, and everybody sees the share of their own."""

import pytest


def test_a_tenant_is_set_and_stands_in_the_list(operator):
    made = operator.put("/v1/tenants/uni", json={"name": "Uni", "cores_max": 100, "weight": 3})
    assert (made.status_code, made.json()["weight"]) == (200, 3)
    child = operator.put("/v1/tenants/uni-lab", json={"name": "Lab", "parent": "uni", "cores_borrowed_max": 5})
    assert child.status_code == 200
    listed = {one["id"]: one for one in operator.get("/v1/tenants").json()["items"]}
    assert (listed["uni-lab"]["parent"], listed["uni-lab"]["cores_borrowed_max"]) == ("uni", 5)


@pytest.mark.parametrize(
    ("tenant", "body", "code"),
    [
        ("new", {"name": "N", "parent": "nobody"}, "tenant_parent_unknown"),
        ("uni", {"name": "Uni", "parent": "uni-lab"}, "tenant_cycle"),
    ],
)
def test_a_place_that_cannot_be_is_one_clear_fault(operator, tenant, body, code):
    test_a_tenant_is_set_and_stands_in_the_list(operator)
    answer = operator.put(f"/v1/tenants/{tenant}", json=body)
    assert (answer.status_code, [one["code"] for one in answer.json()["faults"]]) == (422, [code])


def test_a_limit_below_zero_is_refused(operator):
    answer = operator.put("/v1/tenants/new", json={"name": "N", "cores_max": -1})
    assert (answer.status_code, answer.json()["faults"][0]["where"]) == (422, "body.cores_max")


def test_a_tenant_sees_its_share_and_those_below_it_alone(grid, operator):
    every = {one["tenant"] for one in operator.get("/v1/shares").json()["items"]}
    assert {"astro", "bio"} <= every
    with grid.http("user") as user:
        mine = user.get("/v1/shares").json()["items"]
    assert [one["tenant"] for one in mine] == ["astro"]
    assert set(mine[0]["cores"]) == {"limit", "live", "held", "borrowed", "borrowed_max", "lent", "lent_max"}

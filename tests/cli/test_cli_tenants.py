"""`suanwang tenant`: set in the tree, shown with its share."""

from suanwang.cli.exits import Exit


def test_a_tenant_is_set_changed_and_shown(sw):
    assert sw("tenant", "set", "school", "--name", "School", "--cores", "100").exit == Exit.OK
    made = sw(
        "tenant",
        "set",
        "class",
        "--parent",
        "school",
        "--weight",
        "3",
        "--borrow-cores",
        "7",
        "--budget",
        "5 yuan",
        "--json",
    ).json
    assert (made["parent"], made["weight"], made["cores_borrowed_max"]) == ("school", 3, 7)
    assert made["budget_micro_yuan"] == 5_000_000
    changed = sw("tenant", "set", "class", "--lend-cores", "2", "--budget", "", "--json").json
    assert (changed["weight"], changed["cores_lent_max"], changed["budget_micro_yuan"]) == (3, 2, None)
    shown = sw("tenant", "show", "school", "--json").json
    assert (shown["tenant"], shown["share_ppm"], shown["cores"]["limit"]) == ("school", 0, 100)
    assert "0 / 100" in sw("tenant", "list").out


def test_what_cannot_be_is_said(sw):
    assert sw("tenant", "show", "nobody-at-all").exit == Exit.NOT_FOUND
    refused = sw("tenant", "set", "orphan", "--parent", "nobody-at-all", "--json")
    assert (refused.exit, refused.json["error"]["faults"][0]["code"]) == (Exit.FAULTS, "tenant_parent_unknown")
    assert sw("tenant", "set", "orphan", "--weight", "0").exit == Exit.FAULTS


def test_every_fault_is_said_at_once(sw):
    refused = sw("tenant", "set", "orphan", "--weight", "0", "--priority", "101", "--json")
    assert refused.exit == Exit.FAULTS
    assert {one["where"] for one in refused.json["error"]["faults"]} == {"weight", "priority_max"}

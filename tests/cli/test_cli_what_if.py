"""`suanwang what-if` from the command line, without a brain."""

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "traces"))
from little import SWF

from suanwang.cli.exits import Exit
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.model.what_if import WhatIf

GRID = random_grid(5, 3, SMALL)
SITE = next(site.id for site in GRID.sites if site.pools)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "grid.yaml").write_text(dump_grid(GRID), "utf-8")
    (tmp_path / "day.swf").write_text(SWF, "utf-8")
    return tmp_path


def codes(ran) -> list[str]:
    return [fault["code"] for fault in ran.json["error"]["faults"]]


def test_a_trace_with_a_changes_file_and_flags(cli, files):
    change = files / "changes.yaml"
    change.write_text(yaml.safe_dump({"prices": {"all": 2.0}, "load": 2}), "utf-8")
    ran = cli(
        "what-if", "--trace", files / "day.swf", "--grid", files / "grid.yaml", "--change", change,
        "--without-site", SITE, "--price-factor", f"site={SITE}:0.5", "--tenant-cores", "group-1=500",
        "--preference", "greenest", "--seed", 4, "--json",
    )  # fmt: skip
    assert ran.exit == Exit.OK, ran.err + ran.out
    found = WhatIf.model_validate(ran.json)
    assert found.source == "day.swf"
    assert (found.before.tasks, found.after.tasks) == (3, 6)
    assert {one.code for one in found.changes} == {
        "change.site_removed", "change.price_all", "change.price_site", "change.tenant", "change.preference", "change.load",
    }  # fmt: skip


def test_the_table_in_three_languages(cli, files):
    day = ("what-if", "--drawn", 12, "--grid", files / "grid.yaml", "--seed", 9, "--without-site", SITE)
    words = {"en": "Cost to tenants", "zh-hant": "租戶費用", "zh-hans": "租户费用"}
    ran = cli(*day)
    assert ran.exit == Exit.OK, ran.err + ran.out
    assert "Seed 9" in ran.out
    assert words["en"] in ran.out
    assert f"Site {SITE} offers no compute" in ran.out
    assert "Simulated:" in ran.out
    assert "tasks/s" in ran.out


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), ["what_if_flags"]),
        (("--drawn", 5, "--history", "--day", "2026-01-01"), ["what_if_flags"]),
        (("--history",), ["what_if_no_day"]),
        (("--drawn", 5, "--price-factor", "site:0.5", "--scale-site", "x"), ["flag_form", "flag_form"]),
        (("--drawn", 5, "--cut-link", "nowhere", "--without-site", "nowhere"), ["change_unknown", "change_unknown"]),
        (("--drawn", 5, "--preference", "loudest"), ["not_one_of"]),
        (("--trace", "/no/such/file"), ["file_unreadable"]),
        (("--drawn", 5, "--origin", "nowhere"), ["unknown_site"]),
        (("--drawn", 5, "--after", "2 d"), ["trace_empty"]),
    ],
)
def test_what_is_wrong_is_said_all_at_once(cli, files, arguments, found):
    ran = cli("what-if", *arguments, "--grid", files / "grid.yaml", "--json")
    assert ran.exit == Exit.FAULTS
    assert codes(ran) == found


def test_faults_of_the_changes_file_have_its_lines(cli, files):
    change = files / "changes.yaml"
    change.write_text("load: 2\nsites:\n  remove:\n    - nowhere\nlinks: {cut: [nowhere]}\n", "utf-8")
    ran = cli("what-if", "--drawn", 5, "--grid", files / "grid.yaml", "--change", change, "--json")
    faults = ran.json["error"]["faults"]
    assert [(one["line"], one["code"]) for one in faults] == [(4, "change_unknown"), (5, "change_unknown")]


def test_two_processes_give_what_one_gives(cli, files):
    day = ("what-if", "--drawn", 310, "--grid", files / "grid.yaml", "--seed", 2, "--load", 1.1, "--json")
    one, two = (cli(*day, "--processes", count).json for count in (1, 2))
    one.pop("timing")
    two.pop("timing")
    assert one == two


def test_the_schema_of_a_changes_file(cli):
    ran = cli("schema", "what-if")
    assert json.loads(ran.out)["title"] == "Suanwang what-if"

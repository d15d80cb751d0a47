"""`suanwang net`: tables for people, one document for programs, an exit status that says how it went."""

import re

import pytest
from served import served

from suanwang.cli.exits import Exit
from suanwang.model.ids import LinkId
from suanwang.model.network import (
    CutFound,
    NetFault,
    NetFaultFound,
    NetOptimised,
    NetVerified,
    NetworkNow,
    PathsFound,
    ReservationView,
)

ENDS = ("hub-0", "western-1")
GRAPH = """NODES 3
label x y
a 0 0
b 1 0
c 0 1

EDGES 6
label src dest weight bw delay
ab 0 1 1 1000 10
ba 1 0 1 1000 10
ac 0 2 2 1000 10
ca 2 0 2 1000 10
bc 1 2 2 1000 10
cb 2 1 2 1000 10
"""
DEMANDS = """DEMANDS 2
label src dest bw
one 0 1 600
two 0 1 600
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A brain of its own: what is held by the tasks of other tests would be counted in every figure here."""
    with served(tmp_path_factory.mktemp("network")) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(grid):
    yield
    brain = grid.here.brain
    operator = brain.authenticate(grid.here.key)
    for one in brain.network.reservations(operator):
        brain.network.release(operator, one.reservation_id)
    for link in list(brain.snapshot().links_down):
        brain.heal_link(operator, LinkId(link))


def reserve(sw, *more: str) -> ReservationView:
    ran = sw("net", "reserve", *ENDS, "--bandwidth", "500 Mbps", "--for", "1 h", *more, "--json")
    assert ran.exit == Exit.OK, ran.out
    return ReservationView.model_validate(ran.json)


def test_show_says_what_is_held_and_how_busy_the_busiest_link_is(sw):
    assert "Nothing is held" in sw("net", "show").out
    made = reserve(sw, "--note", "film")
    shown = sw("net", "show")
    assert shown.exit == Exit.OK
    assert "500 Mbps 50.0 %" in shown.out
    assert "Busiest link: 50.00 % of link-18:ab is held (MLU)." in shown.out
    assert "film" in shown.out
    assert "12 routers, 19 links; 0 down, 0 in maintenance." in shown.out
    few = sw("net", "show", "--top", "1", "--no-routers").out
    assert "link-18" in few
    assert "link-3 " not in few
    read = NetworkNow.model_validate(sw("net", "show", "--json").json)
    assert read.reservations[0].reservation_id == made.reservation_id


def test_links_and_security_pools_are_taken_out_and_brought_back(sw, grid):
    brain = grid.here.brain
    link, pool = brain.index.grid.links[0].id, brain.index.security_order[0]
    assert f"{link} is out." in sw("net", "fail-link", link).out
    assert sw("net", "fail-pool", pool, "--json").json == {"security_pool": pool, "up": False}
    shown = sw("net", "show").out
    assert "1 down" in shown
    assert f"Security pools that are out: {pool}." in shown
    assert sw("net", "heal-link", link, "--json").json == {"link": link, "up": True}
    assert f"{pool} is back." in sw("net", "heal-pool", pool).out
    assert "are out" not in sw("net", "show").out
    refused = sw("net", "fail-pool", "nowhere/firewall")
    assert refused.exit != Exit.OK
    assert "There is no security pool `nowhere/firewall`." in refused.out + refused.err


def test_paths_shows_segments_links_latency_price_and_what_is_left(sw):
    ran = sw("net", "paths", *ENDS, "--bandwidth", "200 Mbps", "--count", "2")
    assert ran.exit == Exit.OK
    for words in ("link-18:ab", "12.54 ms", "¥0.05", "1 Gbps", "800 Mbps", "Nothing is held"):
        assert words in ran.out, words
    found = PathsFound.model_validate(sw("net", "paths", *ENDS, "--bandwidth", "200 Mbps", "--json").json)
    assert len(found.ways) == 3


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--bandwidth", "90 Gbps"), "is more than is left; 2 Gbps could be had"),
        (("--latency", "1 ms"), "keeps 1 ms; the quickest takes 12.54 ms"),
        (("--avoid-site", "hub-0"), "without what is to be avoided"),
        (("--avoid-region", "XX"), "has no site in XX"),
        (("--protection", "firewall,ids", "--avoid-link", "nowhere"), "no link nowhere"),
    ],
)
def test_no_path_is_said_in_words(sw, flags, words):
    ran = sw("net", "paths", *ENDS, *flags)
    assert ran.exit in (Exit.REFUSED, Exit.FAULTS)
    assert words in re.sub(r"\s+", " ", ran.out + ran.err)


def test_a_protection_chain_is_passed_in_its_order(sw):
    ran = sw("net", "paths", "edge-3", "edge-7", "--protection", "ids,scrubbing", "--count", "1")
    assert "[provincial-2/ids] [" in ran.out


def test_reserve_and_release_by_hand(sw):
    ran = sw("net", "reserve", *ENDS, "--bandwidth", "500 Mbps", "--for", "1 h")
    assert ran.exit == Exit.OK
    made = re.search(r"resv-[0-9a-z]{26}", ran.out)
    assert made is not None
    assert "is held from" in ran.out
    gone = sw("net", "release", made.group())
    assert (gone.exit, "is given back" in gone.out) == (Exit.OK, True)
    assert sw("net", "release", made.group()).exit == Exit.NOT_FOUND
    assert sw("net", "release", reserve(sw).reservation_id, "--json").json["released"] is True


def test_a_standby_and_another_bandwidth(sw):
    ran = sw("net", "reserve", *ENDS, "--bandwidth", "500 Mbps", "--for", "1 h", "--standby", "--segments", "4")
    assert ran.exit == Exit.OK and "Standby, held too:" in ran.out
    (name,) = set(re.findall(r"resv-[0-9a-z]{26}", ran.out))
    assert "active, with" in sw("net", "show", "--no-routers").out
    more = sw("net", "resize", name, "--bandwidth", "600 Mbps")
    assert more.exit == Exit.OK and "600 Mbps" in more.out and "from now on" in more.out
    shown = ReservationView.model_validate(sw("net", "resize", name, "--bandwidth", "700 Mbps", "--json").json)
    assert shown.wanted.bandwidth_bps == 700_000_000 and shown.wanted.segments_max == 4
    refused = sw("net", "resize", name, "--bandwidth", "90 Gbps")
    assert (refused.exit, "is more than is left" in refused.err + refused.out) == (Exit.REFUSED, True)
    assert sw("net", "resize", "resv-" + "0" * 26, "--bandwidth", "1 Mbps").exit == Exit.NOT_FOUND
    assert "700 Mbps" in sw("net", "show").out


def test_what_cannot_be_reserved_is_refused_with_the_reason(sw):
    ran = sw("net", "reserve", *ENDS, "--bandwidth", "90 Gbps", "--for", "1 h", "--json")
    assert (ran.exit, ran.json["error"]["code"]) == (Exit.REFUSED, "no_way_no_room")
    ran = sw("net", "reserve", *ENDS, "--bandwidth", "1 Mbps", "--json")
    assert (ran.exit, [one["code"] for one in ran.json["error"]["faults"]]) == (Exit.FAULTS, ["net_how_long"])


def test_what_if_names_who_moves_where(sw):
    made = reserve(sw, "--latency", "13 ms")
    ran = sw("net", "what-if", "--cut", "link-18")
    assert ran.exit == Exit.OK
    for words in (
        "If link-18 went down",
        "reservation",
        "link-0:ab",
        "1 ways could move, 0 would break",
        "13.00 ms",
        "link-0:ab",
    ):
        assert words in ran.out, words
    told = CutFound.model_validate(sw("net", "what-if", "--cut", "link-18", "--cut", "link-0", "--json").json)
    assert [(one.before.owner, one.links, one.refusal.reason) for one in told.ways] == [
        (made.reservation_id, None, "too_far")
    ]
    assert "too far" in sw("net", "what-if", "--cut", "link-18", "--cut", "link-0").out
    assert "No way crosses it." in sw("net", "what-if", "--cut", "link-3").out
    assert sw("net", "what-if", "--cut", "nowhere").exit == Exit.NOT_FOUND
    assert sw("net", "what-if", "--cut-risk", "nothing").exit == Exit.NOT_FOUND


def test_verify_says_that_all_is_well_or_every_fault(sw, grid, monkeypatch):
    reserve(sw)
    ran = sw("net", "verify")
    assert (ran.exit, "No fault" in ran.out) == (Exit.OK, True)
    found = NetVerified.model_validate(sw("net", "verify", "--json").json)
    bad = NetFaultFound(fault=NetFault.OVERSUBSCRIBED, what="link x:ab", at_us=1, used=2 * 10**9, limit=10**9)
    late = NetFaultFound(fault=NetFault.LATENCY, what="task-1", used=2_000, limit=1_000)
    monkeypatch.setattr(
        type(grid.here.brain.network), "verify", lambda *_: found.model_copy(update={"faults": (bad, late)})
    )
    ran = sw("net", "verify")
    assert ran.exit == Exit.TASK_FAILED
    for words in ("oversubscribed", "link x:ab", "2 Gbps / 1 Gbps", "2.00 ms / 1.00 ms", "2 faults."):
        assert words in ran.out, words


def test_optimise_shows_the_mlus_beside_the_bound(sw):
    reserve(sw)
    reserve(sw)
    ran = sw("net", "optimise")
    assert ran.exit == Exit.OK
    assert "Nothing was changed." in ran.out
    found = NetOptimised.model_validate(sw("net", "optimise", "--json").json)
    assert (found.before_ppm, found.faults) == (1_000_000, ())
    assert found.after_ppm < found.before_ppm
    assert found.bound_ppm - 2 <= found.after_ppm
    assert found.changes
    assert "now" in ran.out


def test_optimise_of_a_pair_of_files_needs_no_brain(cli, tmp_path):
    graph, demands = tmp_path / "three.graph", tmp_path / "three.demands"
    graph.write_text(GRAPH, "utf-8")
    demands.write_text(DEMANDS, "utf-8")
    found = NetOptimised.model_validate(cli("net", "optimise", "--graph", graph, "--demands", demands, "--json").json)
    assert (found.name, found.nodes, found.links, found.demands) == ("three", 3, 6, 2)
    assert (found.igp_ppm, found.before_ppm, found.after_ppm, found.bound_ppm) == (
        1_200_000,
        1_200_000,
        600_000,
        599_999,  # rounded down: no bound may be too high
    )
    assert [(one.before, one.after) for one in found.changes] == [((), ("1 x c b",))]
    shown = cli("net", "optimise", "--graph", graph, "--demands", demands).out
    for words in (
        "120.00 %",
        "60.00 %",
        "0.00 % above the bound",
        "1 x c b",
        "1 demands with a policy, 50.00 % of all",
    ):
        assert words in shown, words


def test_optimise_prices_changes_and_tries_failures(cli, tmp_path):
    graph, demands = tmp_path / "three.graph", tmp_path / "three.demands"
    graph.write_text(GRAPH, "utf-8")
    demands.write_text(DEMANDS, "utf-8")
    pair = ("net", "optimise", "--graph", graph, "--demands", demands)
    found = NetOptimised.model_validate(cli(*pair, "--failures", "9", "--json").json)
    assert [(one.name, one.left_ppm, one.mended_ppm, one.cut_off) for one in found.failures] == [
        ("ab", 1_200_000, 1_200_000, 0),
        ("ac", 1_200_000, 1_200_000, 0),
        ("bc", 1_200_000, 1_200_000, 0),
    ]
    assert (found.failures_of, found.faults) == (3, ())
    shown = cli(*pair, "--failures", "1").out
    assert "1 of 3 links and risk groups failed" in shown and "1 of 2 demands would change" in shown
    dear = NetOptimised.model_validate(cli(*pair, "--change-price", "1", "--json").json)
    assert (dear.changes, dear.after_ppm) == ((), 1_200_000)


def test_optimise_says_what_is_wrong_with_its_files_and_flags(cli, tmp_path):
    graph = tmp_path / "three.graph"
    graph.write_text(GRAPH, "utf-8")
    for arguments, code in (
        (("--graph", graph), "net_file_pair"),
        (("--graph", graph, "--demands", tmp_path / "none"), "file_unreadable"),
        (("--graph", graph, "--demands", graph), "repetita_section"),
        (("--apply", "now"), "net_apply"),
    ):
        ran = cli("net", "optimise", *arguments, "--json")
        assert (ran.exit, ran.json["error"]["faults"][0]["code"]) == (Exit.FAULTS, code)


def test_export_of_the_brains_grid_and_of_a_file(sw, grid, tmp_path):
    out = tmp_path / "out.json"
    ran = sw("net", "export", "--format", "json", "-o", out)
    assert (ran.exit, "12 nodes and 38 directed links" in ran.out) == (Exit.OK, True)
    again = sw("net", "export", out, "--format", "json")
    assert again.out == out.read_text("utf-8")
    there = tmp_path / "out.graphml"
    assert sw("net", "export", out, "-o", there, "--json").json["links"] == 38
    back = sw("net", "export", there, "--format", "json").json
    assert {one["id"] for one in back["links"]} == {one["id"] for one in again.json["links"]}
    assert sw("net", "export").out == there.read_text("utf-8")


def test_export_says_what_it_cannot_do(cli, tmp_path):
    for arguments, code in (
        (("--format", "dot"), "export_format"),
        ((tmp_path / "none.yaml",), "file_unreadable"),
    ):
        ran = cli("net", "export", *arguments, "--json")
        assert (ran.exit, ran.json["error"]["faults"][0]["code"]) == (Exit.FAULTS, code)

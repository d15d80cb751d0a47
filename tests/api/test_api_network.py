"""/v1/cats/metrics and /v1/network: views, ways, reservations, cuts, faults, and what is wrong with a question."""

import asyncio
from collections.abc import Iterator

import pytest
from served import Grid, served

from suanwang.client import AsyncClient, Client
from suanwang.model.cats import DRAFT, CatsMetrics
from suanwang.model.error import ConflictError, FaultsError, NotFoundError
from suanwang.model.network import CutFound, LinkHeld, NetVerified, NetworkNow, OptimiseAsk, PathsFound

GBPS = 10**9


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Iterator[Grid]:
    """A brain of its own: what is held by the tasks of other tests would be counted in every figure here."""
    with served(tmp_path_factory.mktemp("network")) as found:
        yield found


def test_the_view_of_the_origin_and_of_another_site(user, grid):
    sites = grid.here.brain.index.grid.sites
    found = CatsMetrics.model_validate(user.get("/v1/cats/metrics").json())
    assert found.draft == DRAFT
    assert found.ingress == grid.here.brain.index.grid.default_origin
    assert {one.site for one in found.instances} == {site.id for site in sites if site.pools}
    other = CatsMetrics.model_validate(user.get("/v1/cats/metrics", params={"ingress": sites[4].id}).json())
    assert other.ingress == sites[4].id
    here = next(one for one in other.instances if one.site == sites[4].id)
    assert [m.value for m in here.metrics if m.name == "delay"] == [0]


def test_an_unknown_ingress_is_not_found(user):
    answer = user.get("/v1/cats/metrics", params={"ingress": "nowhere"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "site_unknown"


# -- the live network ------------------------------------------------------------------------------------------------


@pytest.fixture
def sdk(grid) -> Iterator[Client]:
    with Client(grid.here.url, grid.keys["operator"]) as client:
        yield client
        for one in client.reservations():
            client.release(one.reservation_id)
        for link in client.network().links:
            if not link.up:
                client.heal_link(link.id)


@pytest.fixture
def ends(grid) -> dict:
    """The two ends of a link, by way of which there is another path."""
    links = grid.here.brain.index.grid.links
    degree = [site for one in links for site in (one.a, one.b)]
    link = next(one for one in links if degree.count(one.a) > 2 and degree.count(one.b) > 2)
    return {"source": link.a, "target": link.b}


def test_every_router_and_link_is_shown_with_what_is_held(sdk, user, ends):
    made = sdk.reserve({"wanted": ends | {"bandwidth_bps": "1 Gbps"}, "lasts": "1 h", "note": "film"})
    found = sdk.network()
    assert {one.id for one in found.routers} == {one.id for one in sdk.grid().sites}
    held = {f"{one.id}:{side}": getattr(one, side).held_bps for one in found.links for side in ("ab", "ba")}
    assert {key: bps for key, bps in held.items() if bps} == {one.link: one.bps for one in made.way.links}
    busiest = max(found.links, key=lambda one: max(one.ab.use_ppm, one.ba.use_ppm))
    assert found.mlu.use_ppm == max(busiest.ab.use_ppm, busiest.ba.use_ppm) > 0
    assert [(one.reservation_id, one.state, one.note) for one in found.reservations] == [
        (made.reservation_id, "active", "film")
    ]
    seen = NetworkNow.model_validate(user.get("/v1/network").json())
    assert seen.reservations == ()  # an operator's own business
    assert seen.links == found.links


def test_ways_come_cheapest_first_and_the_first_is_what_reserve_takes(sdk, user, ends):
    ask = {"wanted": ends | {"bandwidth_bps": 200_000_000}, "count": 4}
    found = PathsFound.model_validate(user.post("/v1/network/paths", json=ask).json())
    prices = [one.way.price_micro_yuan_per_gbps_hour for one in found.ways]
    assert len(prices) >= 2
    assert prices == sorted(prices)
    assert len({one.way.links for one in found.ways}) == len(prices)
    assert sdk.network().mlu.link is None  # nothing was held
    made = sdk.reserve({"wanted": ask["wanted"], "lasts": 3_600_000_000})
    assert made.way == found.ways[0].way
    again = sdk.paths(ask)
    first = found.ways[0]
    assert again.ways[0].way != first.way or again.ways[0].room_bps == first.room_bps - 200_000_000
    room = {one.bottleneck: one.room_bps for one in found.ways}
    assert all(bps >= 200_000_000 for bps in room.values())


@pytest.mark.parametrize(
    ("more", "reason", "code"),
    [
        ({"bandwidth_bps": 10**15}, "no_room", "no_way_no_room"),
        ({"latency_us_max": 1}, "too_far", "no_way_too_far"),
        ({"avoid_sites": ["source"]}, "avoided", "no_way_avoided"),
        (
            {
                "source": "edge-7",
                "target": "edge-8",
                "avoid_sites": ["hub-0", "western-1"],
                "protection": ["firewall"],
            },
            "no_pool",
            "no_way_no_pool",
        ),
    ],
)
def test_why_there_is_no_way_is_said_by_paths_and_by_reserve(sdk, ends, more, reason, code):
    if more.get("avoid_sites") == ["source"]:
        more = {"avoid_sites": [ends["source"]]}
    wanted = ends | more
    found = sdk.paths({"wanted": wanted})
    assert (found.ways, found.refusal.reason) == ((), reason)
    with pytest.raises(ConflictError) as error:
        sdk.reserve({"wanted": wanted, "lasts": "1 h"})
    assert error.value.code == code
    assert sdk.reservations() == ()


def test_a_site_without_links_is_cut_off(sdk, ends):
    mine = [one.id for one in sdk.network().links if ends["source"] in (one.a, one.b)]
    for link in mine:
        sdk.fail_link(link)
    assert sdk.paths({"wanted": ends}).refusal.reason == "cut_off"
    with pytest.raises(ConflictError) as error:
        sdk.reserve({"wanted": ends, "lasts": "1 h"})
    assert error.value.code == "no_way_cut_off"


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"wanted": {"source": "x", "target": "x"}, "lasts": 1}, {"net_site", "net_same_ends"}),
        (
            {"wanted": {"avoid_links": ["x"], "avoid_risks": ["x"], "avoid_regions": ["ZZ"]}},
            {"net_how_long", "net_link"},
        ),
        (
            {"wanted": {"avoid_risks": ["x"], "avoid_regions": ["ZZ"]}, "end": 1},
            {"net_risk", "net_region", "net_window"},
        ),
        ({"wanted": {}, "start": 1, "end": 2}, {"net_window_past"}),
        ({"wanted": {}, "end": "2099-12-31T23:59:59+00:00", "start": "2100-01-01T00:00:00+00:00"}, {"net_window"}),
        ({"wanted": {}, "start": "2099-12-31T23:59:59+00:00", "lasts": "1 d"}, {"net_window_far"}),
        ({"wanted": {}, "end": 5, "lasts": 5}, {"net_how_long"}),
        ({"wanted": {"bandwidth_bps": "10 parsec"}, "lasts": 1}, {"rate_form"}),
        ({"wanted": {"bandwidth_bps": 0}, "lasts": 1}, {"below"}),
        ({"wanted": {}, "lasts": 1, "nonsense": 1}, {"unknown_field"}),
    ],
)
def test_every_fault_of_a_question_is_said_at_once(operator, ends, body, codes):
    ask = body | {"wanted": ends | body["wanted"]}
    answer = operator.post("/v1/network/reservations", json=ask)
    assert answer.status_code == 422, answer.text
    assert codes <= {one["code"] for one in answer.json()["faults"]}
    assert operator.get("/v1/network/reservations").json()["items"] == []


def test_a_cut_is_told_before_it_is_made_and_then_does_what_was_told(sdk, ends):
    made = sdk.reserve({"wanted": ends | {"bandwidth_bps": GBPS}, "lasts": "1 h"})
    link = made.way.links[0].link.rpartition(":")[0]
    told = sdk.what_if_cut([link])
    (crossed,) = [one for one in told.ways if one.before.owner == made.reservation_id]
    assert (told.moved, told.broken, told.cut) == (len(told.ways), 0, (link,))
    assert crossed.before.links == tuple(one.link for one in made.way.links)
    assert link not in {one.rpartition(":")[0] for one in crossed.links}
    after = {one.link: one.after_bps for one in told.links}
    assert [one.after_bps for one in told.links if not one.up] == [0, 0]
    assert sdk.reservations()[0].way == made.way  # nothing was done
    sdk.fail_link(link)
    (moved,) = sdk.reservations()
    assert tuple(one.link for one in moved.way.links) == crossed.links
    assert (moved.state, moved.moves, moved.way.latency_us) == ("active", 1, crossed.latency_us)
    now = sdk.network()
    assert {f"{one.id}:{side}": getattr(one, side).held_bps for one in now.links for side in ("ab", "ba")} == after
    assert now.mlu == told.mlu_after
    assert sdk.verify_network().faults == ()


def test_a_cut_that_leaves_no_way_says_why(sdk, ends, operator):
    sdk.reserve({"wanted": ends | {"bandwidth_bps": GBPS}, "lasts": "1 h"})
    mine = [one.id for one in sdk.network().links if ends["source"] in (one.a, one.b)]
    told = CutFound.model_validate(operator.get("/v1/network/what-if", params={"cut": mine}).json())
    assert [(one.links, one.refusal.reason) for one in told.ways] == [(None, "cut_off")]
    assert (told.broken, told.mlu_after.link) == (1, None)


def test_a_cut_of_what_is_not_there_is_not_found_and_of_nothing_is_a_fault(sdk):
    for links, risks, code in (["nowhere"], [], "link_unknown"), ([], ["nothing"], "risk_unknown"):
        with pytest.raises(NotFoundError) as error:
            sdk.what_if_cut(links, risks)
        assert error.value.code == code
    with pytest.raises(FaultsError) as faults:
        sdk.what_if_cut()
    assert [one.code for one in faults.value.faults] == ["net_cut_nothing"]


def test_a_released_reservation_is_gone_and_unknown(sdk, ends, operator):
    made = sdk.reserve({"wanted": ends, "lasts": "1 h"})
    sdk.release(made.reservation_id)
    assert sdk.reservations() == ()
    with pytest.raises(NotFoundError) as error:
        sdk.release(made.reservation_id)
    assert error.value.code == "reservation_unknown"
    found = NetVerified.model_validate(operator.get("/v1/network/verify").json())
    assert found.faults == ()


def test_what_the_checker_refuses_is_not_held(sdk, ends, monkeypatch, grid):
    """An engine that errs: it promises less time than its way takes."""
    paths = grid.here.brain.road.live_paths()
    right = type(paths).cheapest

    def wrong(self, wanted, room):
        found = right(self, wanted, room)
        return found.model_copy(update={"latency_us": found.latency_us - 1})

    monkeypatch.setattr(type(paths), "cheapest", wrong)
    with pytest.raises(ConflictError) as error:
        sdk.reserve({"wanted": ends, "lasts": "1 h"})
    assert error.value.code == "reservation_unsound"
    assert sdk.reservations() == ()


def test_the_optimiser_says_what_could_be_better_and_changes_nothing(sdk, ends):
    room = sdk.paths({"wanted": ends | {"bandwidth_bps": 1}, "count": 1}).ways[0].room_bps
    for _ in range(3):
        sdk.reserve({"wanted": ends | {"bandwidth_bps": room // 5}, "lasts": "1 h"})
    before = sdk.network()
    found = sdk.optimise_network()
    assert (found.before_ppm, found.faults) == (before.mlu.use_ppm, ())
    assert found.bound_ppm - 2 <= found.after_ppm <= found.before_ppm
    assert found.demands >= 1
    assert sdk.network().links == before.links


def test_a_standby_is_held_and_shown_and_another_bandwidth_is_taken_by_both(sdk, operator, ends):
    made = sdk.reserve({"wanted": ends | {"bandwidth_bps": "200 Mbps"}, "lasts": "1 h", "standby": True})
    assert made.standby_wanted and made.standby is not None
    first, second = ({one.link.rpartition(":")[0] for one in way.links} for way in (made.way, made.standby))
    assert not first & second
    more = sdk.resize(made.reservation_id, "300 Mbps")
    assert (more.wanted.bandwidth_bps, more.way.segments) == (300_000_000, made.way.segments)
    assert {one.bps for way in (more.way, more.standby) for one in way.links} == {300_000_000}
    assert sdk.verify_network().ways >= 2 and not sdk.verify_network().faults
    link = next(iter(first))
    told = sdk.what_if_cut([link])
    assert [one.segments for one in told.ways if one.before.kind == "reservation"] != []
    (second_link, *_) = second
    held = LinkHeld.model_validate(operator.get(f"/v1/network/links/{second_link}").json())
    assert [(one.way.owner, one.way.kind) for one in held.holders] == [(made.reservation_id, "standby")]
    sdk.fail_link(link)
    (now,) = sdk.reservations()
    assert now.way == more.standby and now.moves == 1


@pytest.mark.parametrize(
    ("bandwidth", "code"), [("900 Tbps", "no_way_no_room"), ("0 bps", "below"), ("much", "rate_form")]
)
def test_a_bandwidth_that_cannot_be_had_changes_nothing(sdk, ends, bandwidth, code):
    made = sdk.reserve({"wanted": ends, "lasts": "1 h"})
    with pytest.raises((ConflictError, FaultsError)) as error:
        sdk.resize(made.reservation_id, bandwidth)
    found = error.value
    assert code in ([one.code for one in found.faults] if isinstance(found, FaultsError) else [found.code])
    assert sdk.reservations() == (made,)


def test_no_standby_and_no_reservation_are_said(sdk, ends, grid):
    links = grid.here.brain.index.grid.links
    mine = [one.id for one in links if ends["source"] in (one.a, one.b)]
    for link in mine[1:]:
        sdk.fail_link(link)
    with pytest.raises(ConflictError) as error:
        sdk.reserve({"wanted": ends, "lasts": "1 h", "standby": True})
    assert error.value.code == "no_way_no_standby"
    assert sdk.reservations() == ()
    with pytest.raises(NotFoundError) as gone:
        sdk.resize("resv-" + "0" * 26, 1)
    assert gone.value.code == "reservation_unknown"


def test_the_optimiser_tries_failures_and_prices_changes(sdk, ends):
    sdk.reserve({"wanted": ends | {"bandwidth_bps": 600_000_000}, "lasts": "1 h"})
    found = sdk.optimise_network(OptimiseAsk(change_price_ppm=1_000, failures=3))
    assert len(found.failures) == 3 < found.failures_of and not found.faults
    assert all(one.mended_ppm <= one.left_ppm for one in found.failures)
    assert found.failures[0].left_ppm > 0


def test_nothing_held_is_nothing_to_optimise(sdk):
    found = sdk.optimise_network()
    assert (found.demands, found.before_ppm, found.after_ppm, found.bound_ppm, found.gap_ppm) == (0, 0, 0, 0, None)


def test_the_sdk_for_asyncio_does_the_same(grid, ends):
    async def all_of_it() -> None:
        async with AsyncClient(grid.here.url, grid.keys["operator"]) as sdk:
            made = await sdk.reserve({"wanted": ends, "lasts": "1 h"})
            assert (await sdk.reservations())[0] == made
            assert (await sdk.network()).mlu.link is not None
            assert (await sdk.paths({"wanted": ends})).ways
            link = made.way.links[0].link.rpartition(":")[0]
            assert (await sdk.what_if_cut([link])).moved == 1
            assert (await sdk.optimise_network()).demands == 1
            assert (await sdk.verify_network()).ways >= 1
            assert (await sdk.resize(made.reservation_id, 2_000_000)).wanted.bandwidth_bps == 2_000_000
            await sdk.release(made.reservation_id)
            assert await sdk.reservations() == ()

    asyncio.run(all_of_it())

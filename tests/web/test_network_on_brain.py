"""The network in a browser, on a real brain: what is held and carried, a task's segments, a cut looked at and made."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from webserver import Server

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]
Open = Callable[..., Page]
Brain = tuple[Server, str]
WITHIN_S = 120
LINK = "hub-jingjinji_hub-yangtze"
NAME = "Beijing-Tianjin-Hebei hub – Yangtze Delta hub"
GROUP = "conduit-beijing-shanghai"
FILM = {
    "name": "film",
    "run": "sleep 3000",
    "origin": "hub-jingjinji",
    "sites": ["hub-yangtze"],
    "bandwidth": "80 Gbps",
    "latency": "60 ms",
    "resources": {"cpu": 1, "memory": "16 MiB", "disk": "1 MiB", "wall_time": "1 h"},
}
RESERVE = {
    "wanted": {"source": "hub-jingjinji", "target": "hub-yangtze", "bandwidth_bps": "2 Tbps"},
    "lasts": "5 h",
    "note": "mirror",
}


class Api:
    """Calls of the API by the operator."""

    def __init__(self, brain: Brain) -> None:
        headers = {"Authorization": f"Bearer {brain[1]}"}
        self.http = httpx.Client(base_url=brain[0].url, headers=headers, timeout=120)

    def get(self, path: str) -> Any:
        return self.http.get(f"/v1{path}").raise_for_status().json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.http.post(f"/v1{path}", json=body).raise_for_status()
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def api(brain: Brain) -> Iterator[Api]:
    found = Api(brain)
    yield found
    found.http.close()


@pytest.fixture(scope="module")
def film(api: Api) -> str:
    """A task that runs, with 80 Gbps between two hubs, beside a reservation."""
    deadline_s = time.monotonic() + WITHIN_S
    while not any(one["live"] and one["id"] == "hub-yangtze" for one in api.get("/panorama")["sites"]):
        assert time.monotonic() < deadline_s, "the agent speaks for its sites"
        time.sleep(0.2)
    task = api.post("/tasks", FILM)["task_id"]
    api.post("/network/reservations", RESERVE)
    while (view := api.get(f"/tasks/{task}"))["phase"] != "running":
        assert time.monotonic() < deadline_s, view
        time.sleep(0.2)
    return str(task)


def members(api: Api) -> list[str]:
    """The links of the risk group."""
    return [one["id"] for one in api.get("/network")["links"] if GROUP in one["shared_risk_groups"]]


def report(api: Api, task: str, mean_us: int) -> dict[str, Any]:
    """What a network agent would say of the task's path and of the link's first direction."""
    plan = api.get(f"/tasks/{task}/explain")["plans"][-1]["plan"]["plan_id"]
    path = {
        "task_id": task,
        "plan_id": plan,
        "sent": 20,
        "received": 19,
        "mean_us": mean_us,
        "p90_us": mean_us + 100,
        "maximum_us": mean_us + 900,
    }
    link = {"link": f"{LINK}:ab", "bandwidth_bps": 41_000_000_000, "packets": 90, "dropped": 7}
    now_us = time.time_ns() // 1_000
    return {
        "agent": "net",
        "at_us": now_us,
        "measured_at_us": now_us,
        "interval_us": 1_000_000,
        "links": [link],
        "paths": [path | {"segments": ["fcbb:bb00:31::"]}],
    }


def open_network(brain: Brain, open_page: Open, route: str = "/network", key: str | None = None) -> Page:
    page = open_page(brain[0], route, key=key or brain[1])
    expect(page.locator(".map[data-ready=yes]")).to_be_visible(timeout=60_000)
    return page


def test_the_network_in_figures_and_on_the_map(brain: Brain, api: Api, film: str, open_page: Open) -> None:
    page = open_network(brain, open_page)
    now = api.get("/network")
    assert now["mlu"]["link"] == f"{LINK}:ab"
    figures = page.locator(".network-figures")
    expect(figures).to_contain_text("Busiest direction (MLU)65 %")
    expect(figures).to_contain_text("783/ 783")
    expect(figures).to_contain_text("No router reports")
    expect(page.locator(".network-links li").first).to_contain_text("65 %")
    expect(page.get_by_role("button", name="Carried")).to_have_count(0)
    page.locator(".network-links select[name=risk]").select_option(GROUP)
    expect(page.locator(".network-legend")).to_contain_text("In the risk group")
    expect(page.locator(".network-links")).to_contain_text(f"Links that fail together: {len(members(api))}")
    expect(page.locator(".network-links li")).to_have_count(len(members(api)))


def test_a_link_shows_both_directions_and_who_holds_it(brain: Brain, api: Api, film: str, open_page: Open) -> None:
    api.post("/network/agents/net/exchange", report(api, film, 7_300))
    page = open_network(brain, open_page, f"/network?link={LINK}")
    panel = page.locator(".link-panel")
    row = panel.locator("tbody tr")
    expect(row.filter(has_text="Held")).to_contain_text("2.08 Tbps0 bps")
    expect(row.filter(has_text="Carried")).to_contain_text("41 Gbps–")
    expect(row.filter(has_text="dropped")).to_contain_text("7–")
    expect(row.filter(has_text="weight")).to_contain_text("709709")
    holders = panel.locator(".holders li")
    expect(holders).to_have_count(2)
    expect(holders.nth(0)).to_contain_text("mirror")
    expect(holders.nth(1).get_by_role("link", name="film")).to_have_attribute("href", f"#/tasks/{film}")
    page.get_by_role("button", name="Carried").click()
    expect(page.get_by_role("button", name="Carried")).to_have_attribute("aria-pressed", "true")


def test_a_click_on_the_map_opens_the_link_that_is_there(brain: Brain, film: str, open_page: Open) -> None:
    page = open_network(brain, open_page, f"/network?link={LINK}")
    there = page.locator(".network-map .map")
    expect(there).not_to_have_attribute("data-picked-at", "")
    x, y = (int(one) for one in (there.get_attribute("data-picked-at") or "").split(","))
    page.locator(".link-panel").get_by_role("button", name="Close").click()
    expect(page.locator(".link-panel")).to_have_count(0)
    for beside in (0, 4, -4, 8, -8, 12, -12):  # a direction bends to its side of the straight line
        there.click(position={"x": x + beside, "y": y})
        if page.locator(".link-panel").count():
            break
    expect(page.locator(".link-panel h2")).to_have_text(NAME)


def test_a_tasks_segments_stand_in_order_with_what_was_promised_and_measured(
    brain: Brain, api: Api, film: str, open_page: Open
) -> None:
    api.post("/network/agents/net/exchange", report(api, film, 7_300))
    route = api.get(f"/tasks/{film}/explain")["routes"][0]
    page = open_page(brain[0], f"/tasks/{film}", key=brain[1])
    shown = page.locator(".route")
    ways = route["policies"][0]["ways"]
    expect(shown.locator(".route-steps").first.locator("li")).to_have_count(len(ways[0]["steps"]))
    expect(shown.locator(".route-steps.standby")).to_have_count(sum(one["standby"] for one in ways))
    expect(shown).to_contain_text("The routers are asked for this now")
    expect(shown).to_contain_text("60 ms")
    expect(shown).to_contain_text("7.4 ms (nine in ten packets; mean 7.3 ms, at most 8.2 ms) Kept")
    expect(shown).to_contain_text("5 % · 19 of 20 probes")
    expect(shown).to_contain_text("fcbb:bb00:31::")
    expect(page.locator(".path-legend")).to_contain_text("Standby path")
    api.post("/network/agents/net/exchange", report(api, film, 61_000))
    expect(shown).to_contain_text("Later than promised")  # without a reload


def viewer_key(api: Api) -> str:
    tenant = api.get("/whoami")["tenant"]
    return str(api.post("/keys", {"tenant": tenant, "role": "viewer"})["key"])


def test_who_is_no_operator_sees_the_network_and_its_own_segments(
    brain: Brain, api: Api, film: str, open_page: Open
) -> None:
    key = viewer_key(api)
    page = open_network(brain, open_page, f"/network?link={LINK}", key)
    expect(page.locator(".holders li")).to_have_count(1)
    expect(page.locator(".link-panel")).to_contain_text("Others hold the rest")
    expect(page.locator(".link-panel")).not_to_contain_text("Carried")
    expect(page.locator(".cut-panel")).to_have_count(0)
    page.goto(f"{brain[0].url}/#/tasks/{film}")
    expect(page.locator(".route")).to_contain_text("Planned path")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_nothing_is_wider_than_the_screen_and_all_has_a_name(
    brain: Brain, film: str, page: Page, open_page: Open, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for route in (f"/network?link={LINK}", f"/tasks/{film}"):
        open_page(brain[0], route, key=brain[1])
        expect(page.locator(".map[data-ready=yes]")).to_be_visible(timeout=60_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], route
    open_network(brain, open_page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, select, textarea, button')].filter((one) =>
          !one.labels?.length && !one.getAttribute('aria-label') && !one.textContent.trim()).map((one) => one.outerHTML)"""
    )
    assert nameless == []


def test_a_cut_is_seen_before_it_is_made_and_made_only_when_said_twice(
    brain: Brain, api: Api, film: str, open_page: Open
) -> None:
    page = open_network(brain, open_page)
    panel = page.locator(".cut-panel")
    panel.get_by_label("Link", exact=True).fill(LINK)
    expect(panel.locator(".picked")).to_contain_text(NAME)
    panel.get_by_role("button", name="Look").click()
    result = page.locator(".cut-result")
    seen = api.get(f"/network/what-if?cut={LINK}")
    assert (seen["moved"], seen["broken"]) == (2, 0)
    expect(result).to_contain_text("Paths that move2")
    expect(result).to_contain_text("Paths that break0")
    rows = result.locator(".ways-table tbody tr")
    expect(rows).to_have_count(2)
    task_row = rows.filter(has_text="80 Gbps")
    expect(task_row).to_contain_text("7.09 ms → ")
    expect(task_row).to_contain_text("60 ms")
    after = next(one for one in seen["ways"] if one["before"]["owner"] == film)
    assert len(after["links"]) > 1
    task_row.get_by_role("button", name="on the map").click()
    expect(page.locator(".network-legend")).to_contain_text("Path after")
    expect(result).to_contain_text("−2.08 Tbps")
    panel.get_by_role("button", name="Really cut: 1").click()
    expect(panel.get_by_role("alert")).to_contain_text("2 paths move, 0 break")
    panel.get_by_role("button", name="No", exact=True).click()
    assert api.get("/network/links/" + LINK)["link"]["up"], "asked, and not said twice"
    panel.get_by_role("button", name="Really cut: 1").click()
    panel.get_by_role("button", name="Cut now").click()
    expect(panel.get_by_role("status")).to_contain_text(f"Cut: {NAME}")
    expect(page.locator(".network-figures")).to_contain_text("782/ 783")
    assert not api.get("/network/links/" + LINK)["link"]["up"]
    page.locator(".network-links").get_by_role("button", name=NAME).click()
    page.get_by_role("button", name="Bring it back").click()
    page.get_by_role("alert").get_by_role("button", name="Bring it back").click()
    expect(page.locator(".network-figures")).to_contain_text("783/ 783")


def test_marks_are_made_on_the_map_or_by_a_risk_group_and_cleared(
    brain: Brain, api: Api, film: str, open_page: Open
) -> None:
    page = open_network(brain, open_page, f"/network?link={LINK}")
    page.get_by_role("button", name="What if it is cut").click()
    panel = page.locator(".cut-panel")
    expect(panel.locator(".picked li")).to_have_count(1)
    panel.get_by_label("Risk group").select_option(GROUP)
    expect(panel.locator(".picked li")).to_have_count(2)
    panel.get_by_role("button", name=f"Take {NAME} out").click()
    panel.get_by_role("button", name="Look").click()
    expect(page.locator(".cut-result")).to_contain_text(f"Links cut{len(members(api))}")
    panel.get_by_role("button", name="Clear").click()
    expect(page.locator(".cut-result")).to_have_count(0)
    panel.get_by_role("button", name="Mark on the map").click()
    expect(page.locator(".network-map.marking")).to_have_count(1)

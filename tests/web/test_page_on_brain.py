"""The page on a real brain with its local agent: planned by hand, run in the sandbox, fetched, billed."""

import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from webserver import Server

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
RUNS_WITHIN_MS = 90_000
SCRIPT = "open('out.txt', 'w').write('sum %d' % sum(range(1000)))\nprint('written 寫好了')"


def test_the_brain_serves_the_page_under_a_strict_policy(brain: tuple[Server, str]) -> None:
    server, _ = brain
    with urllib.request.urlopen(server.url, timeout=20) as answer:
        policy = answer.headers["Content-Security-Policy"]
        html = answer.read().decode()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "/assets/" in html


def test_the_panorama_of_the_shipped_grid(brain: tuple[Server, str], open_page: Open) -> None:
    server, key = brain
    page = open_page(server, "/", key=key)
    figures = page.get_by_role("group", name="The grid in figures")
    expect(figures).to_contain_text("8EFLOPS")
    expect(figures).to_contain_text("3.3EFLOPS")
    expect(figures).to_contain_text("425/ 425", timeout=30_000)
    expect(figures.get_by_text("emulated").first).to_be_visible()
    expect(page.locator(".map[data-ready=yes]")).to_be_visible()


def test_nothing_fits_comes_with_the_smallest_relaxation(brain: tuple[Server, str], open_page: Open) -> None:
    server, key = brain
    page = open_page(server, "/new", key=key)
    page.get_by_role("tab", name="Text").click()
    text = page.locator("textarea[name=yaml]")
    text.fill("run: train\nresources:\n  cpus: 1\n")
    page.get_by_role("button", name="Plan").click()
    expect(page.get_by_role("alert")).to_contain_text("line 3")
    text.fill(
        "run: train\norigin: edge-xz-ngari\nlatency: 100 us\n"
        "resources:\n  kind: ai\n  accelerator: any\n  accelerators: 8\n"
    )
    page.get_by_role("button", name="Plan").click()
    expect(page.locator(".new-right")).to_contain_text("No path within the latency bound")
    expect(page.locator(".new-right .relax")).to_contain_text("latency")


@pytest.mark.sandbox
def test_a_task_goes_from_the_form_to_its_output_and_bill(brain: tuple[Server, str], open_page: Open) -> None:
    server, key = brain
    page = open_page(server, "/new", key=key)
    page.locator("input[name=name]").fill("by hand")
    page.get_by_label("Python script").check()
    page.locator("textarea[name=run]").fill(SCRIPT)
    page.get_by_text("Inputs and outputs").click()
    page.get_by_label("Path or glob").first.fill("out.txt")
    page.get_by_role("button", name="Plan").click()
    expect(page.locator(".new-right")).to_contain_text("How the pools were narrowed")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("h1")).to_contain_text("Succeeded", timeout=RUNS_WITHIN_MS)
    expect(page.locator(".station.done")).to_have_count(6)
    expect(page.locator(".logs pre")).to_contain_text("written 寫好了")
    expect(page.locator("#charges tbody tr").first).to_be_visible()
    expect(page.locator("#charges").get_by_text("emulated").first).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="out.txt").click()
    assert Path(waiting.value.path()).read_text() == "sum 499500"
    page.goto(f"{server.url}/#/bill")
    expect(page.locator("tbody")).to_contain_text("by hand")


@pytest.mark.sandbox
def test_a_service_is_found_priced_run_and_judged(brain: tuple[Server, str], open_page: Open) -> None:
    server, key = brain
    page = open_page(server, "/services", key=key)
    page.get_by_label("Search services").fill("分子動力學")  # in any language, whatever the page is in
    expect(page.locator(".service-card")).to_have_count(1)
    page.get_by_text("Molecular dynamics of a fluid").click()
    page.locator("input[name=steps]").fill("5")
    expect(page.locator("input[name=steps]")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Price and plan").click()
    expect(page.get_by_role("alert")).to_contain_text("`5` cannot be `steps`, which takes integer 50 … 50000")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    page.locator("input[name=steps]").fill("60")
    page.locator("input[name=side]").fill("3")
    page.get_by_role("button", name="Price and plan").click()
    expect(page.locator(".service-quote")).to_contain_text("at most ¥")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#service")).to_contain_text("The result is as expected", timeout=RUNS_WITHIN_MS)
    expect(page.locator("#service tbody tr")).to_have_count(3)
    page.get_by_label("Language").select_option("zh-hans")
    expect(page.locator("#service")).to_contain_text("结果符合预期")


def test_a_day_before_and_after_a_change(brain: tuple[Server, str], open_page: Open) -> None:
    server, key = brain
    page = open_page(server, "/what-if", key=key)
    page.get_by_role("button", name="Drawn").click()
    page.locator("input[name=drawn]").fill("25")
    page.locator("input[name=seed]").fill("5")
    page.locator("input[name=without]").fill("west-guian")
    expect(page.locator(".picked")).to_contain_text("Gui'an western hub")
    page.get_by_role("button", name="Add a site").click()
    page.get_by_label("Site", exact=True).select_option("west-qingyang")
    page.get_by_label("Factor", exact=True).fill("0.8")
    page.locator("select[name=preference]").select_option("greenest")
    page.get_by_role("button", name="Play both sides").click()
    result = page.locator(".what-if-result")
    expect(result).to_contain_text("Site west-guian offers no compute", timeout=RUNS_WITHIN_MS)
    expect(result).to_contain_text("Prices of site west-qingyang times 0.8")
    expect(result).to_contain_text("Every task wants: Greenest")
    expect(page.locator(".what-if-table tbody tr").first).to_contain_text("25")
    expect(page.locator(".what-if-plots canvas")).to_have_count(3)  # nobody waits: that is said in words
    expect(result).to_contain_text("Nobody waited")
    page.reload()
    expect(page.locator(".what-if-result")).to_contain_text("25 drawn tasks")


def test_a_site_that_is_typed_before_the_grid_has_come_is_picked_when_it_comes(
    brain: tuple[Server, str], page: Page, open_page: Open
) -> None:
    server, key = brain
    held: list[Route] = []
    page.route("**/v1/grid", lambda route: held.append(route))
    open_page(server, "/what-if", key=key)
    page.locator("input[name=without]").fill("west-guian")
    page.locator("input[name=cut]").fill("no such link")
    expect(page.locator("input[name=without]")).to_have_value("west-guian")
    assert held
    for route in held:
        route.continue_()
    expect(page.locator(".picked")).to_contain_text("Gui'an western hub")
    expect(page.locator("input[name=without]")).to_have_value("")
    expect(page.locator("input[name=cut]")).to_have_value("no such link")


def test_what_cannot_be_played_is_said_beside_the_form(brain: tuple[Server, str], open_page: Open) -> None:
    server, key = brain
    page = open_page(server, "/what-if", key=key)
    page.locator("input[name=history]").fill("2020-01-01")
    page.get_by_role("button", name="Play both sides").click()
    expect(page.get_by_role("alert")).to_contain_text("The log has no grid", timeout=RUNS_WITHIN_MS)
    page.get_by_role("button", name="Drawn").click()
    page.locator("input[name=load]").fill("5000")
    page.get_by_role("button", name="Play both sides").click()
    expect(page.locator("input[name=load]:invalid")).to_have_count(1)

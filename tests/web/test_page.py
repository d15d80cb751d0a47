"""The page in a browser: every page of it, in its states, against the stand-in server."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from webserver import OPERATOR, VIEWER, Server

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
SMALL = {"name": "small", "run": "true", "resources": {"cpu": 1}}
TOO_NEAR = {
    "name": "too-near",
    "run": "true",
    "origin": "edge-xz-ngari",
    "latency": 100,
    "resources": {"kind": "ai", "accelerators": 8, "accelerator": "any"},
}


@pytest.fixture(scope="module")
def quiet(start_server: Callable[..., Server]) -> Server:
    """A server without any task, for what must be told apart."""
    return start_server("--tasks", "0")


def test_without_a_key_the_page_asks_for_one_and_enters(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.get_by_label("API key").fill(OPERATOR)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def test_a_wrong_key_is_refused_in_words(server: Server, open_page: Open) -> None:
    page = open_page(server, "/", key="sw_wrong_key")
    expect(page.get_by_role("alert")).to_contain_text("does not know this key")


def test_the_key_leaves_the_address_bar_and_stays_for_the_tab(server: Server, open_page: Open) -> None:
    page = open_page(server, "/tasks?phase=succeeded")
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
    assert "key=" not in page.url
    assert page.url.endswith("#/tasks?phase=succeeded")
    page.reload()
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()


def test_panorama_shows_the_grids_figures_and_draws_the_map(server: Server, open_page: Open) -> None:
    page = open_page(server)
    figures = page.get_by_role("group", name="The grid in figures")
    expect(figures).to_contain_text("924,000")
    expect(figures).to_contain_text("8EFLOPS")
    expect(figures).to_contain_text("425/ 425")
    expect(figures.get_by_text("emulated").first).to_be_visible()
    expect(page.locator(".map[data-ready=yes]")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('.map canvas').length > 0")
    assert page.evaluate(COLOURS_ON_MAP) > 50, "an empty canvas has one colour"


def test_panorama_says_what_is_scarce_where_and_worth_how_much(server: Server, open_page: Open) -> None:
    page = open_page(server)
    panel = page.locator(".scarce")
    expect(panel).to_contain_text("What is scarce")
    expect(panel.locator("li")).to_have_count(2)
    expect(panel.locator("li").first).to_contain_text("¥28.71")
    expect(panel.locator("li").first).to_contain_text("0 of")
    expect(panel.locator("li").nth(1)).to_contain_text("→")
    expect(panel).to_contain_text("90 min on average")
    panel.locator("button").first.click()
    expect(page.locator(".site-panel")).to_be_visible()


def test_panorama_says_why_nothing_is_scarce(start_server: Callable[..., Server], open_page: Open) -> None:
    panel = open_page(start_server("--tasks", "0")).locator(".scarce")
    expect(panel).to_contain_text("Nothing is scarce")
    expect(panel.locator("li")).to_have_count(0)


COLOURS_ON_MAP = """() => {
  const seen = new Set();
  for (const canvas of document.querySelectorAll('.map canvas')) {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 0; i < data.length; i += 4 * 97) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  }
  return seen.size;
}"""


def test_a_failed_site_turns_red_in_the_figures_and_can_be_put_back(quiet: Server, open_page: Open) -> None:
    quiet.call("/tasks", SMALL)
    page = open_page(quiet)
    page.locator(".bar-list button").first.click()
    page.get_by_role("button", name="Take out of service").click()
    page.get_by_role("alert").get_by_role("button", name="Take out of service").click()
    expect(page.get_by_text("Taken out of service by an operator")).to_be_visible()
    expect(page.locator(".figure.bad")).to_contain_text("424")
    page.get_by_role("button", name="Put back into service").click()
    expect(page.locator(".figure.bad")).to_have_count(0)


def test_a_viewer_cannot_operate_a_site_nor_submit(server: Server, open_page: Open) -> None:
    page = open_page(server, "/", key=VIEWER)
    page.locator(".bar-list button").first.click()
    expect(page.get_by_role("heading", name="Pools", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Take out of service")).to_have_count(0)
    page.get_by_role("link", name="New task").click()
    page.get_by_label("Run", exact=True).last.fill("true")
    page.get_by_role("button", name="Plan").click()
    expect(page.get_by_text("Lines of the quote")).to_be_visible()
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()


def test_tasks_are_filtered_by_phase_tag_and_text(server: Server, open_page: Open) -> None:
    page = open_page(server, "/tasks?phase=failed")
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("Failed")
    assert "Succeeded" not in page.locator("tbody").inner_text()
    page.get_by_label("Phase").select_option("")
    page.get_by_label("Search").fill("train-at-the-edge")
    expect(rows).to_have_count(1)
    page.get_by_label("Search").fill("no such task")
    expect(page.get_by_text("No task matches")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Tag").fill("team=astro")
    expect(rows.first).to_contain_text("team=astro")
    assert page.url.endswith("#/tasks?tag=team%3Dastro")


def test_no_task_yet_is_said(start_server: Callable[..., Server], open_page: Open) -> None:
    page = open_page(start_server("--tasks", "0"), "/tasks")
    expect(page.get_by_text("No task yet")).to_be_visible()


def test_more_than_a_page_of_tasks_is_paged(start_server: Callable[..., Server], open_page: Open) -> None:
    server = start_server("--tasks", "0")
    for number in range(55):
        server.call("/tasks", SMALL | {"name": f"t{number}"})
    page = open_page(server, "/tasks")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("tbody")).to_contain_text("t0")
    page.get_by_role("button", name="Newer").click()
    expect(page.locator("tbody tr")).to_have_count(50)


def of_phase(server: Server, phase: str) -> str:
    return str(server.call(f"/tasks?phase={phase}&limit=200")["items"][0]["task_id"])


def test_an_ended_task_walks_all_six_stations(server: Server, open_page: Open) -> None:
    task = of_phase(server, "succeeded")
    bill = server.call(f"/tasks/{task}/explain")["charges"]
    page = open_page(server, f"/tasks/{task}")
    expect(page.locator(".station.done")).to_have_count(6)
    expect(page.locator("#plan")).to_contain_text("How the pools were narrowed")
    expect(page.locator("#plan .chosen")).to_have_count(1)
    expect(page.locator(".path-box .map[data-ready=yes]")).to_be_visible()
    expect(page.locator("#charges tbody tr")).to_have_count(len(bill))
    total = sum(one["line"]["amount_micro_yuan"] for one in bill)
    expect(page.locator("#charges tfoot")).to_contain_text(f"¥{total / 1e6:,.6f}".rstrip("0"))
    expect(page.locator("h1").get_by_text("emulated")).to_be_visible()


def test_a_running_task_shows_its_log_and_ends_without_a_reload(quiet: Server, open_page: Open) -> None:
    task = quiet.call("/tasks", SMALL | {"name": "watched"})["task_id"]
    page = open_page(quiet, f"/tasks/{task}")
    expect(page.locator(".station.now")).not_to_have_count(0)
    expect(page.locator(".logs pre")).to_contain_text("step 3", timeout=30_000)
    expect(page.locator(".chart canvas").first).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1")).to_contain_text("Cancelled")


def test_an_output_is_downloaded(server: Server, open_page: Open) -> None:
    page = open_page(server, f"/tasks/{of_phase(server, 'succeeded')}")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="out/result.json").click()
    assert waiting.value.suggested_filename == "result.json"
    assert waiting.value.path().read_text() == '{"answer": 42}\n'


def test_a_refused_task_says_why_and_what_would_fit(quiet: Server, open_page: Open) -> None:
    task = quiet.call("/tasks", TOO_NEAR)["task_id"]
    page = open_page(quiet, f"/tasks/{task}")
    expect(page.locator(".station.bad")).to_contain_text("Refused")
    admission = page.locator("#admission")
    expect(admission).to_contain_text("No path within the latency bound")
    expect(admission).to_contain_text("None is left")
    expect(admission).to_contain_text("The smallest change that would make it fit")


def test_an_unknown_task_is_not_there(server: Server, open_page: Open) -> None:
    page = open_page(server, "/tasks/task-00000000000000000000000000")
    expect(page.get_by_role("alert")).to_contain_text("There is nothing here")


def test_a_task_is_planned_changed_planned_again_and_submitted(quiet: Server, open_page: Open) -> None:
    page = open_page(quiet, "/new")
    submit = page.get_by_role("button", name="Submit")
    page.get_by_label("Name", exact=True).first.fill("by hand")
    page.locator("textarea[name=run]").fill("echo one")
    page.locator("input[name=bandwidth]").fill("200 Mbps")
    page.get_by_role("button", name="Firewall").click()
    expect(submit).to_be_disabled()
    before = quiet.call("/tasks")["total"]
    page.get_by_role("button", name="Plan").click()
    expect(page.locator(".new-right")).to_contain_text("Alternatives, and why not")
    expect(page.locator(".new-right")).to_contain_text("Firewall")
    assert quiet.call("/tasks")["total"] == before, "planning submits nothing"
    page.locator("input[name=cpu]").fill("4")
    expect(submit).to_be_disabled()
    page.get_by_role("button", name="Plan").click()
    submit.click()
    expect(page.locator("h1")).to_contain_text("by hand")
    found = quiet.call("/tasks?text=by%20hand")["items"]
    assert len(found) == 1
    request = quiet.call(f"/tasks/{found[0]['task_id']}/explain")["request"]["request"]
    assert request["resources"]["cpu"] == 4
    assert request["bandwidth"] == 200_000_000
    assert request["protection"] == ["firewall"]


def test_the_form_becomes_a_task_file_and_its_faults_have_lines(server: Server, open_page: Open) -> None:
    page = open_page(server, "/new")
    page.locator("textarea[name=run]").fill("echo one\necho two")
    page.locator("input[name=memory]").fill("2 GiB")
    page.get_by_role("tab", name="Text").click()
    text = page.locator("textarea[name=yaml]")
    expect(text).to_have_value("run: |-\n  echo one\n  echo two\nresources:\n  memory: 2 GiB\n")
    text.fill("run: true\nresorces:\n  cpu: 1\n")
    page.get_by_role("button", name="Plan").click()
    faults = page.get_by_role("alert")
    expect(faults).to_contain_text("resorces")
    expect(faults).to_contain_text("line 2")


def test_nothing_fits_is_explained_before_submitting(server: Server, open_page: Open) -> None:
    page = open_page(server, "/new")
    page.get_by_role("tab", name="Text").click()
    page.locator("textarea[name=yaml]").fill(
        "run: train\norigin: edge-xz-ngari\nlatency: 100\nresources:\n  kind: ai\n  accelerators: 8\n"
    )
    page.get_by_role("button", name="Plan").click()
    expect(page.locator(".new-right")).to_contain_text("Nothing in the grid fits")
    expect(page.locator(".new-right .relax")).to_contain_text("latency")


def test_again_fills_the_form_from_a_task(server: Server, open_page: Open) -> None:
    task = of_phase(server, "succeeded")
    request = server.call(f"/tasks/{task}/explain")["request"]["request"]
    page = open_page(server, f"/tasks/{task}")
    page.get_by_role("link", name="Again, as a new task").click()
    expect(page.locator("input[name=name]")).to_have_value(request["name"])
    expect(page.locator("textarea[name=run]")).to_have_value(request["run"])


def test_the_bills_sums_agree(server: Server, open_page: Open) -> None:
    bill = server.call("/bill?from=0")
    page = open_page(server, "/bill")
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator("tbody tr").first).to_be_visible()
    shown = page.locator(".bar-list.big li").count()
    assert shown == len(bill["by_kind"])
    amounts = page.locator("tbody tr td:nth-child(6)").all_inner_texts()
    total = page.locator("tfoot td:nth-child(2)").inner_text()
    micro = [round(float(re.sub(r"[¥,]", "", one)) * 1e6) for one in amounts]
    assert sum(micro) == round(float(re.sub(r"[¥,]", "", total)) * 1e6)


def test_the_grid_page_tells_fact_from_assumption_and_finds_a_site(server: Server, open_page: Open) -> None:
    page = open_page(server, "/grid")
    expect(page.locator(".facts")).to_contain_text("924,000 own servers")
    expect(page.locator(".assumptions")).to_contain_text("Third parties, tenants and data sets are invented")
    page.get_by_label("Search").fill("west-guian")
    expect(page.locator(".panel", has_text="found").locator("tbody tr")).to_have_count(1)


@pytest.mark.parametrize(
    ("locale", "lang", "title"),
    [
        ("zh-TW", "zh-Hant", "全景視圖"),
        ("zh-CN", "zh-Hans", "全景视图"),
        ("en-GB", "en", "Panorama"),
        ("fr-FR", "en", "Panorama"),
    ],
)
def test_the_language_follows_the_browser(server: Server, browser, locale: str, lang: str, title: str) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(f"{server.url}/#key={OPERATOR}")
    expect(page.get_by_role("link", name=title)).to_be_visible()
    assert page.locator("html").get_attribute("lang") == lang
    context.close()


def test_a_chosen_language_stays(server: Server, open_page: Open) -> None:
    page = open_page(server, "/tasks")
    page.get_by_role("combobox", name="Language").select_option("zh-hant")
    expect(page.get_by_role("heading", name="任務")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="任務")).to_be_visible()
    assert "ui." not in page.locator("body").inner_text()


def test_a_brain_that_does_not_answer_is_said_and_comes_back(
    server: Server, context: BrowserContext, open_page: Open
) -> None:
    page = open_page(server, "/tasks")
    expect(page.locator("tbody tr").first).to_be_visible()
    context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("The brain does not answer")
    expect(page.locator("tbody tr").first).to_be_visible()
    context.set_offline(False)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 1920])
def test_no_page_is_wider_than_the_screen(server: Server, open_page: Open, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for route in ("/", "/tasks", "/new", "/bill", "/grid", f"/tasks/{of_phase(server, 'succeeded')}"):
        open_page(server, route)
        expect(page.locator("h1").first).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, route


def test_every_control_has_a_name(server: Server, open_page: Open) -> None:
    page = open_page(server, "/new")
    expect(page.get_by_role("heading", name="New task")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, select, textarea, button')].filter((one) =>
          !one.labels?.length && !one.getAttribute('aria-label') && !one.textContent.trim()).map((one) => one.outerHTML)"""
    )
    assert nameless == []


def test_the_keyboard_reaches_the_content(server: Server, open_page: Open) -> None:
    page = open_page(server, "/tasks")
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_tenants_show_their_tree_with_what_is_borrowed_and_lent(quiet: Server, open_page: Open) -> None:
    page = open_page(quiet, "/tenants")
    rows = page.locator("tr[data-tenant]")
    expect(rows).to_have_count(4)
    assert rows.evaluate_all("rows => rows.map((row) => row.dataset.tenant)") == [
        "demo",
        "uni",
        "uni-biology",
        "uni-physics",
    ]
    physics, biology = page.locator("tr[data-tenant=uni-physics]"), page.locator("tr[data-tenant=uni-biology]")
    expect(physics).to_contain_text("720 of 600")
    expect(physics).to_contain_text("120 borrowed")
    expect(biology).to_contain_text("120 lent")
    expect(biology).to_contain_text("next")
    expect(biology).to_contain_text("3 / 12")
    assert float(physics.locator(".quota-borrowed").first.get_attribute("width") or 0) > 100
    expect(page.locator("tr[data-tenant=demo]")).to_contain_text("no quota")


def test_an_operator_changes_a_weight_and_the_other_limits_stay(
    start_server: Callable[..., Server], open_page: Open
) -> None:
    server = start_server("--tasks", "0")
    page = open_page(server, "/tenants")
    page.get_by_role("button", name="Limits of Physics").click()
    page.get_by_label("Weight").fill("two")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Whole numbers only")
    page.get_by_label("Weight").fill("5000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("the most is 1000")
    page.get_by_label("Weight").fill("7")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    expect(page.locator("tr[data-tenant=uni-physics] td").nth(1)).to_have_text("7")
    now = {one["id"]: one for one in server.call("/tenants")["items"]}["uni-physics"]
    assert (now["weight"], now["cores_max"], now["parent"], now["priority_max"]) == (7, 600, "uni", 50)


def test_who_is_no_operator_sees_its_own_and_changes_nothing(quiet: Server, open_page: Open) -> None:
    page = open_page(quiet, "/tenants", key=VIEWER)
    expect(page.locator("tr[data-tenant]")).to_have_count(1)
    expect(page.get_by_role("button", name="Limits of")).to_have_count(0)

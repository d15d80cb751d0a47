"""Pictures of the page for the README and the guides, from a running brain.

    .venv/bin/python web/dev/screenshots.py http://127.0.0.1:8440 sw_KEY docs/screenshots [network ...]

Submit a day's tasks first (`suanwang demo`): a picture of an empty grid tells little. For the network, reserve some
bandwidth too. Names of pictures at the end take these only.
"""

import sys
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SIZE = {"width": 1920, "height": 1080}
BYTES_MAX = 500_000
DRAWN_MS = 3_500  # the map is drawn and the flows have set out
TASK_FILE = """name: train-in-the-west
run: python3 train.py data/scenes
origin: edge-xj-kashgar
bandwidth: 1 Gbps
protection: [firewall, ids]
security_level: 3
inputs:
  - source: dataset:sentinel2-china
    path: data/scenes
resources:
  kind: ai
  cpu: 16
  memory: 64 GiB
  accelerator: any
  accelerators: 8
  wall_time: 2 h
"""


def best_task(url: str, key: str) -> str:
    """The ended task whose record tells most: several plans, then a long path."""
    headers = {"Authorization": f"Bearer {key}"}
    tasks = httpx.get(f"{url}/v1/tasks?phase=succeeded&limit=100", headers=headers).raise_for_status().json()["items"]
    if not tasks:
        raise SystemExit("no task has succeeded yet: run `suanwang demo` first")
    return str(max(tasks, key=lambda one: (one["attempts"], one["quote_micro_yuan"] or 0))["task_id"])


def plan_by_text(page: Page) -> None:
    page.locator(".tabs button").nth(1).click()
    page.locator("textarea[name=yaml]").fill(TASK_FILE)
    page.locator("button[type=submit]").click()
    page.locator(".plan-view").wait_for()


def look_at_a_cut(page: Page) -> None:
    """Mark the busiest link and look."""
    page.locator(".network-figures .link").first.click()
    link = page.url.partition("link=")[2]
    page.locator("input[name=cut-link]").fill(link)
    page.locator(".cut-panel .primary").click()
    page.locator(".cut-result").wait_for()
    page.locator(".link-panel header button").click()


def shrink(path: Path) -> None:
    """Fewer shades until the file is small enough: the map's glows have more of them than the eye tells apart."""
    for mask in (0xFE, 0xFC, 0xF8):
        if path.stat().st_size <= BYTES_MAX:
            return
        Image.open(path).convert("RGB").point([shade & mask for shade in range(256)] * 3).save(path, optimize=True)


def main(url: str, key: str, folder: str, *only: str) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    task = best_task(url, key) if not only or any(one.startswith("task") for one in only) else ""
    shots = [
        ("panorama", "/", "en"),
        ("panorama-zh-hant", "/", "zh-hant"),
        ("tasks", "/tasks", "en"),
        ("task", f"/tasks/{task}", "en"),
        ("task-zh-hant", f"/tasks/{task}", "zh-hant"),
        ("new-task", "/new", "en"),
        ("bill", "/bill", "en"),
        ("grid", "/grid", "en"),
        ("network", "/network", "en"),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, route, lang in (one for one in shots if not only or one[0] in only):
            context = browser.new_context(viewport=SIZE, timezone_id="Asia/Shanghai")
            context.add_init_script(f"localStorage.setItem('suanwang.lang', '{lang}')")
            page = context.new_page()
            page.goto(f"{url}/#{route}?key={key}")
            page.locator("h1").first.wait_for(state="attached")
            if name == "new-task":
                plan_by_text(page)
            if name == "network":
                look_at_a_cut(page)
            page.wait_for_timeout(DRAWN_MS)
            path = out / f"{name}.png"
            page.screenshot(path=path)
            shrink(path)
            print(f"{path} {path.stat().st_size // 1024} KB")
            context.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A stand-in server (web/dev), a real brain, and Debian's Chromium for the tests of the page."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from webserver import CHROMIUM, FLAGS, OPERATOR, ROOT, STATIC, Server, node

from suanwang.grids import china_path, load_grid

STARTS_WITHIN_S = 60
expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start a stand-in server: `start_server("--tasks", "0")`. All are stopped at the end."""
    program = node()
    if program is None:
        pytest.skip("the page's stand-in server needs Node")
    grid = tmp_path_factory.mktemp("grid") / "grid.json"
    grid.write_text(load_grid(china_path()).model_dump_json())
    running: list[Server] = []

    def start(*arguments: str) -> Server:
        command = [program, str(ROOT / "web/dev/mock-server.mjs"), "--port", "0", "--grid", str(grid), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        address = process.stdout.readline().partition("/#")[0]
        assert address.startswith("http://"), "the stand-in server says its address first"
        server = Server(address, process)
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server: Callable[..., Server]) -> Server:
    """A server with a day's tasks."""
    return start_server("--tasks", "24", "--still", "1")


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """`suanwang serve` on a new home: its address and the operator's key."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "suanwang.cli", "serve", "--home", str(home), "--port", "0"]
    with (home.parent / "serve.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        note = home / "server.json"
        deadline_s = time.monotonic() + STARTS_WITHIN_S
        while not note.exists():
            assert process.poll() is None, (home.parent / "serve.log").read_text()
            assert time.monotonic() < deadline_s, "the brain is up within a minute"
            time.sleep(0.1)
        key = json.loads((home / "credentials.json").read_text())["key"]
        yield Server(json.loads(note.read_text())["url"], process), key
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("the page's tests need Chromium")
    if not (STATIC / "index.html").exists():
        pytest.skip("the page is not built: run `make web`")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    found = browser.new_context(
        viewport={"width": 1600, "height": 900}, locale="en-US", timezone_id="Asia/Shanghai", accept_downloads=True
    )
    found.set_default_timeout(15_000)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails its test for any error of script or of the content security policy."""
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    yield found
    assert errors == []


@pytest.fixture
def open_page(page: Page) -> Callable[..., Page]:
    """Open a route of the page with a key: `open_page(server, "/tasks")`."""

    def go(server: Server, route: str = "/", key: str = OPERATOR) -> Page:
        page.goto(f"{server.url}/#{route}{'&' if '?' in route else '?'}key={key}")
        return page

    return go

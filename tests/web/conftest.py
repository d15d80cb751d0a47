"""A stand-in server (web/dev) and Debian's Chromium for the tests of the page."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from webserver import CHROMIUM, FLAGS, OPERATOR, ROOT, STATIC, Server, node

from suanwang.grids import china_path, load_grid

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

"""`suanwang demo`: a mixed day of real jobs on the china grid, on one machine.

One brain with its API and page, and one agent process for each region of the grid. In the middle an agent is killed with
SIGKILL: its sites fall silent, what ran there is planned elsewhere, and the agent is started again. Ends with the bill, and
where this machine can have a lab with real packets over real routers (`demo_lab`).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from suanwang.cli.show.demo import Narrator
from suanwang.cli.show.demo_lab import LabNarrator
from suanwang.client import Client
from suanwang.grids.geometry import great_circle_km
from suanwang.model.error import BackendError
from suanwang.model.grid import Grid, Site, Tier
from suanwang.model.ids import TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.record import ENDS, Phase
from suanwang.model.view import TaskView
from suanwang.runtime import clock
from suanwang.runtime.app import Serving, home_key, serving
from suanwang.runtime.demo_lab import chapter
from suanwang.runtime.settings import SETTINGS, Settings
from suanwang.runtime.wait import until_signal
from suanwang.services import examples_path

DEMO_TENANT: Final = "demo"
LOOK_S: Final = 0.25
HEARTBEAT_LOST_S: Final = 5  # a demo shall not wait longer for the brain to notice
# The kill comes when this many tasks have ended and another runs.
ENDED_BEFORE_KILL: Final = 3
WAVES: Final = 3  # of the same jobs, in the long form
STOP_S: Final = 15.0  # for an agent to end by itself
LIMIT_S: Final = 1_200.0
FAST_LIMIT_S: Final = 300.0
ENDS_WELL: Final = Phase.SUCCEEDED


@dataclass
class Region:
    """The sites nearest to one hub, and the agent process that works for them."""

    hub: Site
    sites: list[str]
    process: subprocess.Popen[bytes] | None = None


@dataclass
class Play:
    """What has happened so far."""

    tasks: dict[TaskId, TaskView] = field(default_factory=dict)
    killed: Region | None = None
    killed_s: float = 0.0
    restarted: bool = False
    struck: set[TaskId] = field(default_factory=set)  # tasks that ran on the killed agent's sites


def run(settings: Settings, fast: bool, as_json: bool, lang: str) -> int:
    """Play the demo; 0 where every task succeeded. Keeps the page up until a signal, unless `fast` or `as_json`."""
    began_s = clock.monotonic_s()
    home = settings.home / "demo"
    shutil.rmtree(home, ignore_errors=True)
    lost_s = settings.heartbeat_lost_s
    if lost_s == next(one.default for one in SETTINGS if one.name == "heartbeat_lost_s"):
        lost_s = HEARTBEAT_LOST_S
    chosen = replace(settings, home=home, heartbeat_lost_s=lost_s, url="", key="", grid="china", store_url="", lab="")
    if fast:
        chosen = replace(chosen, port=0)
    narrator = Narrator(lang, quiet=as_json)
    # A polite end unwinds the blocks below, so that no agent process outlives the demo.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with serving(chosen, with_agent=False) as here, Client(here.url, here.key, lang=lang) as client:
        regions = _regions(here.brain.index.grid)
        try:
            code = _play(here, client, regions, narrator, 1 if fast else WAVES, FAST_LIMIT_S if fast else LIMIT_S)
            seconds = clock.monotonic_s() - began_s
            bill = client.bill()
            if not as_json:
                narrator.bill(bill, seconds)
            found = chapter(here.brain.index.grid, chosen, LabNarrator(as_json), fast)
            if found is not None and found.error:
                code = 1
            if as_json:
                lab = None if found is None else found.document()
                told = {"seconds": round(seconds, 1), "exit": code, "bill": bill.model_dump(mode="json"), "lab": lab}
                print(json.dumps(told))
            if not fast and not as_json:
                narrator.stays(here.page)
                until_signal(lambda: here.brain.failed is not None)
        finally:
            _stop(regions)
    return code


def _play(here: Serving, client: Client, regions: list[Region], narrator: Narrator, waves: int, limit_s: float) -> int:
    grid = here.brain.index.grid
    narrator.opening(grid, here.page)
    for region in regions:
        _start(here, region)
    _await_sites(client, regions)
    narrator.agents([(region.hub, len(region.sites)) for region in regions])
    play = Play()
    deadline_s = clock.monotonic_s() + limit_s
    for wave in range(waves):
        for task in _submit_all(here, client, wave):
            play.tasks[task.task_id] = task
            narrator.submitted(task, grid)
        while not _all_ended(play):
            _look(here, client, regions, play, narrator, grid)
            if clock.monotonic_s() > deadline_s:
                narrator.too_long([task for task in play.tasks.values() if task.phase not in ENDS])
                return 1
            clock.pause(LOOK_S)
    narrator.summary(list(play.tasks.values()), [play.tasks[one] for one in sorted(play.struck)])
    well = all(task.phase is ENDS_WELL for task in play.tasks.values())
    return 0 if well and play.killed is not None else 1


def _submit_all(here: Serving, client: Client, wave: int) -> Iterator[TaskView]:
    """Every example, as a user of the demo's tenant would submit it."""
    key = client.issue_key(DEMO_TENANT, "user", note=f"wave {wave}").key
    with Client(here.url, key) as user:
        for job in sorted(examples_path().glob("*/task.yaml")):
            yield user.submit(job, idempotency_key=f"{wave}-{job.parent.name}")


def _look(here: Serving, client: Client, regions: list[Region], play: Play, narrator: Narrator, grid: Grid) -> None:
    """See what changed, say it, and strike or mend when the time has come."""
    for task in client.list(limit=200):
        before = play.tasks.get(task.task_id)
        if before is not None and (before.phase, before.generation) != (task.phase, task.generation):
            play.tasks[task.task_id] = task
            if task.generation != before.generation:
                narrator.planned(client.explain(task.task_id), grid)
            narrator.moved(before, task, grid)
    if play.killed is None:
        _strike(regions, play, narrator)
    elif not play.restarted and clock.monotonic_s() - play.killed_s > here.brain.settings.heartbeat_lost_s + 4:
        _start(here, play.killed)
        play.restarted = True
        narrator.restarted(play.killed.hub)


def _strike(regions: list[Region], play: Play, narrator: Narrator) -> None:
    """Kill the agent whose sites have most in hand, once some tasks have ended and something runs there."""
    if sum(task.phase in ENDS for task in play.tasks.values()) < ENDED_BEFORE_KILL:
        return
    running = {task.task_id: task for task in play.tasks.values() if task.phase is Phase.RUNNING}
    here = max(regions, key=lambda region: sum(task.site in region.sites for task in running.values()))
    struck = {task.task_id for task in running.values() if task.site in here.sites}
    if not struck or here.process is None:
        return
    here.process.send_signal(signal.SIGKILL)
    here.process.wait()
    play.killed, play.killed_s, play.struck = here, clock.monotonic_s(), struck
    narrator.killed(here.hub, len(here.sites), [play.tasks[one] for one in sorted(struck)])


def _all_ended(play: Play) -> bool:
    return all(task.phase in ENDS for task in play.tasks.values())


def _regions(grid: Grid) -> list[Region]:
    """Every site with the hub that is nearest to it."""
    regions = [Region(site, []) for site in grid.sites if site.tier is Tier.HUB]
    for site in grid.sites:
        if site.pools:
            nearest = min(regions, key=lambda region: _distance_km(region.hub, site))
            nearest.sites.append(site.id)
    return regions


def _distance_km(a: Site, b: Site) -> float:
    return great_circle_km(a.latitude, a.longitude, b.latitude, b.longitude)


def _start(here: Serving, region: Region) -> None:
    """The region's agent, as a process that dials the brain with a key of its own."""
    settings = here.brain.settings
    name = f"agent-{region.hub.id}"
    with Client(here.url, home_key(settings.home)) as client:
        key = client.issue_key("local", "agent", sites=tuple(region.sites), note=name).key
    environment = os.environ | {"SUANWANG_URL": here.url, "SUANWANG_KEY": key, "SUANWANG_HOME": str(settings.home)}
    command = [sys.executable, "-m", "suanwang.cli", "agent", "--name", name, *_options(region.sites)]
    log = (settings.home / f"{name}.log").open("ab")
    region.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    log.close()


def _options(sites: Sequence[str]) -> list[str]:
    return [part for site in sites for part in ("--site", site)]


def _stop(regions: list[Region]) -> None:
    """All of them are asked at once, and then waited for. Who interrupts that too ends them by force: no agent process
    outlives the demo."""
    running = [one.process for one in regions if one.process is not None and one.process.poll() is None]
    try:
        for process in running:
            process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=STOP_S)
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()


def _await_sites(client: Client, regions: list[Region]) -> None:
    """Until every site has its agent."""
    wanted = sum(len(region.sites) for region in regions)
    while sum(site.live for site in client.panorama().sites) < wanted:
        for region in regions:
            if region.process is not None and region.process.poll() is not None:
                raise BackendError(
                    FailureReason.BACKEND, f"the agent of {region.hub.id} ended: see its log in the home"
                )
        clock.pause(LOOK_S)

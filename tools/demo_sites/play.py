"""The demo from its beginning to its end: start, join, run, kill, check, bill."""

import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.demo_sites.blows import BLOWS, Blow
from tools.demo_sites.places import PLACES, LocalPlace, Place, SlurmPlace
from tools.demo_sites.processes import LOOK_S, DemoError, Grid, agent_of, wait_for
from tools.demo_sites.stage import Stage
from tools.demo_sites.story import HOMES, WORK, Check, checks, homes, told_of, workflow
from tools.demo_sites.tell import Narrator

from suanwang.model.error import NetworkError, UnreachableError
from suanwang.model.record import Phase
from suanwang.model.view import Explain
from suanwang.model.workflow import WorkflowState, WorkflowView

LIMIT_S: Final = 600.0  # for the workflow
LINK_MBPS: Final = "1000"  # of each site's link, as an operator writes it down who has ordered the line
TAIL: Final = 3  # lines of each log that are shown where something broke


@dataclass(frozen=True)
class Wish:
    """What the reader asked for."""

    without: Sequence[str] = ()
    as_json: bool = False
    lang: str = "en"
    pace_s: float = 6


@dataclass
class Seen:
    """What the reader has been told of the workflow."""

    phases: dict[str, Phase] = field(default_factory=dict)


def play(wish: Wish) -> int:
    """0 where everything went as it should."""
    narrator = Narrator(quiet=wish.as_json)
    # A polite end unwinds the stack below, as Ctrl-C does: nothing of the demo outlives it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = Path(tempfile.mkdtemp(prefix="suanwang-demo-sites-", dir="/tmp"))
    home.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        try:
            return _play(Stage(home, Grid(home, wish.lang)), stack, narrator, wish)
        except DemoError as error:
            narrator.broken(str(error), _tails(home))
            return 1
        finally:
            # A second Ctrl-C shall not cut short what comes now.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            narrator.say("leaves", "dim")


def _play(stage: Stage, stack: ExitStack, narrator: Narrator, wish: Wish) -> int:
    narrator.chapter("backends")
    for place in _chosen(narrator, wish.without):
        stack.callback(place.close)
        if place.has_daemons:
            narrator.say("starts", what=place.what)
        try:
            place.start(stage.home)
        except AssertionError as error:  # as the rigs say that a daemon did not come
            raise DemoError(f"{place.what}: {error}") from error
        stage.places.append(place)
    narrator.say("brain")
    stack.callback(stage.grid.close)
    stage.grid.brain.start()
    wait_for(lambda: _answers(stage) or not stage.grid.brain.alive, "brain")
    narrator.chapter("joins")
    for place in stage.places:
        _join(stage, place, stack, narrator)
    narrator.chapter("runs")
    stage.at = homes([place.name for place in stage.places])
    done = _run(stage, narrator, wish)
    narrator.chapter("checks")
    found = _check(stage, done, narrator)
    return _bill(stage, stack, narrator, wish, done, found)


def _chosen(narrator: Narrator, without: Sequence[str]) -> list[Place]:
    """Every place that can be here and was not left out; what cannot is said by name."""
    chosen: list[Place] = []
    for make in PLACES:
        place = make()
        if place.name in without:
            continue
        lacking = place.lacking()
        if lacking is None:
            chosen.append(place)
        else:
            narrator.absent(place.what, place.name, *lacking)
    # Where no cluster is here for some step, this host does it itself.
    if any(not set(wanted) & {place.name for place in chosen} for wanted in HOMES.values() if "local" in wanted):
        chosen.append(LocalPlace())
    return chosen


def _answers(stage: Stage) -> bool:
    try:
        with stage.client() as client:
            client.whoami()
    except (OSError, ValueError, UnreachableError, NetworkError):
        return False
    return True


def _join(stage: Stage, place: Place, stack: ExitStack, narrator: Narrator) -> None:
    """As an operator and a site do it: a token, the site's own command, the operator's answer, and it serves."""
    token = stage.grid.operate("site", "token")["token"]
    agent = agent_of(place, stage.grid, stage.home, token)
    stack.callback(agent.stop)
    stage.agents[place.name] = agent
    agent.start()
    narrator.command(["join", "--adapter", place.adapter, "--name", place.name, *place.options()])

    def asked() -> str | None:
        if not agent.alive:
            raise DemoError(f"suanwang join --adapter {place.adapter}")
        with stage.client() as client:
            return next((str(one.join_id) for one in client.joins() if one.ask.site == place.name), None)

    join_id = wait_for(asked, f"suanwang join --adapter {place.adapter}")
    approve = ["site", "approve", join_id, "--mbps", LINK_MBPS]
    narrator.command(approve)
    stage.grid.operate(*approve)
    wait_for(lambda: _live(stage, place.name) or not agent.alive, f"{place.name}")
    with stage.client() as client:
        site = next(one for one in client.grid().sites if one.id == place.name)
        ask = next(one.ask for one in client.joins() if one.ask.site == place.name)
    narrator.say("joined", "green", site=place.name, version=ask.inventory.version, pools=len(site.pools))


def _live(stage: Stage, site: str) -> bool:
    with stage.client() as client:
        return any(one.id == site and one.live for one in client.panorama().sites)


def _run(stage: Stage, narrator: Narrator, wish: Wish) -> WorkflowView:
    file = stage.home / "workflow.yaml"  # JSON is YAML too
    file.write_text(json.dumps(workflow(stage.at, wish.pace_s), indent=1))
    narrator.command(["workflow", "run", "workflow.yaml"])
    begun = stage.grid.operate("workflow", "run", str(file), "--files", str(WORK), "--idempotency-key", "demo")
    seen, waiting = Seen(), [kind(stage) for kind in BLOWS if kind.fits(stage)]
    deadline_s = time.monotonic() + LIMIT_S
    while True:
        view = _look(stage, str(begun["workflow_id"]))
        if view is not None:
            _tell(view, seen, narrator)
            if view.state is not WorkflowState.RUNNING:
                break
            waiting = _strike(view, waiting, narrator)
        if time.monotonic() > deadline_s:
            raise DemoError("workflow")
        time.sleep(LOOK_S)
    if view.state is not WorkflowState.SUCCEEDED:
        _why(stage, view, wish)
    for blow in waiting:
        narrator.say("not_struck", "yellow", what=blow.name)
    stage.spared = len(waiting)
    return view


def _why(stage: Stage, view: WorkflowView, wish: Wish) -> None:
    """What the brain has to say of a step that did not succeed. Raises DemoError."""
    bad = next(one for one in view.steps if one.phase not in (Phase.SUCCEEDED, Phase.CANCELLED))
    if not wish.as_json and bad.task_id is not None:
        stage.grid.operate("explain", bad.task_id, out=sys.stdout.buffer)
    raise DemoError(f"{bad.name}: {bad.phase.value}")


def _look(stage: Stage, workflow_id: str) -> WorkflowView | None:
    """None while nobody answers."""
    try:
        with stage.client() as client:
            return client.workflow(workflow_id)
    except (UnreachableError, NetworkError):
        return None


def _tell(view: WorkflowView, seen: Seen, narrator: Narrator) -> None:
    for step in view.steps:
        if seen.phases.get(step.name) is not step.phase:
            seen.phases[step.name] = step.phase
            narrator.moved(step.name, step.phase, step.site)


def _strike(view: WorkflowView, waiting: list[Blow], narrator: Narrator) -> list[Blow]:
    """At most one blow at a time, each in its step; what has not been struck yet is given back."""
    running = {step.name for step in view.steps if step.phase is Phase.RUNNING}
    for blow in waiting:
        if running.intersection(blow.steps) and blow.strike(narrator):
            blow.mend(narrator)
            return [one for one in waiting if one is not blow]
    return waiting


def _check(stage: Stage, done: WorkflowView, narrator: Narrator) -> list[Check]:
    slurm = next((one for one in stage.places if isinstance(one, SlurmPlace)), None)
    with stage.client() as client:
        told = told_of(client, done)
        narrator.attempts(told)
        jobs = slurm.jobs() if slurm is not None else []
        found = list(checks(client, done, jobs, stage.home / "results"))
    narrator.checks(found)
    return found


def _bill(
    stage: Stage, stack: ExitStack, narrator: Narrator, wish: Wish, done: WorkflowView, found: list[Check]
) -> int:
    """The bill as people see it, by site, and the log's own chain when its brain has ended."""
    narrator.chapter("bill")
    narrator.command(["bill"])
    with stage.client() as client:
        bill = client.bill()
        totals = _by_site(told_of(client, done))
    if not wish.as_json:
        stage.grid.operate("bill", out=sys.stdout.buffer)
    narrator.sites(totals, bill.total_micro_yuan)
    stage.grid.brain.stop()
    narrator.command(["store", "verify"])
    stage.grid.operate("store", "verify", "--home", str(stage.grid.home))
    found.append(Check("log", True, {}))
    sums = Check("sites", sum(totals.values()) == bill.total_micro_yuan, {})
    found.append(sums)
    narrator.checks(found[-2:])
    good = all(one.good for one in found) and stage.spared == 0
    if wish.as_json:
        steps = {one.name: {"site": one.site, "state": one.state.value} for one in done.steps}
        told = {
            "exit": 0 if good else 1,
            "steps": steps,
            "killed": stage.killed,
            "checks": {one.key: one.good for one in found},
            "bill": {"total_micro_yuan": bill.total_micro_yuan, "sites": totals},
        }
        print(json.dumps(told))
    return 0 if good else 1


def _by_site(told: Mapping[str, Explain]) -> dict[str, int]:
    """What each site is owed for: a charge is of an attempt, and an attempt of a site."""
    totals: dict[str, int] = {}
    for one in told.values():
        where = {attempt.attempt_id: attempt.site for attempt in one.attempts}
        for charge in one.charges:
            site = where[charge.attempt_id]
            totals[site] = totals.get(site, 0) + charge.line.amount_micro_yuan
    return totals


def _tails(home: Path) -> dict[str, list[str]]:
    """The last lines of each process, but for those with a key in them."""
    logs = {one.stem: one.read_text(errors="replace").splitlines() for one in sorted(home.glob("*.log"))}
    return {name: [line for line in lines if "sw_" not in line][-TAIL:] for name, lines in logs.items()}

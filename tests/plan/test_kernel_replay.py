"""A log holds the guidance before its first use; a replay uses the logged one and solves nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.planning.worlds import make_world
from kernel_worlds import small_classes, small_fabric, small_guidance, small_tasks

from suanwang.guide import Optimiser
from suanwang.plan.kernel import Reason, State, decide, release
from suanwang.plan.kernel.replay import NotInLogError, expected_block, guidance_block, replay, rows_block
from suanwang.plan.kernel.scores import expected_of
from suanwang.plan.kernel.types import take
from suanwang.store.decisions import Block, DecisionLog, GuidanceNotLoggedError, read_blocks

WORLD = {"sites": 12, "servers": 120, "classes": 30}


def guided_day(folder: Path) -> str:
    """A day with guidance made twice by HiGHS, with releases, and nodes by least loss from the middle on; its digest."""
    world = make_world(5, **WORLD)
    draw = np.random.default_rng(5)
    state, optimiser = State(world.fabric, world.classes), Optimiser(world.fabric, world.classes)
    with DecisionLog(folder, file_bytes=40_000) as log:
        for batch in range(5):
            if batch in (1, 3):
                free = state.arrays.free
                guidance = optimiser.advise(free.pool, free.shared, np.full(len(world.classes.cpu), 30))
                log.append("guidance", guidance_block(guidance))
                state.guide(guidance)
            if batch == 2:
                expected = expected_of(world.fabric, world.classes, np.full(len(world.classes.cpu), 3))
                log.append("expected", expected_block(expected))
                state.mind(expected)
            if batch == 4:
                log.append("expected", expected_block(None))
                state.mind(None)
            rows = decide(state, small_tasks(draw, world.classes, 200, first=1_000 * batch))
            log.append("rows", rows_block(state, rows))
            back = release(state, take(rows, (rows.reason <= Reason.MEMBER) & (rows.task % 3 == 0)))
            log.append("rows", rows_block(state, back))
        state.guide(None)
        log.append("rows", rows_block(state, decide(state, small_tasks(draw, world.classes, 9, first=9_000))))
    return state.digest()


REPLAY = """
import sys
sys.modules["highspy"] = None  # importing it raises
from pathlib import Path
from bench.planning.worlds import make_world
from suanwang.plan.kernel import State
from suanwang.plan.kernel.replay import replay
from suanwang.store.decisions import read_blocks
world = make_world(5, sites=12, servers=120, classes=30)
state = State(world.fabric, world.classes)
assert replay(state, read_blocks(Path(sys.argv[1]))) == 15
try:
    import suanwang.guide
except ImportError:
    print(state.digest())
"""


def test_a_replay_needs_no_solver(tmp_path: Path) -> None:
    digest = guided_day(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, str(tmp_path)], cwd=Path(__file__).parents[2], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == digest


def test_stopped_anywhere_the_replay_follows_what_the_rows_followed(tmp_path: Path) -> None:
    """Quotas left included: whatever block the log ends with."""
    guided_day(tmp_path)
    world = make_world(5, **WORLD)
    blocks = list(read_blocks(tmp_path))
    whole = State(world.fabric, world.classes)
    for number in range(1, len(blocks) + 1):
        part = State(world.fabric, world.classes)
        replay(part, blocks[:number])
        if blocks[number - 1].kind == "rows":
            version = int(blocks[number - 1].columns["guidance"][0])
            assert (part.guidance.version if part.guidance else -1) == version
    replay(whole, blocks)
    assert part.digest() == whole.digest()
    assert {1, 2, -1} == {int(one.columns["guidance"][0]) for one in blocks if one.kind == "rows"}


def test_rows_are_not_taken_before_their_guidance(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    fabric = small_fabric(draw)
    classes = small_classes(draw, fabric)
    state = State(fabric, classes)
    guidance = small_guidance(draw, classes)
    state.guide(guidance)
    block = rows_block(state, decide(state, small_tasks(draw, classes, 5)))
    with DecisionLog(tmp_path) as log:
        with pytest.raises(GuidanceNotLoggedError, match="follow guidance 7, and the latest in the log is -1"):
            log.append("rows", block)
        assert list(read_blocks(tmp_path)) == []
        log.append("guidance", guidance_block(guidance))
        log.append("rows", block)
        with pytest.raises(GuidanceNotLoggedError, match="does not come after 7"):
            log.append("guidance", guidance_block(guidance))
    with DecisionLog(tmp_path) as again:  # what the log holds it knows when it is opened
        again.append("rows", block)
        again.append("guidance", guidance_block(guidance._replace(version=8)))
        with pytest.raises(GuidanceNotLoggedError, match="latest in the log is 8"):
            again.append("rows", block)


def test_a_replay_does_not_guess(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    fabric = small_fabric(draw)
    classes = small_classes(draw, fabric)
    state = State(fabric, classes)
    state.guide(small_guidance(draw, classes))
    rows = rows_block(state, decide(state, small_tasks(draw, classes, 5)))
    with pytest.raises(NotInLogError, match="guidance 7"):
        replay(State(fabric, classes), [Block(0, "rows", rows)])

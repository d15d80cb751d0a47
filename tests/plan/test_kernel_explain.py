"""Reasons of a batch, worked out from the state before it and its rows, against a search in plain Python."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explain_reference import Brute, wish_of
from ground_worlds import World, ground_world
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_reference import Reference, Row, as_rows
from kernel_worlds import small_guidance, small_tasks

from suanwang.model.reason import PoolReason, RefusalReason, WaitReason
from suanwang.plan.kernel import Decisions, Guidance, Reason, State, apply, decide, release
from suanwang.plan.kernel.explain import WAITS, Explainer, Explanation
from suanwang.plan.kernel.types import take
from suanwang.store.decisions import DecisionLog, read_blocks

NAMES = ("kinds", "models", "abilities", "regions", "functions")
FIGURES = ("cpu", "mem", "mbps", "nodes", "level", "latency_bound_us")


class Story:
    """A batch on a world in use: the state before it, its rows, and the books just before one of them."""

    def __init__(self, seed: int, guided: bool = False) -> None:
        draw, self.world = ground_world(seed)
        self.guidance: Guidance | None = small_guidance(draw, self.world.classes) if guided else None
        state = State(self.world.fabric, self.world.classes)
        state.guide(self.guidance)
        reference = Reference(self.world.fabric, self.world.classes, guidance=self.guidance)
        first = decide(state, small_tasks(draw, self.world.classes, 60))
        gone = take(first, (first.reason <= Reason.MEMBER) & (first.task % 3 == 0))
        back = release(state, gone) if len(gone.task) else gone
        self.before = state.snapshot()
        self.rows = decide(state, small_tasks(draw, self.world.classes, 50, first=100))
        self.at = int(draw.integers(len(self.rows.task)))
        while self.rows.reason[self.at] == Reason.MEMBER:
            self.at -= 1
        self.one = int(self.rows.task_class[self.at])
        _follow(reference, first, 1)
        _follow(reference, back, -1)
        _follow(reference, take(self.rows, slice(0, self.at)), 1)
        self.brute = Brute(self.world, reference, self.one)
        explainer = Explainer(self.world.fabric, self.world.classes, self.world.ground, self.world.asks)
        self.said = explainer.explain(self.before, self.rows, self.at)


def _follow(reference: Reference, rows: Decisions, sign: int) -> None:
    """Move each task of the rows."""
    tasks: list[list[Row]] = []
    for row in as_rows(rows):
        if row[-1] in (Reason.PLACED, Reason.RELEASED):
            tasks.append([row])
        elif row[-1] in (Reason.MEMBER, Reason.RELEASED_MEMBER):
            tasks[-1].append(row)
    for task in tasks:
        reference.move(task, sign)
        candidate = task[0][2]
        if sign > 0 and reference.quota and reference.quota[candidate] > 0:
            reference.quota[candidate] -= 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), guided=st.booleans())
def test_every_pool_has_the_clause_that_binds(seed: int, guided: bool) -> None:
    story = Story(seed, guided)
    wish = wish_of(story.world, story.one)
    chosen = int(story.rows.candidate[story.at])
    pool = int(story.world.classes.cand_pool[chosen]) if chosen >= 0 else -1
    wanted = [story.brute.binding(wish, one) or PoolReason.WORSE for one in range(len(story.world.fabric.pool_site))]
    assert story.said.chosen == pool
    said = list(story.said.binding)
    if pool >= 0:
        assert said[pool] is None
        assert wanted[pool] == PoolReason.WORSE, "what was chosen passes every clause"
        said[pool] = PoolReason.WORSE
    elif not story.guidance:
        assert PoolReason.WORSE not in wanted, "what was refused fits nowhere"
    assert said == wanted
    assert sum(story.said.clauses.values()) == len(wanted) - (pool >= 0)
    assert story.said.reason == WAITS[Reason(int(story.rows.reason[story.at]))]


def refused(guided: bool) -> list[Story]:
    return [one for one in (Story(seed, guided) for seed in range(150)) if one.said.chosen < 0]


def test_every_change_admits_the_task_and_is_the_smallest() -> None:
    seen: set[str] = set()
    for story in refused(guided=False):
        wish, brute = wish_of(story.world, story.one), story.brute
        said = {change.figure: change for change in story.said.changes}
        assert not brute.admits(wish)
        for figure in (*FIGURES, "milli" if 0 < wish.milli < 1000 else "cards"):
            found = brute.best_change(wish, figure)
            if figure == "level" and found:
                # the nearest level: all that take it have it
                assert (said[figure].needed, said[figure].pool) == found
            elif found:
                assert said[figure].needed == found[0], figure
                changed = replace(wish, **{figure: found[0]})
                changed = replace(changed, milli=1000 * found[0]) if figure == "cards" else changed
                assert said[figure].pool in brute.admits(changed)
            else:
                assert figure not in said
        for figure in NAMES:
            if figure in said:
                assert said[figure].pool in brute.named_change(wish, figure, said[figure].needed)
            else:
                if figure == "abilities":
                    subsets = [one for one in range(8) if one & wish.abilities == one]
                    assert not any(brute.named_change(wish, figure, one) for one in subsets)
                    continue
                codes = [0] if figure == "functions" else range(8)
                assert not wish.functions or figure != "functions" or not brute.named_change(wish, figure, 0)
                assert figure == "functions" or not any(brute.named_change(wish, figure, code) for code in codes)
        floats = [figure for figure in said if figure.startswith("floating")]
        for figure in floats:
            use = int(figure.split(":")[1])
            less = tuple((one, said[figure].needed if one == use else amount) for one, amount in wish.floating)
            assert said[figure].pool in brute.admits(replace(wish, floating=less))
        sizes = [change.millionths for change in story.said.changes]
        assert sizes == sorted(sizes)
        seen |= {figure.split(":")[0] for figure in said}
    assert seen >= {"cpu", "mbps", "nodes", "latency_bound_us", "kinds", "regions", "level", "functions", "models"}, (
        seen
    )


def test_what_is_too_dear_says_what_it_would_cost() -> None:
    priced = 0
    for story in refused(guided=True):
        wish, brute = wish_of(story.world, story.one), story.brute
        said = [change for change in story.said.changes if change.figure == "reject_cost"]
        found = brute.best_change(wish, "reject_cost")
        if PoolReason.WORSE in story.said.clauses:
            continue  # an earlier quota passed it by: see the rows before
        assert [change.needed for change in said] == ([found[0]] if found else [])
        priced += len(said)
    assert priced > 0


def test_it_comes_from_the_log_alone(tmp_path: Path) -> None:
    """Blocks of the log before the batch, replayed; nothing of the state that decided is used."""
    story = Story(4)
    state = State(story.world.fabric, story.world.classes)
    draw, _ = ground_world(4)
    with DecisionLog(tmp_path) as log:
        for number in range(2):
            rows = decide(state, small_tasks(draw, story.world.classes, 60, first=100 * number))
            log.append("rows", rows._asdict())
    blocks = [Decisions(**block.columns) for block in read_blocks(tmp_path)]
    before = State(story.world.fabric, story.world.classes)
    apply(before, blocks[0])
    explainer = Explainer(story.world.fabric, story.world.classes, story.world.ground, story.world.asks)
    again = State(story.world.fabric, story.world.classes)
    draw, _ = ground_world(4)
    decide(again, small_tasks(draw, story.world.classes, 60))
    for at in range(0, len(blocks[1].task), 7):
        assert explainer.explain(before, blocks[1], at) == explainer.explain(again, rows, at)


def test_a_member_is_its_gang_and_a_release_is_no_question() -> None:
    for seed in range(60):
        story = Story(seed)
        members = np.flatnonzero(story.rows.reason == Reason.MEMBER)
        if len(members):
            break
    explainer = Explainer(story.world.fabric, story.world.classes, story.world.ground, story.world.asks)
    at = int(members[0])
    said: Explanation = explainer.explain(story.before, story.rows, at)
    assert said == explainer.explain(story.before, story.rows, at - 1)
    state = story.before.snapshot()
    apply(state, story.rows)
    back = release(state, take(story.rows, story.rows.task == story.rows.task[at]))
    with pytest.raises(ValueError, match="gives something back"):
        explainer.explain(story.before, back, 0)


def test_every_word_of_a_row_has_its_reason() -> None:
    assert set(WAITS) == set(Reason)
    assert {one for one in WAITS.values() if one} <= {*WaitReason, *RefusalReason}


def test_a_candidate_that_is_missing_has_no_price() -> None:
    _, world = ground_world(1)
    classes = world.classes
    none = classes._replace(
        cand_first=np.zeros_like(classes.cand_first), cand_pool=classes.cand_pool[:0], cand_route=classes.cand_route[:0],
        cand_cost=classes.cand_cost[:0],
    )  # fmt: skip
    bare = World(world.fabric, none, world.ground, world.asks)
    one = int(np.flatnonzero(np.diff(classes.cand_first))[0])
    state = State(bare.fabric, none)
    rows = decide(state, small_tasks(np.random.default_rng(0), none, 60))
    at = int(np.flatnonzero(rows.task_class == one)[0])
    said = Explainer(*bare).explain(State(bare.fabric, none), rows, at)
    assert said.reason is RefusalReason.NO_POOL
    static = {PoolReason.NODE_SHAPE, PoolReason.POOL_SIZE}
    for pool in set(classes.cand_pool[classes.cand_first[one] : classes.cand_first[one + 1]].tolist()):
        assert said.binding[pool] in {PoolReason.PRICE_MISSING} | static

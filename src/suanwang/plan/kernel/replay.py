"""Blocks of a log: what to write of a batch, of a guidance and of what is expected; and a state made again from them.

A replay decides nothing and solves nothing. Rows are applied as they stand, and the guidance that they followed is the
one that was written before them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.decide import apply
from suanwang.plan.kernel.fragmentation_types import Expected
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import DTYPES, WHOLE, Decisions, Guidance

NONE = -1
Columns = dict[str, NDArray[Any]]


class Block(Protocol):
    """As `store.decisions.Block`."""

    @property
    def kind(self) -> str: ...

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]: ...


class NotInLogError(ValueError):
    """Rows follow a guidance that no block before them holds."""


def rows_block(state: State, rows: Decisions) -> Columns:
    """Columns of a block `rows`, with the guidance that the state follows."""
    version = NONE if state.guidance is None else state.guidance.version
    return {**rows._asdict(), "guidance": np.array([version], np.int64)}


def guidance_block(guidance: Guidance) -> Columns:
    """Columns of a block `guidance`: to be on disk before the state follows it."""
    return {**guidance._asdict(), "version": np.array([guidance.version], np.int64)}


def expected_block(expected: Expected | None) -> Columns:
    """Columns of a block `expected`: nodes are chosen by it from here on; no columns: by bits."""
    return {} if expected is None else {name: np.ravel(part) for name, part in expected._asdict().items()}


def _expected(columns: Mapping[str, NDArray[Any]]) -> Expected | None:
    if not columns:
        return None
    parts = {name: np.array(columns[name]) for name in Expected._fields}
    parts["pieces"] = parts["pieces"].reshape(-1, WHOLE + 1)
    return Expected(**parts)


def replay(state: State, blocks: Iterable[Block]) -> int:
    """Bring a state to where the log ends; returns how many blocks there were.

    Raises NotInLogError, and what `apply` raises for rows that do not belong to the state.
    """
    latest: Guidance | None = None
    count = 0
    for block in blocks:
        columns = block.columns
        if block.kind == "guidance":
            version = int(columns["version"][0])
            latest = Guidance(version, *(np.array(columns[name]) for name in Guidance._fields[1:]))
        elif block.kind == "expected":
            state.mind(_expected(columns))
        elif block.kind == "rows":
            _follow(state, int(columns["guidance"][0]) if "guidance" in columns else NONE, latest)
            apply(state, Decisions(**{name: columns[name] for name in DTYPES}))
        count += 1
    return count


def _follow(state: State, version: int, latest: Guidance | None) -> None:
    """Follow what the rows followed; quotas begin anew only where it changes."""
    if version == (NONE if state.guidance is None else state.guidance.version):
        return
    if version != NONE and (latest is None or latest.version != version):
        raise NotInLogError(
            f"rows follow guidance {version}, and the log holds {latest and latest.version} before them"
        )
    state.guide(None if version == NONE else latest)

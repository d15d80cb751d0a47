"""What a lab leaves on disk while it lives: a lock, the topology it was made of, and the state of its links.

All of it is below /run, like the namespaces themselves, so that a restart of the machine forgets both.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from suanwang.lab.functions.chain import Chained
from suanwang.lab.layout import ROOT, Layout, make_layout
from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.grid import ProtectionFunction
from suanwang.net.topology import Topology, make_topology

LOCK_TRIES: Final = 200
LOCK_PAUSE_S: Final = 0.05
# The columns of a topology that a lab is made of; the rest follows from them.
COLUMNS: Final = ("source", "target", "weight", "capacity_bps", "latency_us")


@dataclass(frozen=True)
class Stored:
    """A topology as JSON holds it."""

    name: str
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(topology: Topology) -> "Stored":
        columns = tuple(tuple(getattr(topology, name).tolist()) for name in COLUMNS)
        return Stored(topology.name, topology.nodes, topology.links, columns)

    @staticmethod
    def read(found: dict[str, Any]) -> "Stored":
        columns = tuple(map(tuple, found["columns"]))
        return Stored(found["name"], tuple(found["nodes"]), tuple(found["links"]), columns)

    def topology(self) -> Topology:
        columns = (np.array(column, np.int64) for column in self.columns)
        return make_topology(self.name, self.nodes, self.links, *columns)


@dataclass(frozen=True)
class State:
    """`up` is false from the first thing made to the last; a lab that is found so has crashed."""

    name: str
    stored: Stored
    top_rate_bps: int
    ef_percent: int
    access_mtu: int
    netem: bool = False  # whether the kernel has it; the relay is used in either case
    up: bool = False
    down_links: tuple[int, ...] = ()
    functions: tuple[Chained, ...] = ()
    routes: bool = True  # whether the plain underlay is installed, and follows fail-link and heal

    def layout(self) -> Layout:
        return make_layout(
            self.stored.topology(),
            self.name,
            top_rate_bps=self.top_rate_bps,
            ef_percent=self.ef_percent,
            access_mtu=self.access_mtu,
        )


def folder(name: str) -> Path:
    return ROOT / name


def write(state: State) -> None:
    """In place at once or not at all."""
    path = folder(state.name) / "state.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(state)), "utf-8")
    os.replace(draft, path)


def read(name: str) -> State | None:
    """None where there is none, or a crash left one that cannot be read."""
    try:
        found = json.loads((folder(name) / "state.json").read_text("utf-8"))
        functions = tuple(Chained(**row | {"kind": ProtectionFunction(row["kind"])}) for row in found["functions"])
        parts = {"stored": Stored.read(found["stored"]), "functions": functions}
        return State(**found | parts | {"down_links": tuple(found["down_links"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def require(name: str) -> State:
    """The state of a lab that is up. Raises NotFoundError, or ConflictError where a crash left half of one."""
    state = read(name)
    if state is None:
        raise NotFoundError("lab_not_up", name=name)
    if not state.up:
        raise ConflictError("lab_half", name=name)
    return state


@contextmanager
def locked(name: str, sleep: Callable[[float], None]) -> Iterator[int]:
    """The lab's lock, as a file that helpers inherit: it is free again only when the last `ip` of a killed command
    has ended, so that whoever cleans up after it sees all that it made."""
    ROOT.mkdir(parents=True, exist_ok=True)
    path = ROOT / f"{name}.lock"
    for _ in range(LOCK_TRIES):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(file).st_ino == path.stat().st_ino:
                break
        except BlockingIOError:
            sleep(LOCK_PAUSE_S)
        os.close(file)
    else:
        raise ConflictError("lab_busy", name=name)
    try:
        yield file
    finally:
        if not folder(name).exists():
            path.unlink(missing_ok=True)
        os.close(file)
        with suppress(OSError):
            ROOT.rmdir()  # the last lab's end

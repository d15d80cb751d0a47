"""Topologies and demand matrices in the text form of REPETITA (Gay, Schaus, Vissicchio, arXiv:1710.08665).

A graph is `NODES n`, a header, `label x y` a line; an empty line; `EDGES m`, a header, `label src dest weight bw
delay` a line (directed; bw in kbit/s, delay in us). Demands are `DEMANDS q`, a header, `label src dest bw` a line.
Every fault of a text is reported with its line, up to FAULTS_MAX. A link from a node to itself is kept, since some of
the public files have one; no shortest path ever takes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from suanwang.model.error import Fault, FaultsError
from suanwang.net.topology.demands import Demands
from suanwang.net.topology.topology import IGP_WEIGHT_MAX, NODES_MAX, Topology, make_topology

BPS_PER_KBPS: Final = 1_000
LINKS_MAX: Final = 100_000
DEMANDS_MAX: Final = 4_000_000
FAULTS_MAX: Final = 20
NUMBER_MAX: Final = 10**12


@dataclass
class _Reader:
    """Reads sections and collects faults."""

    lines: Sequence[str]
    source: str
    at: int = 0
    faults: list[Fault] = field(default_factory=list)

    def fault(self, code: str, where: str, got: str, **params: object) -> None:
        self.faults.append(Fault(code, where, got[:120], self.at, dict(params)))
        if len(self.faults) >= FAULTS_MAX:
            self.stop()

    def stop(self) -> None:
        if self.faults:
            raise FaultsError(self.faults, self.source)

    def next(self) -> str:
        """The next line that is not empty; an empty text at the end."""
        while self.at < len(self.lines):
            self.at += 1
            text = self.lines[self.at - 1].strip()
            if text:
                return text
        return ""

    def section(self, word: str, columns: int, most: int) -> list[list[str]]:
        """The rows after `WORD count` and a header."""
        head = self.next().split()
        count = _whole(head[1]) if len(head) == 2 and head[0] == word else None
        if count is None:
            self.fault("repetita_section", "", " ".join(head), form=f"{word} 12")
            self.stop()
        assert count is not None
        if count > most:
            self.fault("repetita_too_many", word, str(count), limit=most)
            self.stop()
        self.next()
        rows: list[list[str]] = []
        for _ in range(count):
            row = self.next().split()
            if not row:
                self.fault("repetita_ends_early", word, str(len(rows)), wanted=count)
                self.stop()
            if len(row) != columns:
                self.fault("repetita_columns", word, " ".join(row), wanted=columns)
                row = []
            rows.append([*row, str(self.at)])
        return rows

    def number(self, row: list[str], column: int, name: str, least: int, most: int) -> int:
        value = _whole(row[column])
        if value is None or not least <= value <= most:
            self.at = int(row[-1])
            self.fault("repetita_number", name, row[column], least=least, most=most)
            return least
        return value


def _whole(text: str) -> int | None:
    """A whole number; `12.0` is one too, since some files write floats."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value == value // 1 and abs(value) < 2**53 else None


def read_graph(text: str, name: str, source: str = "graph") -> Topology:
    """The topology of a `.graph` text. Raises FaultsError with every fault."""
    reader = _Reader(text.splitlines(), source)
    nodes = reader.section("NODES", 3, NODES_MAX)
    links = reader.section("EDGES", 6, LINKS_MAX)
    reader.stop()
    places = [(_real(reader, row, 1, 180.0), _real(reader, row, 2, 90.0)) for row in nodes]
    table = np.zeros((5, len(links)), np.int64)
    last = max(0, len(nodes) - 1)
    for at, row in enumerate(links):
        table[0, at] = reader.number(row, 1, "src", 0, last)
        table[1, at] = reader.number(row, 2, "dest", 0, last)
        table[2, at] = reader.number(row, 3, "weight", 1, IGP_WEIGHT_MAX)
        table[3, at] = reader.number(row, 4, "bw", 1, NUMBER_MAX) * BPS_PER_KBPS
        table[4, at] = reader.number(row, 5, "delay", 0, NUMBER_MAX)
    reader.stop()
    return make_topology(
        name,
        [row[0] for row in nodes],
        [row[0] for row in links],
        table[0],
        table[1],
        table[2],
        table[3],
        table[4],
        longitude=np.array([x for x, _ in places], np.float64),
        latitude=np.array([y for _, y in places], np.float64),
    )


def _real(reader: _Reader, row: list[str], column: int, most: float) -> float:
    """A coordinate; one that is none, or off the globe, is 0: it only draws the node somewhere."""
    try:
        value = float(row[column])
    except ValueError:
        return 0.0
    return value if abs(value) <= most else 0.0


def read_demands(text: str, topology: Topology, source: str = "demands") -> Demands:
    """The demands of a `.demands` text over a topology's nodes. Raises FaultsError with every fault."""
    reader = _Reader(text.splitlines(), source)
    rows = reader.section("DEMANDS", 4, DEMANDS_MAX)
    reader.stop()
    table = np.zeros((3, len(rows)), np.int64)
    last = max(0, topology.n - 1)
    for at, row in enumerate(rows):
        table[0, at] = reader.number(row, 1, "src", 0, last)
        table[1, at] = reader.number(row, 2, "dest", 0, last)
        table[2, at] = reader.number(row, 3, "bw", 0, NUMBER_MAX) * BPS_PER_KBPS
    reader.stop()
    return Demands(tuple(row[0] for row in rows), table[0], table[1], table[2])


def write_graph(topology: Topology) -> str:
    """The `.graph` text; capacities are rounded down to whole kbit/s."""
    nodes = zip(topology.nodes, topology.longitude.tolist(), topology.latitude.tolist(), strict=True)
    columns = (topology.source, topology.target, topology.weight, topology.capacity_bps // BPS_PER_KBPS)
    links = zip(topology.links, *(one.tolist() for one in (*columns, topology.latency_us)), strict=True)
    head = [f"NODES {topology.n}", "label x y", *(" ".join(map(_word, row)) for row in nodes)]
    tail = [f"EDGES {topology.m}", "label src dest weight bw delay", *(" ".join(map(_word, row)) for row in links)]
    return "\n".join([*head, "", *tail, ""])


def write_demands(demands: Demands) -> str:
    """The `.demands` text; traffic is rounded down to whole kbit/s."""
    columns = (demands.source, demands.target, demands.bps // BPS_PER_KBPS)
    rows = zip(demands.labels, *(one.tolist() for one in columns), strict=True)
    return "\n".join([f"DEMANDS {demands.q}", "label src dest bw", *(" ".join(map(_word, row)) for row in rows), ""])


def _word(value: object) -> str:
    """One column: spaces would make two."""
    return str(value).replace(" ", "_") or "_"

"""What of the demo runs."""

from dataclasses import dataclass, field
from pathlib import Path

from tools.demo_sites.places import Place
from tools.demo_sites.processes import Grid, Process

from suanwang.client import Client


@dataclass
class Stage:
    home: Path
    grid: Grid
    places: list[Place] = field(default_factory=list)
    agents: dict[str, Process] = field(default_factory=dict)  # by their sites
    at: dict[str, str] = field(default_factory=dict)  # the site of each step
    killed: list[str] = field(default_factory=list)
    spared: int = 0  # that should have been killed, and for which no moment came

    def client(self) -> Client:
        return Client(self.grid.url, self.grid.key)

"""What the demo kills while the workflow runs: a node, the NATS server, an agent, the brain."""

import os
import signal
import time
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from tools.demo_sites.places import SlurmPlace
from tools.demo_sites.processes import wait_for
from tools.demo_sites.stage import Stage
from tools.demo_sites.tell import Narrator

AWAY_S: Final = 1.5  # what was killed stays away so long, where we bring it back


class Blow(ABC):
    """`steps`: while one of these runs. A blow is struck and made good at once, and the workflow goes on meanwhile."""

    name: ClassVar[str]
    steps: ClassVar[tuple[str, ...]]

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @classmethod
    def fits(cls, stage: Stage) -> bool:
        """Whether there is such a thing here."""
        return any(step in stage.at for step in cls.steps)

    @abstractmethod
    def strike(self, narrator: Narrator) -> bool:
        """Kill; False where the moment has not come yet."""

    @abstractmethod
    def mend(self, narrator: Narrator) -> None:
        """Bring it back, or see that somebody does."""


class KillNode(Blow):
    name, steps = "slurmd", ("prepare",)

    @classmethod
    def fits(cls, stage: Stage) -> bool:
        return stage.at.get("prepare") == "slurm"

    @property
    def _slurm(self) -> SlurmPlace:
        return next(one for one in self._stage.places if isinstance(one, SlurmPlace))

    def strike(self, narrator: Narrator) -> bool:
        node = self._slurm.busy_node()
        if node is None:
            return False
        self._node = node
        self._slurm.strike(node)
        self._stage.killed.append(self.name)
        narrator.struck("kill.slurmd", node=node)
        return True

    def mend(self, narrator: Narrator) -> None:
        time.sleep(AWAY_S)
        self._slurm.mend(self._node)
        narrator.mended("back.slurmd", node=self._node)


class KillNats(Blow):
    """The brain starts it again by itself. Of an array that was shared out the parts run and not the whole: then a step later."""

    name, steps = "nats-server", ("prepare", "train")

    def strike(self, narrator: Narrator) -> bool:
        pid = self._stage.grid.nats_pid
        if pid is None:
            return False
        self._pid = pid
        os.kill(pid, signal.SIGKILL)
        self._stage.killed.append(self.name)
        narrator.struck("kill.nats", pid=pid)
        return True

    def mend(self, narrator: Narrator) -> None:
        pid = wait_for(lambda: (now := self._stage.grid.nats_pid) != self._pid and now, "nats-server")
        narrator.mended("back.nats", pid=pid)


class KillAgent(Blow):
    """Of the site that trains. The same command starts it again, without a token."""

    name, steps = "agent", ("train",)

    def strike(self, narrator: Narrator) -> bool:
        agent = self._stage.agents[self._stage.at["train"]]
        agent.kill()
        self._stage.killed.append(self.name)
        narrator.struck("kill.agent", site=self._stage.at["train"], pid=agent.pid)
        return True

    def mend(self, narrator: Narrator) -> None:
        time.sleep(AWAY_S)
        agent = self._stage.agents[self._stage.at["train"]]
        agent.start()
        narrator.mended("back.agent", site=self._stage.at["train"], pid=agent.pid)


class KillBrain(Blow):
    name, steps = "brain", ("train",)

    def strike(self, narrator: Narrator) -> bool:
        brain = self._stage.grid.brain
        brain.kill()
        self._stage.killed.append(self.name)
        narrator.struck("kill.brain", pid=brain.pid)
        return True

    def mend(self, narrator: Narrator) -> None:
        time.sleep(AWAY_S)
        self._stage.grid.brain.start()
        narrator.mended("back.brain", pid=self._stage.grid.brain.pid)


BLOWS: Final[tuple[type[Blow], ...]] = (KillNode, KillNats, KillAgent, KillBrain)

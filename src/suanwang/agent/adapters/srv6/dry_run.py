"""Routers that are only written about: each batch as the commands that it would be, and the state that it would give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from suanwang.agent.adapters.srv6.fake import FakeDriver
from suanwang.agent.adapters.srv6.frr import configuration
from suanwang.agent.adapters.srv6.lines import line, script
from suanwang.agent.adapters.srv6.port import Counters, Installed, Step
from suanwang.model.sr_program import RouterProgram


@dataclass
class DryRunDriver:
    """`show` takes each line. What was written is remembered, so that the next change shows its difference."""

    show: Callable[[str], None]
    _state: FakeDriver = field(default_factory=FakeDriver)

    def read(self, router: str) -> Installed:
        return self._state.read(router)

    def write(self, router: str, steps: Sequence[Step]) -> None:
        self._state.write(router, steps)
        self.show(f"# {router}")
        for step in steps:
            self.show(f"ip {line(step)}")

    def counters(self, router: str) -> Counters:
        return self._state.counters(router)

    def document(self, router: str) -> str:
        """All that a router has, as iproute2 commands and as a configuration of FRR."""
        program = RouterProgram(router, self.read(router).items)
        return f"{script(program)}\n{configuration(program)}"

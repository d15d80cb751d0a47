"""Instructions out, events in. See README.md."""

from suanwang.bus.port import AgentBus

__all__ = ["AgentBus"]

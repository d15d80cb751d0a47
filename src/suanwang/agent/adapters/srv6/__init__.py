"""SR policies on real routers. See README.md."""

from suanwang.agent.adapters.srv6.adapter import Applied, SrNetwork
from suanwang.agent.adapters.srv6.dry_run import DryRunDriver
from suanwang.agent.adapters.srv6.fake import FakeDriver
from suanwang.agent.adapters.srv6.linux import SYSCTLS, LinuxDriver
from suanwang.agent.adapters.srv6.port import PROTOCOL, Counters, Driver, Installed
from suanwang.agent.adapters.srv6.probe import Delay, Probe, endpoint
from suanwang.agent.adapters.srv6.telemetry import LinkUse, PolicyUse, link_use, policy_use

__all__ = [
    "PROTOCOL",
    "SYSCTLS",
    "Applied",
    "Counters",
    "Delay",
    "Driver",
    "DryRunDriver",
    "FakeDriver",
    "Installed",
    "LinkUse",
    "LinuxDriver",
    "PolicyUse",
    "Probe",
    "SrNetwork",
    "endpoint",
    "link_use",
    "policy_use",
]

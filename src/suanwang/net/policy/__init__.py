"""SR policies compiled into what each router installs. See README.md."""

from suanwang.net.policy.compiler import Compiled, Mtu, compile_policies
from suanwang.net.policy.of_flows import Policies, pin
from suanwang.net.policy.routes import route_policies
from suanwang.net.policy.underlay import Devices
from suanwang.net.policy.walk import Walker

__all__ = ["Compiled", "Devices", "Mtu", "Policies", "Walker", "compile_policies", "pin", "route_policies"]

"""What live plans want of the network, compiled for the routers of a lab's layout. Pure.

A lab that is up takes it (`lab_domain`); a dry run prints it (`dry_run`). Both are the same programs.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from suanwang.agent.network import Laid, PolicyKey
from suanwang.lab.layout import ACCESS_DEVICE, Layout
from suanwang.lab.underlay import plane_of
from suanwang.model.error import FaultsError
from suanwang.model.ids import LinkId
from suanwang.model.sr import SrPolicy
from suanwang.net.igp import Plane
from suanwang.net.policy import Compiled, Devices, Mtu, compile_policies

Services = Mapping[str, tuple[str, int]]


def lay(
    layout: Layout,
    policies: Iterable[SrPolicy],
    steers: Mapping[PolicyKey, Sequence[str]],
    down: Iterable[LinkId],
    services: Services,
) -> Laid:
    """Policies that have a fault are left out, and the rest is compiled. `services` is security pool -> (site, number of
    the function)."""
    left = [one.model_copy(update={"steers": tuple(steers.get(one.key, ()))}) for one in policies]
    faults: list[str] = []
    places = {link.id: link.at for link in layout.links}
    plane = plane_of(layout, frozenset(places[one] for one in down if one in places))
    while True:
        try:
            made = _compile(layout, left, plane, services)
            return Laid(made.programs, made.placed, tuple(faults))
        except FaultsError as error:
            bad = {int(one.where.partition("[")[2].partition("]")[0]) for one in error.faults}
            faults += [f"{one.code} {one.where}: {one.got}" for one in error.faults]
            left = [one for at, one in enumerate(left) if at not in bad]


def _compile(layout: Layout, policies: Sequence[SrPolicy], plane: Plane, services: Services) -> Compiled:
    mtu = Mtu(layout.access_mtu, np.full(layout.topology.m, layout.core_mtu, np.int64))
    devices = Devices(layout.device, ACCESS_DEVICE)
    return compile_policies(layout.addressing, plane, policies, mtu, devices, services=services, underlay=False)

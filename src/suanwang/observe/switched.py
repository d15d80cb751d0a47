"""Folds of what the grid is, and of the sites, links and security pools that are switched off and on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suanwang.model.ids import LinkId
from suanwang.model.record import GridAdopted, LinkChanged, SecurityPoolChanged, SiteChanged, SiteOrdered
from suanwang.model.snapshot import SiteOrder, SiteState

if TYPE_CHECKING:
    from suanwang.observe.state import State


def _grid(state: "State", record: GridAdopted) -> None:
    state.version += 1
    state.grid_digest = record.digest


def _site(state: "State", record: SiteChanged) -> None:
    state.version += 1
    state.sites[record.site] = SiteState(record.live, record.emulated)
    if record.agent is not None:
        state.agent_of[record.site] = record.agent
    if record.cause == "operator_failed":
        state.operator_down.add(record.site)
    if record.cause == "operator_healed":
        state.operator_down.discard(record.site)


def _ordered(state: "State", record: SiteOrdered) -> None:
    state.version += 1
    if record.order is SiteOrder.OPEN:
        state.closed.pop(record.site, None)
    else:
        state.closed[record.site] = record.order


def _link(state: "State", record: LinkChanged) -> None:
    state.version += 1
    link = LinkId(record.link)
    if record.up:
        state.links_down -= {link}
        state.links_out.pop(link, None)
    else:
        state.links_down |= {link}
        state.links_out[link] = record


def _security_pool(state: "State", record: SecurityPoolChanged) -> None:
    state.version += 1
    pool = record.security_pool
    if record.up:
        state.security_down -= {pool}
        state.security_out.pop(pool, None)
    else:
        state.security_down |= {pool}
        state.security_out[pool] = record


SWITCHES: dict[type, Callable[["State", Any], None]] = {
    GridAdopted: _grid,
    SiteChanged: _site,
    SiteOrdered: _ordered,
    LinkChanged: _link,
    SecurityPoolChanged: _security_pool,
}

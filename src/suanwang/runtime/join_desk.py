"""Where sites ask to join, and an operator lets them in.

A token of the role joiner stands for one request, within a day. What the agent claims is a proposal; what becomes part of the
grid is what an operator has seen and approved, checked as a grid file is.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from blake3 import blake3

from suanwang.flow import Road
from suanwang.grids import check_grid
from suanwang.grids.geometry import fibre_km, great_circle_km, light_floor_us
from suanwang.intent.document import parse
from suanwang.intent.read import validate
from suanwang.model.error import ConflictError, Fault, FaultsError, NotAllowedError, NotFoundError
from suanwang.model.grid import Grid, LinkKind, Site, Tier
from suanwang.model.ids import JoinId, TenantId
from suanwang.model.joining import (
    FoundPool,
    JoinAsk,
    Joining,
    JoinState,
    JoinTerms,
    JoinView,
    book_of,
    grown,
    prices_at,
)
from suanwang.model.principal import Principal, Role
from suanwang.model.record import GridAdopted, KeyIssued, SiteAsked, SiteJoined, SiteRefused
from suanwang.model.snapshot import GridIndex
from suanwang.observe.state import State
from suanwang.runtime.agent_names import LOCAL, foreign_site
from suanwang.runtime.ids import RealIds
from suanwang.runtime.rerun import OWN
from suanwang.runtime.switches import operators_only

TOKEN_US: Final = 24 * 3_600 * 1_000_000
LEVEL_MAX: Final = 2  # of a site's own claim; an operator who has looked may give more
# Assumed where nobody said: a share of a server's power for each core, and a card under load.
POWER_W_PER_CORE: Final = 8
POWER_W_PER_CARD: Final = 300
# Above these a claim is no measurement. Two multiply-adds of 512 bits a cycle at 4 GHz are 128,000 MFLOP/s in double
# precision; a core of a cloud machine did 1,000 operations of a matrix product in the time of one loop of plain Python (0165).
MFLOPS_PER_CORE_MAX: Final = 250_000
FLOP_PER_LOOP_MAX: Final = 50_000
LINK_BPS_MIN: Final = 1_000_000
LINK_BPS_UNMEASURED: Final = 100_000_000


class JoinDesk:
    """The verbs. `verb` and `look` give the road under the brain's lock; `know` tells the store of a grown grid."""

    def __init__(
        self,
        verb: Callable[[], AbstractContextManager[Road]],
        look: Callable[[], AbstractContextManager[Road]],
        clock: Callable[[], int],
        ids: RealIds,
        know: Callable[[GridIndex], None],
    ) -> None:
        self._verb, self._look, self._clock, self._ids, self._know = verb, look, clock, ids, know

    def ask(self, principal: Principal, ask: JoinAsk) -> JoinView:
        """A site asks. The same again with the same token gives the same request.

        Raises ConflictError where the token has made another request or the site's name is taken, NotAllowedError where the
        token is older than a day, FaultsError with everything in which the proposal cannot be part of the grid.
        """
        if principal.role is not Role.JOINER:
            raise NotAllowedError("role", role=principal.role.value)
        with self._look() as road:  # what goes wrong before the record is made has changed nothing, and ends no brain
            state, now_us = road.state, self._clock()
            for one in state.joins.values():
                if one.token == principal.key_id:
                    if one.view.ask == ask:
                        return one.view
                    raise ConflictError("join_token_spent", join=one.view.join_id)
            if now_us - state.keys[principal.key_id].key.at_us > TOKEN_US:
                raise NotAllowedError("join_token_old")
            waiting = {one.view.ask.site for one in state.joins.values() if one.view.state is JoinState.WAITING}
            if ask.site in state.index.sites or ask.site in waiting:
                raise ConflictError("join_site_taken", site=ask.site)
            _check_agent(state, ask)
            proposed = propose(state.index.grid, ask, JoinTerms())
            _check(state.index.grid, proposed)
            join_id = self._ids.join_id()
            record = SiteAsked(at_us=now_us, join_id=join_id, token=principal.key_id, ask=ask, proposed=proposed)
            with self._verb():
                road.emit(record)
                road.commit()
            return state.joins[join_id].view

    def requests(self, principal: Principal) -> tuple[JoinView, ...]:
        """Every request, newest first: an operator's view."""
        operators_only(principal)
        with self._look() as road:
            return tuple(one.view for one in reversed(road.state.joins.values()))

    def request(self, principal: Principal, join_id: JoinId) -> JoinView:
        """One request: for an operator, and for whoever made it."""
        with self._look() as road:
            one = road.state.joins.get(join_id)
            if one is None or (principal.role is not Role.OPERATOR and one.token != principal.key_id):
                raise NotFoundError("join_unknown", join=join_id)
            return one.view

    def approve(self, principal: Principal, join_id: JoinId, terms: JoinTerms) -> JoinView:
        """Let a site in: from here on it is part of the grid, and its agent's key is good for it.

        Raises ConflictError where the request is decided already, FaultsError where the grid would not be one.
        """
        operators_only(principal)
        with self._look() as road:
            view = self._waiting(road, join_id)
            if view.ask.site in road.state.index.sites:
                raise ConflictError("join_site_taken", site=view.ask.site)
            _check_agent(road.state, view.ask)
            joining = propose(road.state.index.grid, view.ask, terms)
            _check(road.state.index.grid, joining)
            with self._verb():
                self._let_in(road, principal, view, joining)
            return road.state.joins[join_id].view

    def _let_in(self, road: Road, principal: Principal, view: JoinView, joining: Joining) -> None:
        now_us, key_id = self._clock(), self._ids.key_id()
        site = joining.site.id
        road.emit(
            SiteJoined(at_us=now_us, join_id=view.join_id, principal=principal.key_id, key_id=key_id, joining=joining)
        )
        grid = road.state.index.grid
        text = grid.model_dump_json()
        digest = blake3(text.encode()).hexdigest()
        road.emit(GridAdopted(at_us=now_us, grid_id=grid.id, digest=digest, text=text))
        road.emit(
            KeyIssued(
                at_us=now_us,
                key_id=key_id,
                secret_blake3=view.ask.secret_blake3,
                tenant=TenantId("local"),
                role=Role.AGENT.value,
                note=f"site {site}, joined",
                sites=(site,),
                agent=view.ask.agent,
            )
        )
        self._know(road.state.index)
        road.commit()

    def refuse(self, principal: Principal, join_id: JoinId, why: str) -> JoinView:
        """Raises ConflictError where the request is decided already."""
        operators_only(principal)
        with self._verb() as road:
            self._waiting(road, join_id)
            road.emit(SiteRefused(at_us=self._clock(), join_id=join_id, principal=principal.key_id, why=why))
            road.commit()
            return road.state.joins[join_id].view

    @staticmethod
    def _waiting(road: Road, join_id: JoinId) -> JoinView:
        one = road.state.joins.get(join_id)
        if one is None:
            raise NotFoundError("join_unknown", join=join_id)
        if one.view.state is not JoinState.WAITING:
            raise ConflictError("join_decided", join=join_id, state=one.view.state.value)
        return one.view


def _check_agent(state: State, ask: JoinAsk) -> None:
    """The key will speak under the name of the agent that asks: that may be nobody else's."""
    if ask.agent == LOCAL or foreign_site(state, ask.agent, (ask.site,)) is not None:
        raise FaultsError([Fault("join_agent", "agent", ask.agent)], "request")


def _check(grid: Grid, joining: Joining) -> None:
    faults = check_grid(grown(grid, joining))
    if faults:
        raise FaultsError(faults, "request")


def propose(grid: Grid, ask: JoinAsk, terms: JoinTerms) -> Joining:
    """What would become part of the grid, checked field by field as a document from outside is.

    Raises FaultsError for a site that it is to be near and that is not there, for claims that cannot be, and for what these
    make of a pool, a price or a link that is none.
    """
    near_id = terms.near or ask.near or grid.default_origin
    near = next((one for one in grid.sites if one.id == near_id), None)
    faults = [] if near is not None else [Fault("unknown_site", "near", near_id)]
    faults += _claim_faults(ask, terms)
    if faults or near is None:
        raise FaultsError(faults, "request")
    latitude = near.latitude if ask.latitude is None else ask.latitude
    longitude = near.longitude if ask.longitude is None else ask.longitude
    site = {
        "id": ask.site,
        "names": {"en": ask.name, "zh_hant": ask.name, "zh_hans": ask.name},
        "region": ask.region or near.region,
        "city": ask.city or near.city,
        "latitude": latitude,
        "longitude": longitude,
        "tier": Tier.EDGE.value,
        "owner": terms.owner or ask.owner,
        "security_level": terms.security_level or min(ask.security_level, LEVEL_MAX),
        "energy": near.energy.model_dump(mode="json"),
        "price_book": book_of(ask.site),
        "pools": [_pool(ask, one) for one in ask.inventory.pools],
    }
    prices = {**prices_at(ask.prices, terms.price_permille), "id": book_of(ask.site)}
    made = {"site": site, "prices": prices, "links": [_link(grid, ask, (latitude, longitude), near, terms)]}
    return validate(Joining, parse(json.dumps(made), "request"))


def _claim_faults(ask: JoinAsk, terms: JoinTerms) -> list[Fault]:
    """What a site may not say of itself."""
    faults = []
    if ask.owner == OWN and terms.owner is None:
        faults.append(Fault("join_owner", "owner", ask.owner))
    measured = ask.measured
    most = FLOP_PER_LOOP_MAX * measured.core_loops_s // 1_000_000 if measured.core_loops_s else MFLOPS_PER_CORE_MAX
    most = min(most, MFLOPS_PER_CORE_MAX) * measured.cores
    if measured.matmul_fp64_mflops > most:
        got = str(measured.matmul_fp64_mflops)
        faults.append(Fault("join_claim", "measured.matmul_fp64_mflops", got, None, {"most": most}))
    return faults


def _pool(ask: JoinAsk, found: FoundPool) -> dict[str, object]:
    """Arithmetic as measured on the host of the agent, for as many cores as a node has."""
    measured = ask.measured
    mflops = measured.matmul_fp64_mflops * found.cores_per_node // measured.cores if measured.cores else 0
    gflops = mflops // 1_000
    return {
        "id": f"{ask.site}/{found.name}",
        "kind": found.kind.value,
        "nodes": found.nodes,
        "cores_per_node": found.cores_per_node,
        "memory_bytes_per_node": found.memory_bytes_per_node,
        "accelerator_model": found.accelerator_model,
        "accelerators_per_node": found.accelerators_per_node,
        "qubits_per_node": found.qubits_per_node,
        "gflops_per_node": gflops,
        "lacks": [one.value for one in found.lacks],
        "precision": "fp64" if gflops else "none",
        "power_w_per_node": found.cores_per_node * POWER_W_PER_CORE + found.accelerators_per_node * POWER_W_PER_CARD,
    }


def _link(grid: Grid, ask: JoinAsk, place: tuple[float, float], near: Site, terms: JoinTerms) -> dict[str, object]:
    """One link, to the site that it is near: as long as fibre would be, as slow as measured but no faster than light."""
    length_km = fibre_km(great_circle_km(*place, near.latitude, near.longitude), grid.route_factor_permille)
    measured_bps = min((one for one in (ask.measured.up_bps, ask.measured.down_bps) if one), default=0)
    latency_us = ask.measured.rtt_us // 2 if terms.latency_us is None else terms.latency_us
    return {
        "id": f"join-{ask.site}",
        "a": near.id,
        "b": ask.site,
        "kind": LinkKind.IP.value,
        "length_km": length_km,
        "capacity_bps": terms.capacity_bps or max(LINK_BPS_MIN, measured_bps or LINK_BPS_UNMEASURED),
        "latency_us": max(latency_us, light_floor_us(LinkKind.IP, length_km)),
    }

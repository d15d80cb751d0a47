"""Where sites ask to join, and an operator lets them in.

A token of the role joiner stands for one request, within a day. What the agent claims is a proposal; what becomes part of the
grid is what an operator has seen and approved, checked as a grid file is.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from blake3 import blake3

from suanwang.flow import Road
from suanwang.grids import check_grid
from suanwang.grids.geometry import fibre_km, great_circle_km, light_floor_us
from suanwang.model.error import ConflictError, Fault, FaultsError, NotAllowedError, NotFoundError
from suanwang.model.grid import Grid, Link, LinkKind, Names, Pool, PriceBook, Site, Tier
from suanwang.model.ids import JoinId, LinkId, PoolId, SiteId, TenantId
from suanwang.model.joining import (
    FoundPool,
    JoinAsk,
    Joining,
    JoinState,
    JoinTerms,
    JoinView,
    book_of,
    grown,
    priced,
)
from suanwang.model.principal import Principal, Role
from suanwang.model.record import GridAdopted, KeyIssued, SiteAsked, SiteJoined, SiteRefused
from suanwang.model.snapshot import GridIndex
from suanwang.runtime.ids import RealIds
from suanwang.runtime.switches import operators_only

TOKEN_US: Final = 24 * 3_600 * 1_000_000
LEVEL_MAX: Final = 2  # of a site's own claim; an operator who has looked may give more
# Assumed where nobody said: a share of a server's power for each core, and a card under load.
POWER_W_PER_CORE: Final = 8
POWER_W_PER_CARD: Final = 300
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
        with self._verb() as road:
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
            proposed = propose(state.index.grid, ask, JoinTerms())
            _check(state.index.grid, proposed)
            join_id = self._ids.join_id()
            road.emit(SiteAsked(at_us=now_us, join_id=join_id, token=principal.key_id, ask=ask, proposed=proposed))
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
        with self._verb() as road:
            view = self._waiting(road, join_id)
            if view.ask.site in road.state.index.sites:
                raise ConflictError("join_site_taken", site=view.ask.site)
            joining = propose(road.state.index.grid, view.ask, terms)
            _check(road.state.index.grid, joining)
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


def _check(grid: Grid, joining: Joining) -> None:
    faults = check_grid(grown(grid, joining))
    if faults:
        raise FaultsError(faults, "request")


def propose(grid: Grid, ask: JoinAsk, terms: JoinTerms) -> Joining:
    """What would become part of the grid. Raises FaultsError for a site that it is to be near and that is not there."""
    near_id = terms.near or ask.near or grid.default_origin
    near = next((one for one in grid.sites if one.id == near_id), None)
    if near is None:
        raise FaultsError([Fault("unknown_site", "near", near_id)], "request")
    site = Site(
        id=ask.site,
        names=Names(en=ask.name, zh_hant=ask.name, zh_hans=ask.name),
        region=ask.region or near.region,
        city=ask.city or near.city,
        latitude=near.latitude if ask.latitude is None else ask.latitude,
        longitude=near.longitude if ask.longitude is None else ask.longitude,
        tier=Tier.EDGE,
        owner=ask.owner,
        security_level=terms.security_level or min(ask.security_level, LEVEL_MAX),
        energy=near.energy,
        price_book=book_of(ask.site),
        pools=tuple(_pool(ask, one) for one in ask.inventory.pools),
    )
    return Joining(site=site, prices=_prices(ask, terms), links=(_link(grid, ask, site, near, terms),))


def _prices(ask: JoinAsk, terms: JoinTerms) -> PriceBook:
    return priced(ask.prices, terms.price_permille).model_copy(update={"id": book_of(SiteId(ask.site))})


def _pool(ask: JoinAsk, found: FoundPool) -> Pool:
    """Arithmetic as measured on the host of the agent, for as many cores as a node has."""
    measured = ask.measured
    mflops = measured.matmul_fp64_mflops * found.cores_per_node // measured.cores if measured.cores else 0
    gflops = mflops // 1_000
    return Pool(
        id=PoolId(f"{ask.site}/{found.name}"),
        kind=found.kind,
        nodes=found.nodes,
        cores_per_node=found.cores_per_node,
        memory_bytes_per_node=found.memory_bytes_per_node,
        accelerator_model=found.accelerator_model,
        accelerators_per_node=found.accelerators_per_node,
        qubits_per_node=found.qubits_per_node,
        gflops_per_node=gflops,
        precision="fp64" if gflops else "none",
        power_w_per_node=found.cores_per_node * POWER_W_PER_CORE + found.accelerators_per_node * POWER_W_PER_CARD,
    )


def _link(grid: Grid, ask: JoinAsk, site: Site, near: Site, terms: JoinTerms) -> Link:
    """One link, to the site that it is near: as long as fibre would be, as slow as measured but no faster than light."""
    straight_km = great_circle_km(site.latitude, site.longitude, near.latitude, near.longitude)
    length_km = fibre_km(straight_km, grid.route_factor_permille)
    measured_bps = min((one for one in (ask.measured.up_bps, ask.measured.down_bps) if one), default=0)
    latency_us = ask.measured.rtt_us // 2 if terms.latency_us is None else terms.latency_us
    return Link(
        id=LinkId(f"join-{site.id}"),
        a=near.id,
        b=site.id,
        kind=LinkKind.IP,
        length_km=length_km,
        capacity_bps=terms.capacity_bps or max(LINK_BPS_MIN, measured_bps or LINK_BPS_UNMEASURED),
        latency_us=max(latency_us, light_floor_us(LinkKind.IP, length_km)),
    )

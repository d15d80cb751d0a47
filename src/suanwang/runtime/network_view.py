"""The network as a view: from a snapshot, at one instant."""

from collections import Counter

from suanwang.livenet import held_at, mlu_of, way_state
from suanwang.model.grid import Link
from suanwang.model.network import LinkNow, NetworkNow, ReservationView, RouterNow
from suanwang.model.snapshot import Snapshot
from suanwang.net.topology.of_grid import igp_weight
from suanwang.observe.reserved import Reserved


def network_now(snapshot: Snapshot, reservations: tuple[ReservationView, ...], at_us: int) -> NetworkNow:
    """Every router and link, with what is held at `at_us`, and the security pools that are out."""
    grid, held = snapshot.index.grid, held_at(snapshot, at_us)
    links_of = Counter(site for link in grid.links for site in (link.a, link.b))
    routers = tuple(
        RouterNow(
            id=site.id,
            names=site.names,
            region=site.region,
            live=site.id in snapshot.sites and snapshot.sites[site.id].live,
            links=links_of[site.id],
        )
        for site in grid.sites
    )
    return NetworkNow(
        at_us=at_us,
        mlu=mlu_of(snapshot.index, held),
        routers=routers,
        links=tuple(link_now(link, snapshot, held, at_us) for link in grid.links),
        risk_groups=tuple(sorted({group for link in grid.links for group in link.shared_risk_groups})),
        security_down=tuple(sorted(snapshot.security_down)),
        reservations=reservations,
    )


def link_now(link: Link, snapshot: Snapshot, held: dict[str, int], at_us: int) -> LinkNow:
    """A link, with what is held of it at `at_us`."""
    return LinkNow(
        id=link.id,
        a=link.a,
        b=link.b,
        kind=link.kind,
        capacity_bps=link.capacity_bps,
        latency_us=link.latency_us,
        igp_weight=igp_weight(link),
        price_micro_yuan_per_gbps_hour=link.price_micro_yuan_per_gbps_hour,
        shared_risk_groups=link.shared_risk_groups,
        up=link.id not in snapshot.links_down,
        in_maintenance=any(one.start <= at_us < one.end for one in link.maintenance),
        maintenance=tuple(one for one in link.maintenance if one.end > at_us),
        ab=way_state(held.get(f"{link.id}:ab", 0), link.capacity_bps),
        ba=way_state(held.get(f"{link.id}:ba", 0), link.capacity_bps),
    )


def reservation_view(one: Reserved, now_us: int) -> ReservationView:
    kept = one.reservation
    state = "broken" if one.way is None else "planned" if now_us < kept.start_us else "active"
    return ReservationView.model_validate(
        {
            "reservation_id": kept.reservation_id,
            "principal": kept.principal,
            "note": kept.note,
            "wanted": kept.wanted,
            "start_us": kept.start_us,
            "end_us": kept.end_us,
            "state": state,
            "way": one.way,
            "standby_wanted": kept.standby,
            "standby": one.standby,
            "moves": one.moves,
            "broken_by": one.broken_by,
        }
    )

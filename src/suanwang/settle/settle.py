"""What an attempt costs: the lease held, the bandwidth held, the bytes moved, by the tariff of its plan's site."""

from suanwang.model.grid import Pool, PriceBook, Site
from suanwang.model.plan import ChargeKind, Line, Plan
from suanwang.model.reason import NOT_THE_TASKS_FAULT, FailureReason
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import bandwidth_line, compute_lines, total_micro_yuan, transfer_line


def settle(
    plan: Plan, index: GridIndex, shots: int, run_start_us: int, run_end_us: int, reason: FailureReason | None
) -> list[Line]:
    """The billed lines of one attempt.

    The task ran from `run_start_us` to `run_end_us` (equal where it never ran: then only bytes moved are billed).
    `reason` is why it failed, None where it succeeded; an attempt that its site lost is free, and so is one that gave
    way to another task: its work is done again, and whoever pays a limited price pays for it once.
    """
    if reason in NOT_THE_TASKS_FAULT:
        return []
    lines = settle_held(plan, index, run_start_us, run_end_us, shots)
    for move in plan.data:
        price = sum(index.links[one.link].price_micro_yuan_per_gib for one in move.path.links)
        if move.path.links and price:
            lines.append(transfer_line(move.data_set, move.size_bytes, price))
    return lines


def settle_held(plan: Plan, index: GridIndex, start_us: int, end_us: int, shots: int = 0) -> list[Line]:
    """The lines of a lease that was held from one moment to another; none where that is no time."""
    held_us = max(0, end_us - start_us)
    if not held_us:
        return []
    pool, site = index.pools[plan.pool]
    book = index.price_books[site.price_book]
    return [
        *_compute(plan, pool, site, book, shots, start_us, start_us + held_us),
        *_network(plan, index, held_us),
        *_standby(plan, index, start_us, held_us),
    ]


def _standby(plan: Plan, index: GridIndex, start_us: int, held_us: int) -> list[Line]:
    """A second place is held as the first one is; nothing runs there, so it uses no energy and takes no shots."""
    place = plan.standby
    if place is None:
        return []
    there = plan.model_copy(update={"pool": place.pool, "path": place.path, "protection": place.protection})
    pool, site = index.pools[place.pool]
    lines = _compute(there, pool, site, index.price_books[site.price_book], 0, start_us, start_us + held_us)
    return [*(one for one in lines if one.kind is not ChargeKind.ENERGY), *_network(there, index, held_us)]


def _compute(plan: Plan, pool: Pool, site: Site, book: PriceBook, shots: int, start_us: int, end_us: int) -> list[Line]:
    return compute_lines(book, pool, site, plan.demand, shots, start_us, end_us)


def _network(plan: Plan, index: GridIndex, held_us: int) -> list[Line]:
    lines: list[Line] = []
    if not plan.bandwidth_bps:
        return lines
    for one in plan.path.links:
        price = index.links[one.link].price_micro_yuan_per_gbps_hour
        if price:
            lines.append(bandwidth_line(ChargeKind.BANDWIDTH, one.link, plan.bandwidth_bps, held_us, price))
    for step in plan.protection:
        security_pool, _ = index.security_pools[step.security_pool]
        price = security_pool.price_micro_yuan_per_gbps_hour
        if price:
            lines.append(bandwidth_line(ChargeKind.PROTECTION, security_pool.id, plan.bandwidth_bps, held_us, price))
    return lines


def capped(lines: list[Line], room_micro_yuan: int) -> list[Line]:
    """The lines, with a negative `quote_cap` line where their sum passes what the consent still has room for."""
    assert room_micro_yuan >= 0, "the room under a quote is never negative"
    over = total_micro_yuan(lines) - room_micro_yuan
    if over <= 0:
        return lines
    cap = Line(
        kind=ChargeKind.QUOTE_CAP, item="quote", quantity=1, price_micro_yuan=over, per=1, amount_micro_yuan=-over
    )
    return [*lines, cap]

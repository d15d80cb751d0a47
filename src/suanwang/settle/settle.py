"""What an attempt costs: the lease held, the bandwidth held, the bytes moved, by the tariff of its plan's site."""

from suanwang.model.compact import AnyPlan
from suanwang.model.plan import ChargeKind, Line, StandbyPlace
from suanwang.model.reason import NOT_THE_TASKS_FAULT, FailureReason
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import LineRow, as_line, compute_rows, line_row, network_rows, total_micro_yuan
from suanwang.model.units import GIB


def settle(
    plan: AnyPlan, index: GridIndex, shots: int, run_start_us: int, run_end_us: int, reason: FailureReason | None
) -> list[Line]:
    """The billed lines of one attempt.

    The task ran from `run_start_us` to `run_end_us` (equal where it never ran: then only bytes moved are billed).
    `reason` is why it failed, None where it succeeded; an attempt that its site lost is free, and so is one that gave
    way to another task: its work is done again, and whoever pays a limited price pays for it once.
    """
    return [as_line(one) for one in settle_rows(plan, index, shots, run_start_us, run_end_us, reason)]


def settle_rows(
    plan: AnyPlan, index: GridIndex, shots: int, run_start_us: int, run_end_us: int, reason: FailureReason | None = None
) -> list[LineRow]:
    """`settle` as rows."""
    if reason in NOT_THE_TASKS_FAULT:
        return []
    rows = held_rows(plan, index, shots, run_start_us, run_end_us)
    for move in plan.data:
        price = sum(index.links[one.link].price_micro_yuan_per_gib for one in move.path.links)
        if move.path.links and price:
            rows.append(line_row(ChargeKind.TRANSFER, move.data_set, move.size_bytes, price, GIB))
    return rows


def settle_held(plan: AnyPlan, index: GridIndex, start_us: int, end_us: int, shots: int = 0) -> list[Line]:
    """The lines of a lease that was held from one moment to another; none where that is no time."""
    return [as_line(one) for one in held_rows(plan, index, shots, start_us, end_us)]


def held_rows(plan: AnyPlan, index: GridIndex, shots: int, start_us: int, end_us: int) -> list[LineRow]:
    """`settle_held` as rows."""
    held_us = max(0, end_us - start_us)
    if not held_us:
        return []
    pool, site = index.pools[plan.pool]
    book = index.price_books[site.price_book]
    rows = compute_rows(book, pool, site, plan.demand, shots, start_us, start_us + held_us)
    way = plan.quoted or plan  # a repaired path costs what the one in the quote does
    rows += network_rows(index, plan.bandwidth_bps, held_us, way.path, way.protection)
    return rows if plan.standby is None else [*rows, *_standby(plan, plan.standby, index, start_us, held_us)]


def _standby(plan: AnyPlan, place: StandbyPlace, index: GridIndex, start_us: int, held_us: int) -> list[LineRow]:
    """A second place is held as the first one is; nothing runs there, so it uses no energy and takes no shots."""
    pool, site = index.pools[place.pool]
    book = index.price_books[site.price_book]
    rows = compute_rows(book, pool, site, plan.demand, 0, start_us, start_us + held_us)
    network = network_rows(index, plan.bandwidth_bps, held_us, place.path, place.protection)
    return [*(one for one in rows if one.kind is not ChargeKind.ENERGY), *network]


def capped(lines: list[Line], room_micro_yuan: int) -> list[Line]:
    """The lines, with a negative `quote_cap` line where their sum passes what the consent still has room for."""
    cap = _cap(total_micro_yuan(lines), room_micro_yuan)
    return lines if cap is None else [*lines, as_line(cap)]


def capped_rows(rows: list[LineRow], room_micro_yuan: int) -> list[LineRow]:
    """`capped` of rows."""
    cap = _cap(total_micro_yuan(rows), room_micro_yuan)
    return rows if cap is None else [*rows, cap]


def _cap(total: int, room_micro_yuan: int) -> LineRow | None:
    assert room_micro_yuan >= 0, "the room under a quote is never negative"
    over = total - room_micro_yuan
    return LineRow(ChargeKind.QUOTE_CAP, "quote", 1, over, 1, 1000, -over) if over > 0 else None

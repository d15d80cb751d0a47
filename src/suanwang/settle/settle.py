"""What an attempt costs: the lease held, the bandwidth held, the bytes moved, by the tariff of its plan's site."""

from suanwang.model.grid import Pool, PriceBook, Site
from suanwang.model.plan import ChargeKind, Line, Plan
from suanwang.model.reason import NOT_THE_TASKS_FAULT, FailureReason
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import compute_lines, network_lines, total_micro_yuan, transfer_line


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
    lines: list[Line] = []
    held_us = max(0, run_end_us - run_start_us)
    if held_us:
        pool, site = index.pools[plan.pool]
        book = index.price_books[site.price_book]
        lines += _compute(plan, pool, site, book, shots, run_start_us, run_start_us + held_us)
        lines += network_lines(index, plan.bandwidth_bps, held_us, plan.path, plan.protection)
    for move in plan.data:
        price = sum(index.links[one.link].price_micro_yuan_per_gib for one in move.path.links)
        if move.path.links and price:
            lines.append(transfer_line(move.data_set, move.size_bytes, price))
    return lines


def _compute(plan: Plan, pool: Pool, site: Site, book: PriceBook, shots: int, start_us: int, end_us: int) -> list[Line]:
    return compute_lines(book, pool, site, plan.demand, shots, start_us, end_us)


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

"""A site that asks to join, for people."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from suanwang.cli.show.forms import instant
from suanwang.cli.words import t
from suanwang.model.joining import JoinAsk, Joining, JoinView
from suanwang.model.units import MICRO_PER_YUAN, show_bytes


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(t(f"cli.join.col.{name}"), no_wrap=name in ("join", "site"), overflow="fold")
    return table


def show_ask(console: Console, ask: JoinAsk) -> None:
    """What was found, what was measured, what is asked for it."""
    table = _table("pool", "kind", "nodes", "cores", "memory", "cards", "queue")
    for pool in ask.inventory.pools:
        cards = f"{pool.accelerators_per_node} x {pool.accelerator_model}" if pool.accelerator_model else "-"
        if pool.qubits_per_node:
            cards = f"{pool.qubits_per_node} {t('cli.join.col.qubits')}"
        table.add_row(
            pool.name,
            t(f"pool_kind.{pool.kind.value}"),
            str(pool.nodes),
            str(pool.cores_per_node),
            show_bytes(pool.memory_bytes_per_node),
            cards,
            pool.queue or "-",
        )
    console.print(table)
    for pool in ask.inventory.pools:
        if pool.lacks:
            console.print(t("cli.join.lacks", pool=pool.name, lacks=", ".join(pool.lacks)), soft_wrap=True)
    for note in ask.inventory.notes:
        console.print(f"  {note}", style="dim")
    if ask.inventory.licences:
        held = ", ".join(f"{name} {count}" for name, count in ask.inventory.licences.items())
        console.print(t("cli.join.licences", licences=held))
    one = ask.measured
    console.print(
        t(
            "cli.join.measured",
            cores=one.cores,
            gflops=f"{one.matmul_fp64_mflops / 1_000:.1f}",
            memory=f"{one.memory_bytes_s / 1e9:.1f}",
            disk=f"{one.disk_write_bytes_s / 1e6:.0f}",
            sync=f"{one.disk_sync_us / 1_000:.1f}",
            rtt=f"{one.rtt_us / 1_000:.1f}",
            up=f"{one.up_bps / 1e6:.0f}",
            down=f"{one.down_bps / 1e6:.0f}",
        ),
        soft_wrap=True,
    )
    book = ask.prices
    prices = {"core": book.core_hour_micro_yuan, "GiB": book.gib_hour_micro_yuan, **book.accelerator_hour_micro_yuan}
    shown = ", ".join(f"{name} {micro / MICRO_PER_YUAN:.3f}" for name, micro in prices.items())
    console.print(t("cli.join.prices", prices=shown), soft_wrap=True)
    console.print(t("cli.join.level", level=ask.security_level, owner=ask.owner))


def show_joining(console: Console, joining: Joining) -> None:
    """What would be, or is, part of the grid."""
    site = joining.site
    console.print(
        t(
            "cli.join.site",
            site=site.id,
            region=site.region,
            city=site.city,
            level=site.security_level,
            owner=site.owner,
        )
    )
    for link in joining.links:
        console.print(t("cli.join.link", near=link.a, mbps=link.capacity_bps // 1_000_000, latency=link.latency_us))


def show_requests(console: Console, found: Sequence[JoinView]) -> None:
    table = _table("join", "site", "owner", "state", "adapter", "pools", "asked", "gives")
    for one in found:
        pools = ", ".join(
            f"{pool.nodes} x {pool.cores_per_node}"
            + (f" + {pool.accelerators_per_node} {pool.accelerator_model}" if pool.accelerator_model else "")
            for pool in one.ask.inventory.pools
        )
        state = t(f"join_state.{one.state.value}")
        gives = f"{one.trust.gives_permille / 10:.0f} %{' ⚠' if one.trust.marked else ''}" if one.trust else "-"
        if one.differing:
            gives += f", {one.differing}/{one.compared} ≠"
        asked = instant(one.asked_us, seconds=False)
        owner = one.proposed.site.owner
        table.add_row(one.join_id, one.ask.site, owner, state, one.ask.inventory.adapter, pools, asked, gives)
    console.print(table)

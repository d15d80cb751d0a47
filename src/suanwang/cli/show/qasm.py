"""A circuit's figures, and its counts as bars."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.words import t
from suanwang.model.units import US_PER_S
from suanwang.qasm import Facts

ROWS_MAX = 16
BAR_WIDTH = 40
GATES_SHOWN = 12


def of_circuit(facts: Facts) -> RenderableType:
    """What is in a circuit."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    gates = ", ".join(f"{name} × {count:,}" for name, count in list(facts.gates.items())[:GATES_SHOWN])
    more = " …" if len(facts.gates) > GATES_SHOWN else ""
    table.add_row(t("cli.qasm.version"), str(facts.version))
    table.add_row(t("cli.qasm.qubits"), f"{facts.qubits:,}")
    table.add_row(t("cli.qasm.bits"), f"{facts.bits:,}, {facts.measured:,}")
    table.add_row(t("cli.qasm.gates"), f"{facts.size:,}  ({gates}{more})" if gates else "0")
    table.add_row(t("cli.qasm.depth"), f"{facts.depth:,}")
    table.add_row(t("cli.qasm.conditional"), t("cli.qasm.yes") if facts.conditional else t("cli.qasm.no"))
    return table


def of_counts(found: dict[str, Any]) -> RenderableType:
    """The most frequent rows of bits, each with its share as a bar."""
    counts: dict[str, int] = found["counts"]
    title = t(
        "cli.qasm.counts",
        shots=f"{found['shots']:,}",
        method=found["method"],
        seed=found["seed"],
        seconds=f"{found['qpu_us'] / US_PER_S:.3f}",
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    most = max(counts.values(), default=1)
    for bits, count in list(counts.items())[:ROWS_MAX]:
        bar = Text("█" * max(1, round(BAR_WIDTH * count / most)), "cyan")
        table.add_row(Text(bits, "bold"), f"{count:,}", bar)
    more = len(counts) - ROWS_MAX
    parts: list[RenderableType] = [Text(title, "bold"), table]
    if more > 0:
        parts.append(Text(t("cli.qasm.more", count=f"{more:,}"), "dim"))
    return Group(*parts)

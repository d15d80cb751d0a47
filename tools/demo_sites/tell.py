"""What the demo says, in the reader's language. With `quiet` nothing."""

import shlex
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tools.demo_sites.story import Check

from suanwang.cli.show.forms import money, phase_text
from suanwang.cli.words import t
from suanwang.model.record import Phase
from suanwang.model.view import Explain


class Narrator:
    def __init__(self, quiet: bool) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        self._began_s = time.monotonic()

    def chapter(self, key: str) -> None:
        self._console.rule(Text(t(f"demo_sites.{key}"), "bold"), style="dim")

    def say(self, key: str, style: str = "", **values: object) -> None:
        """One line, with the seconds since the demo began in front."""
        line = Text(f"{time.monotonic() - self._began_s:6.1f}  ", "dim")
        line.append(t(f"demo_sites.{key}", **values), style)
        self._console.print(line, soft_wrap=True)

    def absent(self, what: str, name: str, key: str, values: Mapping[str, str]) -> None:
        self.say("absent", "yellow", what=what, name=name, why=t(key, **values))

    def broken(self, what: str, tails: Mapping[str, list[str]]) -> None:
        self.say("broken", "bold red", what=what)
        for name, lines in tails.items():
            for line in lines:
                self._console.print(f"        {name}: {line}", style="dim", soft_wrap=True)

    def command(self, words: Iterable[str]) -> None:
        """What a person would type, without the interpreter in front."""
        self._console.print(f"        $ suanwang {shlex.join(words)}", style="cyan", soft_wrap=True)

    def struck(self, key: str, **values: object) -> None:
        self.say(key, "bold red", **values)

    def mended(self, key: str, **values: object) -> None:
        self.say(key, "green", **values)

    def moved(self, name: str, phase: Phase, site: str | None) -> None:
        line = Text(f"{time.monotonic() - self._began_s:6.1f}  ", "dim")
        line.append(f"{name:<8} ", "bold").append_text(phase_text(phase))
        if site is not None:
            line.append(f"  {site}", "dim")
        self._console.print(line)

    def attempts(self, told: Mapping[str, Explain]) -> None:
        """Who tried what, and how it ended."""
        table = _table("step", "try", "site", "end")
        for name, one in told.items():
            for number, attempt in enumerate(one.attempts, 1):
                why = t(f"failure.{attempt.reason.value}") if attempt.reason is not None else ""
                end = t("demo_sites.succeeded") if attempt.succeeded else f"{why} {attempt.detail}".strip()
                table.add_row(name, str(number), attempt.site, end)
        self._console.print(table)

    def sites(self, totals: Mapping[str, int], total: int) -> None:
        """The bill by site; the bill by task stands above it."""
        table = _table("site", "amount")
        for site, amount in totals.items():
            table.add_row(site, money(amount))
        table.add_row(Text(t("demo_sites.total"), "bold"), Text(money(total), "bold green"))
        self._console.print(table)

    def checks(self, found: Iterable[Check]) -> None:
        for one in found:
            mark = Text("✓ " if one.good else "✗ ", "green" if one.good else "bold red")
            words = Text(t(f"demo_sites.check.{one.key}", **one.values))
            self._console.print(Text("        ") + mark + words, soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        right: Any = "right" if name == "amount" else "left"
        table.add_column(t(f"demo_sites.col.{name}"), justify=right)
    return table

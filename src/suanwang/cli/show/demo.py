"""What the demo says while it plays."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.bill import of_tenant
from suanwang.cli.show.forms import Places, carbon, emulated, latency, mark, money, phase_text
from suanwang.cli.words import t
from suanwang.model.grid import SERVER_KINDS, Grid, Site
from suanwang.model.reason import PoolReason
from suanwang.model.record import Phase
from suanwang.model.view import Bill, Explain, TaskView

QUIET_PHASES = frozenset({Phase.PLANNED, Phase.DISPATCHED, Phase.STAGING, Phase.COLLECTING, Phase.WAITING})
NAME_WIDTH = 30
NOTE_INDENT = 4


class Narrator:
    """Prints the story; with `quiet` nothing."""

    def __init__(self, lang: str, quiet: bool) -> None:
        self._lang = lang
        self._console = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        self._places: Places | None = None

    def _say(self, text: str | Text, style: str = "") -> None:
        self._console.print(text, style=style)

    def _note(self, words: str) -> None:
        """A remark below a line, indented also where it wraps."""
        self._console.print(Padding(Text(words, style="dim"), (0, 0, 0, NOTE_INDENT)))

    def _where(self, grid: Grid) -> Places:
        if self._places is None:
            self._places = Places(grid)
        return self._places

    def opening(self, grid: Grid, page: str) -> None:
        servers = sum(
            pool.nodes for site in grid.sites if site.owner == "own" for pool in site.pools if pool.kind in SERVER_KINDS
        )
        self._console.rule(Text(t("cli.demo.title"), "bold"))
        self._say(t("cli.demo.grid", sites=len(grid.sites), links=len(grid.links), servers=f"{servers:,}"))
        self._say(t("cli.demo.emulated"), "dim")
        self._console.print(t("cli.demo.page", page=page), style="bold cyan", soft_wrap=True)

    def agents(self, agents: list[tuple[Site, int]]) -> None:
        for hub, count in agents:
            self._say(
                t("cli.demo.agent", hub=hub.names.en if self._lang == "en" else _name(hub, self._lang), sites=count),
                "dim",
            )
        self._console.rule(t("cli.demo.day"), style="dim")

    def submitted(self, task: TaskView, grid: Grid) -> None:
        where = self._where(grid).name(task.origin)
        words = t(
            "cli.demo.submitted",
            origin=where,
            kind=t(f"pool_kind.{task.kind.value}"),
            preference=t(f"preference.{task.preference.value}"),
        )
        self._console.print(_named(task), words)

    def planned(self, found: Explain, grid: Grid) -> None:
        """Where, by which way, at what price; and why not the next best, and what ruled out the rest."""
        if not found.plans:
            return
        plan, places = found.plans[-1].plan, self._where(grid)
        line = _named(found.task)
        line.append(" → ", style="bold")
        line.append(places.pool(plan.pool), style="bold green")
        line.append(f"  {money(plan.quote_micro_yuan)}  {latency(plan.path.latency_us)}  {carbon(plan.carbon_mg)} ")
        if plan.emulated:
            line.append_text(emulated(True))
        self._console.print(line)
        self._why(found, places)

    def _why(self, found: Explain, places: Places) -> None:
        plan = found.plans[-1].plan
        if plan.protection:
            steps = " → ".join(
                f"{t(f'protection.{one.function.value}')} @ {places.name(one.site)}" for one in plan.protection
            )
            self._note(t("cli.demo.protected", steps=steps))
        for move in plan.data:
            if move.path.links:
                self._note(t("cli.demo.data", data=move.data_set, replica=places.name(move.replica)))
        beaten = [one for one in plan.alternatives if one.reason is PoolReason.WORSE]
        if beaten:
            one = beaten[0]
            words = t(
                "cli.demo.next_best",
                pool=places.pool(one.pool),
                price=money(one.price_micro_yuan),
                latency=latency(one.latency_us),
            )
            self._note(words)
        clauses = found.plans[-1].report.clauses if found.plans[-1].report else ()
        ruled = ", ".join(f"{t(f'pool_reason.{one.reason.value}')} {one.pools}" for one in clauses[:4])
        if ruled:
            self._note(t("cli.demo.ruled_out", clauses=ruled))

    def moved(self, before: TaskView, task: TaskView, grid: Grid) -> None:
        if task.phase in QUIET_PHASES:
            return
        line = _named(task)
        line.append_text(Text.assemble(" ", mark(task.phase), " ", phase_text(task.phase)))
        if task.phase is Phase.RUNNING:
            line.append(f"  {self._where(grid).name(task.site)}", style="dim")
        if task.ended_us is not None:
            line.append(f"  {t('cli.demo.billed', amount=money(task.billed_micro_yuan))}", style="dim")
        if task.attempts > 1 and task.phase is Phase.SUCCEEDED:
            line.append(f"  {t('cli.demo.attempts', count=task.attempts)}", style="yellow")
        self._console.print(line)

    def killed(self, hub: Site, sites: int, struck: list[TaskView]) -> None:
        words = t("cli.demo.killed", hub=_name(hub, self._lang), sites=sites)
        self._console.rule(Text(words, "bold red"), style="red")
        for task in struck:
            self._console.print(_named(task), t("cli.demo.struck"), style="red")

    def restarted(self, hub: Site) -> None:
        words = t("cli.demo.restarted", hub=_name(hub, self._lang))
        self._console.rule(Text(words, "green"), style="green")

    def too_long(self, left: list[TaskView]) -> None:
        for task in left:
            self._console.print(_named(task), t("cli.demo.too_long"), phase_text(task.phase), style="red")

    def summary(self, tasks: list[TaskView], struck: list[TaskView]) -> None:
        self._console.rule(t("cli.demo.summary"), style="dim")
        table = Table.grid(padding=(0, 2))
        for task in struck:
            again = t("cli.demo.recovered") if task.phase is Phase.SUCCEEDED else t("cli.demo.not_recovered")
            table.add_row(_named(task), again, self._places.name(task.site) if self._places else "")
        self._console.print(table)
        well = sum(task.phase is Phase.SUCCEEDED for task in tasks)
        self._say(t("cli.demo.ended", well=well, all=len(tasks)), "bold")

    def bill(self, bill: Bill, seconds: float) -> None:
        assert self._places is not None, "the opening came first"
        self._console.rule(t("cli.demo.bill"), style="dim")
        for part in of_tenant(bill, self._places):
            self._console.print(part)
        self._say(t("cli.demo.seconds", seconds=f"{seconds:.0f}"), "dim")

    def stays(self, page: str) -> None:
        self._console.print(t("cli.demo.stays", page=page), style="bold cyan", soft_wrap=True)


def _name(site: Site, lang: str) -> str:
    return {"zh-hant": site.names.zh_hant, "zh-hans": site.names.zh_hans}.get(lang, site.names.en)


def _named(task: TaskView) -> Text:
    name = task.name if len(task.name) <= NAME_WIDTH else task.name[: NAME_WIDTH - 1] + "…"
    return Text(f"{name:<{NAME_WIDTH}} ", style="bold")

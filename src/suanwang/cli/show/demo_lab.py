"""What the demo says of its lab: the plan, each hop's packets, the cut, the flood."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from suanwang.cli.show.faults import error_text
from suanwang.cli.show.forms import Places, latency, money
from suanwang.cli.show.network import table
from suanwang.cli.words import t
from suanwang.model.error import SuanwangError
from suanwang.model.grid import Grid
from suanwang.model.units import show_bps, show_span
from suanwang.model.view import Explain, TaskView
from suanwang.model.wanted import NetworkView

if TYPE_CHECKING:
    from suanwang.runtime.demo_lab import Cut, Flood, Hop
    from suanwang.runtime.lab import Layout


class LabNarrator:
    """Prints the chapter; with `quiet` nothing."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
        self._places: Places | None = None

    def missing(self, why: SuanwangError) -> None:
        self._console.print(t("cli.demo.lab.missing", why=error_text(why)), style="yellow")

    def up(self, part: Grid, layout: "Layout", took_us: int) -> None:
        self._places = Places(part)
        self._console.rule(t("cli.demo.lab.title"), style="dim")
        figures = {"routers": layout.topology.n, "links": len(layout.links), "took": show_span(took_us)}
        self._console.print(t("cli.demo.lab.up", **figures))

    def planned(self, found: Explain, network: NetworkView, address: str) -> None:
        plan = found.plans[-1].plan
        self._console.print(
            t(
                "cli.demo.lab.planned",
                bandwidth=show_bps(plan.bandwidth_bps),
                address=address,
                path=self._path(plan.path.sites),
                latency=latency(plan.path.latency_us),
            )
        )
        keys = {key for one in network.wanted.tasks if one.flow.task_id == plan.task_id for key in one.policies}
        for policy in (one for one in network.wanted.policies if one.key in keys):
            for at, path in enumerate(policy.by_preference):
                words = "; ".join(", ".join(map(str, one.segments)) for one in path.lists)
                self._note(t("cli.demo.lab.segments" if at == 0 else "cli.demo.lab.standby", segments=words))

    def hops(self, hops: "Sequence[Hop]", sent: int) -> None:
        self._console.print(t("cli.demo.lab.sent", count=sent))
        made = table("site link packets sid_packets", "packets sid_packets")
        made.columns[1].no_wrap = True
        for one in hops:
            made.add_row(
                self._site(one.site),
                one.link or t("cli.demo.lab.to_task"),
                str(one.sent) if one.link else "",
                "—" if one.taken is None else str(one.taken),
            )
        self._put(made)

    def cut(self, cut: "Cut") -> None:
        self._console.print(t("cli.demo.lab.cut", link=cut.link, lost=cut.lost_ms, sent=cut.sent), style="bold red")
        figures = {"took": cut.repaired_ms, "path": self._path(cut.sites), "latency": latency(cut.latency_us)}
        self._console.print(t("cli.demo.lab.repaired", **figures), style="green")

    def flood(self, flood: "Flood") -> None:
        self._console.print(
            t(
                "cli.demo.lab.flood",
                link=flood.link,
                rate=show_bps(flood.rate_bps),
                flood=show_bps(flood.flood_bps),
                dropped=f"{flood.flood_lost_permille / 10:.1f} %",
            )
        )
        figures = {"task": show_bps(flood.task_bps), "lost": flood.lost, "sent": flood.sent}
        self._console.print(t("cli.demo.lab.held", **figures), style="green")

    def ended(self, task: TaskView) -> None:
        self._note(t("cli.demo.billed", amount=money(task.billed_micro_yuan)))

    def broke_off(self, error: SuanwangError) -> None:
        self._console.print(t("cli.demo.lab.broke_off", why=error_text(error)), style="bold red")

    def gone(self) -> None:
        self._console.print(t("cli.demo.lab.gone"), style="dim")

    def _note(self, words: str) -> None:
        self._put(Text(words, style="dim"))

    def _put(self, one: RenderableType) -> None:
        self._console.print(Padding(one, (0, 0, 0, 4)))

    def _site(self, site: str) -> str:
        return self._places.name(site) if self._places is not None else site

    def _path(self, sites: Sequence[str]) -> str:
        return " → ".join(self._site(one) for one in sites)

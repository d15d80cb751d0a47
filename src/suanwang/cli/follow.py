"""Following a task: its steps as they come, a progress bar, its log live, until it ends."""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from suanwang.cli.show.forms import Places, clock, emulated, money, plain
from suanwang.cli.show.paths import path_lines
from suanwang.cli.words import t
from suanwang.model.error import SuanwangError
from suanwang.model.view import PathStep

if TYPE_CHECKING:
    from suanwang.client import Client, StreamEvent

WHOLE = 1000  # progress counts in permille
_PHASE_OF = {
    "task_submitted": "waiting",
    "task_waits": "waiting",
    "plan_committed": "planned",
    "attempt_opened": "dispatched",
    "stop_requested": "stopping",
    "delivery_ordered": "delivering",
}


@dataclass
class Follower:
    """Prints one task's road. The log comes in a thread of its own, attempt by attempt."""

    client: "Client"
    console: Console
    places: Places
    task_id: str
    _readers: list[threading.Thread] = field(default_factory=list)
    _bar: TaskID | None = None

    def follow(self) -> None:
        """Until the end of the task."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[part]}"),
            TimeElapsedColumn(),
        )
        live = self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=not live) as progress:
            self._bar = progress.add_task(t("phase.waiting"), total=None, part="")
            for event in self.client.events(self.task_id):
                if event.kind == "end":
                    break
                self._seen(event, progress)
            for reader in self._readers:
                reader.join(timeout=5)

    def _seen(self, event: "StreamEvent", progress: Progress) -> None:
        data = event.data
        phase = _PHASE_OF.get(event.kind)
        if event.kind == "event_applied":
            phase = self._applied(data, progress)
        elif event.kind == "attempt_opened":
            reader = threading.Thread(target=self._log, args=(data["attempt_id"],), daemon=True)
            self._readers.append(reader)
            reader.start()
        if phase is not None and self._bar is not None:
            progress.update(self._bar, description=t(f"phase.{phase}"))
        line = self._line(event.kind, data)
        lines = [line] if line is not None else self._path(event.kind, data)
        for one in lines:
            self.console.print(one)

    def _path(self, kind: str, data: dict[str, Any]) -> list[Text]:
        """What became of its path."""
        if not kind.startswith("path_"):
            return []
        told = {name: data[name] for name in ("at_us", "cause", "plan_id", "sites", "latency_us") if name in data}
        return path_lines(PathStep.model_validate({"kind": kind.removeprefix("path_"), **told}), self.places)

    def _applied(self, data: dict[str, Any], progress: Progress) -> str | None:
        event = data["event"]
        permille = event.get("fraction_permille")
        if permille is not None and self._bar is not None:
            progress.update(self._bar, total=WHOLE, completed=permille, part=f"{permille / 10:.0f} %")
        kind: str = event["kind"]
        return kind if kind in ("staging", "running", "collecting") else None

    def _line(self, kind: str, data: dict[str, Any]) -> Text | None:
        at = (f"{clock(data['at_us'])}  ", "dim")
        if kind == "task_submitted":
            return Text.assemble(at, ("✓ ", "green"), t("cli.follow.submitted"), "  ", (self.task_id, "dim"))
        if kind == "task_waits" and data["reason"] != "queued":
            return Text.assemble(at, ("● ", "yellow"), t(f"wait.{data['reason']}"))
        if kind == "plan_committed":
            return self._planned(at, data)
        if kind == "plan_dropped":
            return Text.assemble(at, ("● ", "yellow"), t("cli.follow.replan"))
        if kind == "attempt_closed" and not data["succeeded"]:
            reason = t(f"failure.{data['reason']}") if data.get("reason") else ""
            detail = f" ({plain(data['detail'])})" if data.get("detail") else ""
            return Text.assemble(at, ("✗ ", "red"), reason, detail)
        if kind == "event_applied" and data["effective"]:
            return self._event(at, data["event"])
        if kind == "task_ended":
            style = "bold green" if data["phase"] == "succeeded" else "bold red"
            sign = "✓ " if data["phase"] == "succeeded" else "✗ "
            return Text.assemble(at, (sign + t(f"phase.{data['phase']}"), style))
        return None

    def _planned(self, at: tuple[str, str], data: dict[str, Any]) -> Text:
        plan = data.get("plan", data)
        return Text.assemble(
            at,
            ("✓ ", "green"),
            t("phase.planned"),
            "  ",
            (self.places.pool(plan["pool"]), "bold"),
            f"  {money(plan['quote_micro_yuan'])}  ",
            emulated(bool(plan.get("emulated"))),
        )

    def _event(self, at: tuple[str, str], event: dict[str, Any]) -> Text | None:
        if event["kind"] in ("progress", "accepted", "failed"):
            return None
        return Text.assemble(at, ("✓ ", "green"), t(f"event.{event['kind']}"))

    def _log(self, attempt_id: str) -> None:
        """Lines of the attempt's log, whole lines only, so that the bar is not torn."""
        rest = b""
        try:
            for piece in self.client.logs(self.task_id, follow=True, attempt=attempt_id):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._print_log(line)
        except SuanwangError:
            pass  # the end of the task says more
        if rest:
            self._print_log(rest)

    def _print_log(self, line: bytes) -> None:
        words = line.decode("utf-8", "replace").rstrip("\r")
        self.console.print(Text.assemble(("│ ", "dim"), Text.from_ansi(words)))

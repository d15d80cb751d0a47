"""SR policies of the live plans, which task takes which, what the routers last said, and what routers would get."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import latency
from suanwang.cli.show.network import percent, table
from suanwang.cli.words import t
from suanwang.model.sr import CandidatePath, SegmentList, SrPolicy
from suanwang.model.units import US_PER_S, show_bps
from suanwang.model.wanted import NetworkReport, NetworkView, ProbedPath, Steered

if TYPE_CHECKING:
    from suanwang.runtime.dry_run import DryRun


def whole(found: NetworkView) -> Iterator[RenderableType]:
    """Policies, tasks, then a line or more for each network agent."""
    wanted = found.wanted
    if wanted.tasks:
        yield _policies(found)
        yield _tasks(found)
    yield Text(t("cli.net.policies", policies=len(wanted.policies), tasks=len(wanted.tasks)), "bold")
    if wanted.links_down:
        yield Text(t("cli.net.brain_down", links=", ".join(wanted.links_down)), "yellow")
    if not found.reports:
        yield Text(t("cli.net.no_agent"), "yellow")
    for one in found.reports:
        yield from _report(one, wanted.digest)


def _policies(found: NetworkView) -> Table:
    """A row for each candidate path; the policy's name stands in its first."""
    made = table("headend color endpoint role preference list tasks pps", "color preference tasks pps")
    used = _packets_per_s(found)
    for one in found.wanted.policies:
        users = sum(one.key in task.policies for task in found.wanted.tasks)
        for at, path in enumerate(one.by_preference):
            first = (one.headend, str(one.color), one.endpoint) if at == 0 else ("", "", "")
            role = Text(t("cli.net.active"), "green") if at == 0 else Text(t("cli.net.standby"), "dim")
            lists, tasks = _lists(one, path), str(users) if at == 0 else ""
            made.add_row(*first, role, str(path.preference), lists, tasks, used.get((one.key, min(at, 1)), "—"))
    return made


def _packets_per_s(found: NetworkView) -> dict[tuple[tuple[str, int, str], int], str]:
    """What went into each policy, by its key and 0 for the active path, 1 for the standby; the newest word counts."""
    out = {}
    for report in sorted(found.reports, key=lambda one: one.measured_at_us):
        for one in report.policies:
            for at, packets in enumerate((one.packets + one.bound_packets, one.standby_packets)):
                out[one.key, at] = f"{packets * US_PER_S / report.interval_us:,.0f}"
    return out


def _lists(policy: SrPolicy, path: CandidatePath) -> str:
    lists = "\n".join(_list(one, policy.endpoint, len(path.lists)) for one in path.lists)
    return f"{t('cli.net.after_function', function=policy.after)} {lists}" if policy.after else lists


def _list(one: SegmentList, endpoint: str, many: int) -> str:
    """Segments by name; a list that ends elsewhere than at the endpoint's node goes on to it."""
    words = [str(segment) for segment in one.segments] or [endpoint]
    weight = f" ({t('cli.net.weight', weight=one.weight)})" if many > 1 else ""
    return ", ".join(words) + weight


def _tasks(found: NetworkView) -> Table:
    made = table("task colors rate promise planned measured lost", "rate promise planned measured lost")
    made.columns[0].no_wrap = True  # ids are to be copied
    probed = {path.task_id: path for report in found.reports for path in report.paths}
    for one in found.wanted.tasks:
        made.add_row(*_task(one, probed.get(one.flow.task_id)))
    return made


def _task(one: Steered, seen: ProbedPath | None) -> tuple[str | Text, ...]:
    flow = one.flow
    late = seen is not None and seen.is_late(flow)
    lost = None if seen is None or not seen.sent else (seen.sent - seen.received) * 1_000_000 // seen.sent
    measured = latency(seen.judged_us if seen is not None and seen.received else None)
    return (
        f"{flow.task_id}\n  {flow.origin} → {flow.site}",
        "\n".join(str(color) for _, color, _ in one.policies),
        show_bps(flow.bandwidth_bps),
        latency(flow.promise_us),
        latency(flow.latency_us),
        Text(measured, "bold red" if late else ""),
        Text("—" if lost is None else percent(lost), "bold red" if lost else ""),
    )


def _report(one: NetworkReport, digest: str) -> Iterator[Text]:
    if one.installed == digest and not one.faults:
        yield Text(t("cli.net.agent_has", agent=one.agent), "green")
    elif one.installed == digest:
        yield Text(t("cli.net.agent_lacks", agent=one.agent, count=len(one.faults)), "bold red")
    else:
        yield Text(t("cli.net.agent_behind", agent=one.agent), "yellow")
    for fault in one.faults:
        yield Text(f"  {fault}", "red")
    if one.links_down:
        yield Text(f"  {t('cli.net.agent_down', links=', '.join(one.links_down))}", "bold red")


def dry(found: "DryRun") -> Iterator[Text]:
    """For each router its commands, then its configuration of FRR."""
    for one in found.routers:
        yield Text(f"# {one.router}", "bold")
        for command in one.commands:
            yield Text(command)
        yield Text(one.frr.rstrip("\n"), "dim")
        yield Text()
    for fault in found.faults:
        yield Text(fault, "bold red")
    if not found.routers:
        yield Text(t("cli.net.dry_nothing"))

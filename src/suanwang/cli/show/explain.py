"""The road of one task: one block per arrow, in the words that the page uses too."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from suanwang.cli.show.bill import of_task
from suanwang.cli.show.forms import Places, clock, emulated, instant, money, plain, span
from suanwang.cli.show.paths import path_lines
from suanwang.cli.show.plan import alternatives, decision, funnel, refusals, relaxations
from suanwang.cli.show.task import one as card
from suanwang.cli.words import known, t
from suanwang.model.view import AttemptView, Explain, Observed, TaskBill


def whole(found: Explain, bill: TaskBill, places: Places, now_us: int) -> list[RenderableType]:
    """Every arrow that the task has passed."""
    out: list[RenderableType] = [card(found.task, places, now_us)]
    out += [_arrow("request"), _request(found)]
    out += [_arrow("admission"), *_admission(found, places)]
    if found.plans:
        out += [_arrow("plan"), *_plans(found, places, now_us)]
    if found.attempts:
        out.append(_arrow("attempts"))
        out += [_attempt(one, found.observed, places) for one in found.attempts]
    if found.paths:
        out += [_arrow("paths"), *(line for one in found.paths for line in path_lines(one, places))]
    if found.charges:
        out += [_arrow("charges"), *of_task(bill, places)]
    return out


def _arrow(name: str) -> RenderableType:
    return Padding(Rule(Text(t(f"cli.road.{name}"), "bold"), align="left", style="dim"), (1, 0, 0, 0))


def _request(found: Explain) -> RenderableType:
    """What was asked for, as far as it is not the default."""
    import yaml

    asked = found.request.request.model_dump(mode="json", exclude_defaults=True)
    words = yaml.safe_dump(asked, allow_unicode=True, sort_keys=False, width=90).rstrip()
    head = Text(t("cli.road.asked", at=instant(found.request.at_us), principal=found.request.principal), "dim")
    return Group(head, Text(words))


def _admission(found: Explain, places: Places) -> list[RenderableType]:
    admission = found.admission
    at = instant(admission.at_us) if admission.at_us is not None else ""
    style = {"admitted": "green", "refused": "bold red"}.get(admission.outcome, "yellow")
    out: list[RenderableType] = [Text.assemble((t(f"cli.road.{admission.outcome}"), style), (f"  {at}", "dim"))]
    if admission.refusals:
        out.append(refusals(admission.refusals))
    if admission.relaxations:
        out.append(relaxations(admission.relaxations, places))
    for wait in found.waits:
        out.append(Text.assemble((f"{clock(wait.at_us)}  ", "dim"), (t(f"wait.{wait.reason.value}"), "yellow")))
    return out


def _plans(found: Explain, places: Places, now_us: int) -> list[RenderableType]:
    """The older plans in a line each, the newest one whole."""
    out: list[RenderableType] = []
    for one in found.plans:
        plan = one.plan
        line = Text.assemble(
            (f"{clock(one.at_us)}  ", "dim"),
            f"{t('cli.road.generation', number=plan.generation)}  ",
            (places.pool(plan.pool), "bold"),
            f"  {money(plan.quote_micro_yuan)}  ",
            emulated(plan.emulated),
        )
        if one.dropped is not None:
            line.append(f"  {t('cli.road.dropped', reason=why_dropped(one.dropped.reason))}", "yellow")
        out.append(line)
    newest = found.plans[-1]
    out.append(decision(found.request.request, newest.plan, places, newest.at_us))
    out.append(alternatives(newest.plan, newest.plan.alternatives, places))
    if newest.report is not None:
        pools = sum(len(site.pools) for site in places.sites.values())
        out.append(funnel(newest.report.clauses, pools))
    return out


def why_dropped(reason: str) -> str:
    """In words: the brain's own reasons, and those for which attempts fail too."""
    for key in (f"drop.{reason}", f"failure.{reason}"):
        if known(key):
            return t(key)
    return reason


def _attempt(one: AttemptView, observed: tuple[Observed, ...], places: Places) -> RenderableType:
    style = "green" if one.succeeded else "cyan" if one.closed_us is None else "red"
    sign = "✓" if one.succeeded else "●" if one.closed_us is None else "✗"
    head = Text.assemble(
        (f"{sign} ", style), (places.pool(one.pool), "bold"), f"  {one.attempt_id}  ", emulated(one.emulated)
    )
    lines: list[RenderableType] = [head]
    for seen in observed:
        event = seen.event
        if event.attempt_id != one.attempt_id or event.kind.value == "progress":
            continue
        words = t(f"event.{event.kind.value}")
        if event.reason is not None:
            words += f": {t(f'failure.{event.reason.value}')}"
        if event.detail:
            words += f" ({plain(event.detail)})"
        if not seen.effective:
            words += f"  [{t('cli.road.without_effect')}]"
        lines.append(Text.assemble((f"   {clock(event.at_us)}  ", "dim"), words))
    if one.held_start_us is not None and one.held_end_us is not None:
        held = t("cli.bill.held", span=span(one.held_end_us - one.held_start_us))
        lines.append(Text(f"   {held}", "dim"))
    return Group(*lines)

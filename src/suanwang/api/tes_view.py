"""A task as a TES client sees it: the document that was sent, unchanged, with what became of it."""

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from suanwang.api.context import Context
from suanwang.api.tes_states import state_of
from suanwang.intent.tes import ROOT_FOLDER, TesRules, tes_document, tes_warnings
from suanwang.intent.tes_script import KEPT_BYTES, KEPT_FOLDER, Ran, read_log
from suanwang.intent.tes_tags import DOCUMENT_TAG
from suanwang.model.error import NotFoundError
from suanwang.model.event import OutputFile
from suanwang.model.ids import AttemptId
from suanwang.model.record import Phase, Refusal
from suanwang.model.units import show_yuan
from suanwang.store.listing import TaskLine
from suanwang.store.rows import AttemptRow, PlanRow
from suanwang.texts import text

_SERVERS: Final = frozenset({"id", "state", "logs", "creation_time"})
_NEW_RESOURCES: Final = frozenset({"backend_parameters", "backend_parameters_strict"})
_KILLED: Final = 137  # as a shell tells of SIGKILL, which ends what is out of memory or out of time
_SIGNAL_BASE: Final = 128
LOG_BYTES_MAX: Final = 1024 * 1024  # of the script's own log: two lines an executor
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class View(StrEnum):
    MINIMAL = "MINIMAL"
    BASIC = "BASIC"
    FULL = "FULL"


class TesViewer:
    """Makes the answers of one request. `old`: for clients that know TES 1.0 alone and stop at a word of 1.1."""

    def __init__(self, here: Context, rules: TesRules, lang: str, old: bool) -> None:
        self._here = here
        self._rules = rules
        self._lang = lang
        self._old = old
        self.read_bytes = 0  # of objects and logs, for all answers so far

    def document(self, line: TaskLine) -> dict[str, Any]:
        """What was sent."""
        return tes_document(self._bytes(line.row.tags[DOCUMENT_TAG], None))

    def task(self, line: TaskLine, view: View) -> dict[str, Any]:
        """Raises NotFoundError for a task that did not come as TES."""
        row = line.row
        if DOCUMENT_TAG not in row.tags:
            raise NotFoundError("task_unknown", task=row.task_id)
        out: dict[str, Any] = {"id": row.task_id, "state": state_of(row, self._old).value}
        if view is View.MINIMAL:
            return out
        sent = self.document(line)
        shown = {name: value for name, value in sent.items() if name not in _SERVERS}
        logs = self._logs(line, sent, view)
        out = {**shown, **out, "creation_time": _instant(row.submitted_us), "logs": logs}
        return _basic(out, view, self._old)

    def _logs(self, line: TaskLine, sent: dict[str, Any], view: View) -> list[dict[str, Any]]:
        store, row = self._here.brain.store, line.row
        plans = {one.plan_id: one for one in store.plans(row.task_id)}
        attempts = store.attempts(row.task_id)
        full = view is View.FULL
        out = [self._attempt(one, plans.get(one.plan_id), line, sent, full) for one in attempts]
        notes = self._notes(line, sent) if full else []
        if notes and not out:
            out = [{"logs": [], "outputs": []}]
        if notes:
            last = out[-1]
            last["system_logs"] = [*last.get("system_logs", ()), *notes]
        return out

    def _notes(self, line: TaskLine, sent: dict[str, Any]) -> list[str]:
        """What is to be said of the task as a whole, in its newest log."""
        row = line.row
        out = [self._text(f"tes.{key}", got=got) for key, got in tes_warnings(sent, self._rules)]
        if row.phase is Phase.WAITING and row.wait_reason:
            out.append(self._text("tes.waits", reason=self._text(f"wait.{row.wait_reason}")))
        if row.phase is Phase.REFUSED:
            out += [self._refusal(one) for one in self._refusals(row.task_id)]
        elif row.ended_us is not None and row.reason:
            reason = self._text(f"failure.{row.reason}")
            out.append(self._text("tes.ended", reason=f"{reason} {row.detail or ''}".strip()))
        return out

    def _refusals(self, task_id: str) -> Iterable[Refusal]:
        for step in self._here.brain.store.events(task_id):
            if step.kind == "task_refused":
                yield from (Refusal.model_validate(one) for one in step.body.get("refusals", ()))

    def _refusal(self, one: Refusal) -> str:
        reason = self._text(f"refusal.{one.reason.value}")
        return self._text("tes.refused", reason=reason, field=one.field, got=one.got, limit=one.limit)

    def _text(self, key: str, **params: Any) -> str:
        return text(key, self._lang, **params)

    def _attempt(
        self, row: AttemptRow, plan: PlanRow | None, line: TaskLine, sent: dict[str, Any], full: bool
    ) -> dict[str, Any]:
        out: dict[str, Any] = {
            "logs": self._executors(row, sent, full),
            "start_time": _instant(row.running_us or row.opened_us),
            "outputs": _outputs(row) if row.succeeded else [],
            "metadata": _metadata(row, plan, line),
        }
        if row.closed_us is not None:
            out["end_time"] = _instant(row.closed_us)
        notes = []
        if plan is not None:
            path = " > ".join(plan.plan.path.sites)
            price = show_yuan(plan.plan.quote_micro_yuan)
            notes.append(self._text("tes.placed", number=row.fence, pool=plan.pool, path=path, price=price))
        if row.reason is not None:
            reason = self._text(f"failure.{row.reason}")
            notes.append(self._text("tes.ended", reason=f"{reason} {row.detail or ''}".strip()))
        if full:
            out["system_logs"] = notes
        return out

    def _executors(self, row: AttemptRow, sent: dict[str, Any], full: bool) -> list[dict[str, Any]]:
        """One log for each executor that began."""
        if row.closed_us is None:
            return []
        kept = {one.path: one for one in row.outputs}
        log = kept.get(f"{KEPT_FOLDER}/log")
        if log is None:
            return self._one_executor(row, full)
        ran = read_log(self._bytes(log.blake3, LOG_BYTES_MAX).decode("utf-8", "replace"))
        return [
            self._executor(row, kept, number, ran[number], full)
            for number in sorted(ran)
            if number < len(sent["executors"])
        ]

    def _executor(
        self, row: AttemptRow, kept: dict[str, OutputFile], number: int, ran: Ran, full: bool
    ) -> dict[str, Any]:
        code = ran.exit_code if ran.exit_code is not None else _code_of(row)
        out: dict[str, Any] = {"start_time": _instant(ran.began_us), "exit_code": code}
        ended_us = ran.ended_us or row.held_end_us or row.closed_us
        if ended_us is not None:
            out["end_time"] = _instant(ended_us)
        if full:
            for name, ending in (("stdout", "out"), ("stderr", "err")):
                file = kept.get(f"{KEPT_FOLDER}/{number}.{ending}")
                out[name] = "" if file is None else self._shown(self._bytes(file.blake3, KEPT_BYTES))
        return out

    def _one_executor(self, row: AttemptRow, full: bool) -> list[dict[str, Any]]:
        """Of an attempt whose site did not bring the script's log: what the attempt itself tells, as the first one's."""
        if row.running_us is None or (row.exit_code is None and row.signal is None):
            return []
        out: dict[str, Any] = {"start_time": _instant(row.running_us), "exit_code": _code_of(row)}
        if full:
            raw = self._here.brain.read_log(AttemptId(row.attempt_id), 0, KEPT_BYTES)
            self.read_bytes += len(raw)
            out["stdout"] = self._shown(raw)
        return [out]

    @staticmethod
    def _shown(raw: bytes) -> str:
        return raw.decode("utf-8", "replace")

    def _bytes(self, digest: str, limit: int | None) -> bytes:
        with self._here.brain.objects.open(digest) as stream:
            raw = stream.read() if limit is None else stream.read(limit)
        self.read_bytes += len(raw)
        return raw


def _code_of(row: AttemptRow) -> int:
    if row.exit_code is not None:
        return row.exit_code
    return _SIGNAL_BASE + row.signal if row.signal is not None else _KILLED


def _basic(task: dict[str, Any], view: View, old: bool) -> dict[str, Any]:
    """Without what a view or an older client does not take. The kept document stays as it is."""
    inputs, resources = task.get("inputs"), task.get("resources")
    left_out = {"content"} if view is View.BASIC else set[str]()
    left_out |= {"streamable"} if old else set[str]()
    if inputs and left_out:
        task["inputs"] = [{name: value for name, value in one.items() if name not in left_out} for one in inputs]
    if resources and old:
        task["resources"] = {name: value for name, value in resources.items() if name not in _NEW_RESOURCES}
    return task


def _outputs(row: AttemptRow) -> list[dict[str, str]]:
    """The files that had a place to go to."""
    return [
        {
            "url": f"{one.target.rstrip('/')}/{one.delivered_as or one.path}",
            "path": one.path.removeprefix(ROOT_FOLDER),
            "size_bytes": str(one.size_bytes),
        }
        for one in row.outputs
        if one.target is not None
    ]


def _metadata(row: AttemptRow, plan: PlanRow | None, line: TaskLine) -> dict[str, str]:
    """Where, by which path and for how much. Texts only: TES has no other values here."""
    out = {
        "attempt_id": row.attempt_id,
        "attempt": str(row.fence),
        "site": row.site,
        "billed_micro_yuan": str(line.row.billed_micro_yuan),
    }
    if plan is not None:
        found = plan.plan
        out |= {
            "plan_id": plan.plan_id,
            "pool": plan.pool,
            "path": " > ".join(found.path.sites),
            "latency_us": str(found.path.latency_us),
            "quote_micro_yuan": str(found.quote_micro_yuan),
            "carbon_mg": str(found.carbon_mg),
            "emulated": str(found.emulated).lower(),
        }
        if found.protection:
            out["protection"] = " > ".join(f"{one.function.value}@{one.security_pool}" for one in found.protection)
    if row.reason is not None:
        out["reason"] = row.reason
    return out


def _instant(at_us: int) -> str:
    """RFC 3339 in UTC."""
    return (_EPOCH + dt.timedelta(microseconds=at_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")

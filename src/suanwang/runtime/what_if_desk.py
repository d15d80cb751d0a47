"""What-ifs that a brain is asked for: one at a time, in a process of its own; the last few answers are kept.

Nothing of it is in the log: it changes nothing, and after a restart it is asked again.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from suanwang.model.error import ConflictError, Fault, FaultsError, NotFoundError, SuanwangError
from suanwang.model.grid import Grid, Tenant
from suanwang.model.what_if import WhatIf
from suanwang.model.what_if_ask import WhatIfAsk, WhatIfRun
from suanwang.runtime.what_if import day_start_us, source_of
from suanwang.runtime.what_if_main import Job, error_of
from suanwang.whatif import check_change
from suanwang.whatif.play import with_tenants

KEPT: Final = 8

_log = structlog.get_logger("suanwang.what_if")


@dataclass
class _Entry:
    run: WhatIfRun
    process: subprocess.Popen[bytes]
    error: SuanwangError | None = None


class WhatIfDesk:
    """Thread-safe."""

    def __init__(self, clock: Callable[[], int], make_id: Callable[[], str], make_seed: Callable[[], int]) -> None:
        self._clock, self._make_id, self._make_seed = clock, make_id, make_seed
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def start(self, ask: WhatIfAsk, grid: Grid, tenants: tuple[Tenant, ...], database_url: str) -> WhatIfRun:
        """Begin to play. Raises ConflictError while another is played, FaultsError where the changes do not fit."""
        self._check(ask, grid, tenants)
        seed = ask.seed if ask.seed is not None else self._make_seed()
        job = Job(ask=ask, seed=seed, grid=grid, tenants=tenants, database_url=database_url)
        with self._lock:
            for entry in self._entries.values():
                if entry.run.state == "running":
                    raise ConflictError("what_if_running", run=entry.run.run_id)
            process = subprocess.Popen(
                [sys.executable, "-m", "suanwang.runtime.what_if_main"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,  # what goes wrong in it is written where the brain writes
            )
            run = WhatIfRun(run_id=self._make_id(), state="running", source=source_of(ask.day), asked_us=self._clock())
            entry = self._entries[run.run_id] = _Entry(run, process)
            for old in list(self._entries)[:-KEPT]:
                del self._entries[old]
        body = job.model_dump_json().encode()
        threading.Thread(target=self._follow, args=(entry, body), name="what-if", daemon=True).start()
        return run

    @staticmethod
    def _check(ask: WhatIfAsk, grid: Grid, tenants: tuple[Tenant, ...]) -> None:
        """What can be said before the day is read. A trace brings tenants of its own: those are looked at then."""
        if ask.day.history is not None:
            day_start_us(ask.day.history)
        changes = ask.changes if ask.day.trace is None else ask.changes.model_copy(update={"tenants": ()})
        try:
            check_change(changes, grid, with_tenants(grid, (), tenants), "body")
        except FaultsError as error:
            faults = [Fault(one.code, f"changes.{one.where}", one.got, None, one.params) for one in error.faults]
            raise FaultsError(faults, "body") from None

    def _follow(self, entry: _Entry, body: bytes) -> None:
        """Feed the process and hear it until it ends."""
        process = entry.process
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        try:
            process.stdin.write(body)
            process.stdin.close()
            for line in process.stdout:
                self._hear(entry, json.loads(line))
        except (OSError, ValueError) as error:
            _log.error("what_if_broke", exc_info=error)
        process.wait()
        with self._lock:
            if entry.run.state == "running":
                entry.error = SuanwangError("what_if_failed")
                entry.run = entry.run.model_copy(update={"state": "failed"})

    def _hear(self, entry: _Entry, message: dict[str, Any]) -> None:
        with self._lock:
            if entry.run.state != "running":
                return
            if "result" in message:
                result = WhatIf.model_validate(message["result"])
                entry.run = entry.run.model_copy(update={"state": "done", "result": result})
            elif "error" in message:
                entry.error = error_of(message["error"])
                entry.run = entry.run.model_copy(update={"state": "failed"})
            else:
                entry.run = entry.run.model_copy(update=message)

    def look(self, run_id: str) -> tuple[WhatIfRun, SuanwangError | None]:
        """One run, and why it failed. Raises NotFoundError for one that is not known, or not kept any more."""
        with self._lock:
            entry = self._entries.get(run_id)
            if entry is None:
                raise NotFoundError("what_if_unknown", run=run_id[:80])
            return entry.run, entry.error

    def runs(self) -> tuple[WhatIfRun, ...]:
        """The last few, newest first, without their answers."""
        with self._lock:
            found = [entry.run.model_copy(update={"result": None}) for entry in self._entries.values()]
        return tuple(reversed(found))

    def cancel(self, run_id: str) -> None:
        """End one that is played; one that has ended stays as it is."""
        with self._lock:
            entry = self._entries.get(run_id)
            if entry is None:
                raise NotFoundError("what_if_unknown", run=run_id[:80])
            if entry.run.state == "running":
                entry.run = entry.run.model_copy(update={"state": "cancelled"})
                entry.process.kill()

    def close(self) -> None:
        for run in self.runs():
            if run.state == "running":
                self.cancel(run.run_id)

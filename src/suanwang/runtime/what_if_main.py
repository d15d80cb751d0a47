"""The process that plays a what-if for a brain: the job on the standard input, a line of JSON a message on the output.

    {"tasks": 2000, "ended": 300}      how far it is
    {"result": {...}}                  the answer, or
    {"error": {"code", "status", "params", "source", "faults"}}

It is a process and not a thread, so that the brain keeps its own interpreter to itself.
"""

import json
import os
import sys
from dataclasses import asdict
from typing import Any, Final

from pydantic import BaseModel

from suanwang.model.error import Fault, FaultsError, SuanwangError
from suanwang.model.grid import Grid, Tenant
from suanwang.model.what_if_ask import SERVED_TASKS_MAX, WhatIfAsk
from suanwang.runtime import clock
from suanwang.runtime.what_if import log_of, prepare, run

NICENESS: Final = 10  # the brain beside it goes first
SAY_EVERY_S: Final = 0.2


class Job(BaseModel):
    """What the brain hands over."""

    ask: WhatIfAsk
    seed: int
    grid: Grid
    tenants: tuple[Tenant, ...]
    database_url: str


def main() -> int:
    os.nice(NICENESS)
    try:
        job = Job.model_validate_json(sys.stdin.buffer.read())
        _say({"result": _play(job)})
    except SuanwangError as error:
        _say({"error": error_document(error)})
    return 0


def _play(job: Job) -> dict[str, Any]:
    prepared = prepare(job.ask, job.seed, job.grid, job.tenants, log_of(job.database_url))
    if prepared.tasks > SERVED_TASKS_MAX:
        fault = Fault("what_if_large", "day", str(prepared.tasks), None, {"limit": SERVED_TASKS_MAX})
        raise FaultsError([fault], "day")
    said_s = 0.0

    def say(ended: int, tasks: int) -> None:
        nonlocal said_s
        if clock.monotonic_s() >= said_s + SAY_EVERY_S or ended == tasks:
            said_s = clock.monotonic_s()
            _say({"ended": ended, "tasks": tasks})

    return run(prepared, say, processes=1).model_dump(mode="json")


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, default=str) + "\n")
    sys.stdout.flush()


def error_document(error: SuanwangError) -> dict[str, Any]:
    """An error as plain data; `error_of` makes it again."""
    faults = [asdict(one) for one in error.faults] if isinstance(error, FaultsError) else []
    source = error.source if isinstance(error, FaultsError) else ""
    return {
        "code": error.code,
        "status": error.status,
        "params": error.params,
        "source": source,
        "faults": faults,
    }


def error_of(document: dict[str, Any]) -> SuanwangError:
    """The error of a document."""
    if document["faults"]:
        return FaultsError([Fault(**one) for one in document["faults"]], document["source"])
    error = SuanwangError(document["code"], **document["params"])
    error.status = document["status"]
    return error


if __name__ == "__main__":
    sys.exit(main())

"""The adapters under test, made ready; and what a test needs of this host, by name."""

import os
import shutil
import time
from hashlib import blake2b
from pathlib import Path

import pytest

from suanwang.agent.adapter import TERMINAL, StartOrder, Update
from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.adapters.local import LocalAdapter, LocalSettings
from suanwang.agent.conformance import Work
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import PythonEntry, TaskRequest

WAIT_S = 20.0
STEP_S = 0.01


def now_us() -> int:
    return time.time_ns() // 1000


def monotonic_us() -> int:
    return time.monotonic_ns() // 1000


def lacking() -> str | None:
    """Why the sandbox tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("bwrap") is None:
        return "needs bubblewrap (apt-get install bubblewrap)"
    if not os.access("/sys/fs/cgroup", os.W_OK):
        return "needs writable control groups"
    return None


SANDBOX = [pytest.mark.sandbox, pytest.mark.skipif(lacking() is not None, reason=str(lacking()))]


COUNTER = """
import os, pathlib, signal, sys, time
saved = pathlib.Path("saved.txt")
resumes = os.environ["SUANWANG_RESUMES"] == "1"
assert resumes == saved.exists()
at = int(saved.read_text()) if resumes else 0

def save():
    pathlib.Path("new").write_text(str(at))
    os.replace("new", saved)

def end(*_):
    save()
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
print("started")
while True:
    at += 1
    save()
    time.sleep(0.01)
"""


class FakeRig:
    def __init__(self, folder: Path) -> None:
        self.now_us = 1_000_000_000
        self.objects = LocalObjects(folder / "objects")
        self.restart()

    def clock(self) -> int:
        return self.now_us

    def restart(self) -> None:
        self.adapter = FakeAdapter(self.clock, seed=3, objects=self.objects)

    def request(self, work: Work) -> TaskRequest:
        outcome = {Work.OK: "ok", Work.EXIT_3: "exit:3", Work.SIGNAL_15: "signal:15", Work.OUT_OF_MEMORY: "oom"}
        saved = {"checkpoint": "saved.txt"} if work is Work.SAVES else {}
        return TaskRequest(run="true", tags={"fake.outcome": outcome.get(work, "hang")}, **saved)

    def pass_time(self) -> bool:
        due_us = self.adapter.next_wake_us()
        self.now_us = max(self.now_us + 1, due_us or 0)
        return due_us is not None

    def close(self) -> None:
        self.adapter.close()


class LocalRig:
    """The local adapter with its folder below the test's own. Every wait is bounded."""

    def __init__(self, folder: Path, **options) -> None:
        self.folder = folder
        self.objects = LocalObjects(folder / "objects")
        self.options = options
        self.adapter: LocalAdapter | None = None
        self.clock = now_us
        self.restart()

    def restart(self) -> None:
        if self.adapter is not None:
            self.adapter.close()
        options = dict(self.options)
        # Users of this test process alone, so that tests side by side do not count each other's processes.
        self.uid = 210_000 + os.getpid() % 30_000 * 10
        changes = {"uid_base": self.uid, "uid_count": 10, **options.pop("settings", {})}
        settings = LocalSettings(self.folder / "local", **changes)
        data_sets = options.pop("data_sets", lambda data_set: None)
        self.adapter = LocalAdapter(settings, self.objects, now_us, monotonic_us, data_sets, **options)
        self.gives_up_s = time.monotonic() + WAIT_S

    def request(self, work: Work) -> TaskRequest:
        match work:
            case Work.OK:
                return TaskRequest(run="echo started; echo result > result.txt")
            case Work.EXIT_3:
                return TaskRequest(run="exit 3")
            case Work.SIGNAL_15:
                return TaskRequest(run="kill -15 $$")
            case Work.OUT_OF_MEMORY:
                hog = ("python", "-c", "x = bytearray(400 << 20)")
                return TaskRequest(run=hog, resources={"memory": "64 MiB"})
            case Work.FOREVER:
                return TaskRequest(run="sleep 1000 & sleep 1000")
            case Work.SAVES:
                return TaskRequest(run=PythonEntry(script=COUNTER), checkpoint="saved.txt")

    def pass_time(self) -> bool:
        time.sleep(STEP_S)
        return time.monotonic() < self.gives_up_s

    def close(self) -> None:
        self.adapter.close()

    def groups(self) -> list[Path]:
        """This adapter's own control groups, one a controller on version 1."""
        tail = blake2b(str((self.folder / "local").resolve()).encode(), digest_size=4).hexdigest()
        return list(Path("/sys/fs/cgroup").rglob(f"suanwang-local-{tail}"))

    # For tests beyond conformance -----------------------------------------------------------------------------

    def start(
        self, number: int = 1, *, site: str = "here", not_before_us: int = 0, secrets=None, kept=None, **request
    ) -> StartOrder:
        order = StartOrder(
            site=SiteId(site),
            pool=PoolId(f"{site}/general"),
            task_id=TaskId(f"task-{number:026d}"),
            attempt_id=AttemptId(f"att-{number:026d}"),
            fence=1,
            request=TaskRequest(**request),
            not_before_us=not_before_us,
            secrets=secrets or {},
            kept=kept,
        )
        self.adapter.start(order)
        return order

    def ends(self, count: int = 1) -> list[Update]:
        """Wait for that many last words."""
        seen: list[Update] = []
        while len([u for u in seen if u.kind in TERMINAL]) < count:
            seen += self.adapter.poll()
            assert self.pass_time(), f"waited in vain: {seen}"
        self.seen = seen
        return [u for u in seen if u.kind in TERMINAL]

    def run(self, number: int = 1, **request) -> tuple[Update, str]:
        """Start, wait, and hand back the last word and the log."""
        order = self.start(number, **request)
        (end,) = self.ends()
        return end, self.adapter.read_logs(order.attempt_id, 0, 1 << 26).decode(errors="replace")

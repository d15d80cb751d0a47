"""Slurm's own commands, each with a timeout: the one place where processes are started.

Commands are what every release of Slurm has; nothing is read from their complaints but for a person to read. Whether
the controller is away or says no is told apart by asking it something else.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from suanwang.agent.adapters.slurm import parse
from suanwang.agent.adapters.slurm.parse import Account, JobRow
from suanwang.agent.adapters.slurm.settings import SlurmSettings
from suanwang.model.error import Fault, FaultsError

NEEDED: Final = ("sbatch", "squeue", "scancel", "scontrol")
IDS_AT_ONCE: Final = 500  # in one command line


class AwayError(Exception):
    """The command failed or had no answer in time: nothing is known of what became of it."""


class SlurmTools:
    """The commands of one cluster, run as the user that its jobs belong to. Raises FaultsError where one is missing."""

    def __init__(self, settings: SlurmSettings) -> None:
        self._timeout_s = settings.timeout_s
        paths = {name: shutil.which(name, path=settings.tools) for name in (*NEEDED, "sacct")}
        missing = [name for name in NEEDED if paths[name] is None]
        if missing:
            raise FaultsError([Fault("slurm_tool_missing", name, settings.tools) for name in missing], "agent")
        self._paths = {name: path for name, path in paths.items() if path is not None}
        self.folder = os.path.dirname(self._paths["sbatch"])  # where `srun` is too
        # A clean environment: what is set for the agent, such as SBATCH_PARTITION, is no option of a task.
        self._environment = {"PATH": settings.tools, "LANG": "C.UTF-8", **settings.environment}
        if settings.conf is not None:
            self._environment["SLURM_CONF"] = settings.conf
        self._user = settings.user
        self._uid = os.geteuid() if settings.user is None else settings.user[1]

    def version(self) -> str:
        """The release of the commands, such as 22.05.8; the controller is not asked."""
        words = self._run("sbatch", ["--version"]).split()
        return words[-1] if words else "unknown"

    def config(self) -> Mapping[str, str]:
        return parse.config(self._run("scontrol", ["show", "config"]))

    def show(self, what: str) -> str:
        """All of a kind (partition, node, licenses), a line each, for `discover.records`."""
        return self._run("scontrol", ["--oneliner", "show", what])

    def jobs(self) -> list[JobRow]:
        """Every job of the user that the controller has, ended ones too: one question, whatever their number."""
        options = ["--noheader", f"--user={self._uid}", "--states=all", "-O", parse.QUEUE_FORMAT]
        return parse.queue_rows(self._run("squeue", options))

    def submit(self, options: Sequence[str], script: str) -> int:
        """Hand a script in; the number of the job. AwayError says nothing of whether it got through."""
        said = self._run("sbatch", options, script)
        number = said.strip().splitlines()[-1].partition(";")[0] if said.strip() else ""
        if not number.isdecimal():
            raise AwayError(f"sbatch said {said[:200]!r}")
        return int(number)

    def cancel(self, name: str, job_id: int, *options: str) -> None:
        """End a job, or with `options` signal it. One that is over already is no fault. The name is asked for beside the
        number, since a controller that lost its state gives numbers out again."""
        self._run("scancel", ["--quiet", f"--name={name}", *options, str(job_id)])

    def accounts(self, job_ids: Iterable[int]) -> dict[tuple[int, int | None], Account]:
        """What the accounting says of jobs, where there is one."""
        out: dict[tuple[int, int | None], Account] = {}
        numbers = iter(job_ids)
        while some := [str(one) for one in islice(numbers, IDS_AT_ONCE)]:
            options = ["--noheader", "--parsable2", f"--format={parse.ACCOUNT_FORMAT}", f"--jobs={','.join(some)}"]
            out |= parse.accounts(self._run("sacct", options))
        return out

    def _run(self, name: str, options: Sequence[str], text: str = "") -> str:
        if name not in self._paths:
            raise AwayError(f"{name} is not installed")
        _, uid, gid = self._user if self._user is not None else (None, None, None)
        try:
            done = subprocess.run(
                [self._paths[name], *options],
                input=text.encode("utf-8", "surrogateescape"),
                capture_output=True,
                check=False,
                cwd="/",
                env=self._environment,
                timeout=self._timeout_s,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
            )
        except subprocess.TimeoutExpired as fault:
            raise AwayError(f"{name} had no answer in {self._timeout_s:g} s") from fault
        except OSError as fault:
            raise AwayError(f"{name}: {fault}") from fault
        if done.returncode != 0:
            raise AwayError(f"{name}: {done.stderr.decode(errors='replace').strip()[:300]}")
        return done.stdout.decode(errors="replace")

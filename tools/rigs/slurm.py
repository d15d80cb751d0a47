"""A real Slurm cluster on this host: a controller, three or four nodes, munge; in the foreground, on free ports, gone at the end.

Three nodes are the partition `batch`, a fourth with two accelerators is `gpu`. They claim eight cores each, whatever the
host has. Memory is held by control groups where version 1 can be written to. Nothing else is written outside of one folder
below /tmp, which the work's user may walk through. Node names are of this process, since control groups are named after them.
"""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

WORK_USER = "daemon"  # an account that every Debian has
WAIT_S = 30.0
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
COMMANDS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "munged")
PACKAGES = "slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins"


def lacking() -> str | None:
    """Why no cluster can run here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in COMMANDS if which(name) is None]
    if missing:
        return f"needs Slurm ({missing[0]}; apt-get install {PACKAGES})"
    return None


def which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin")


_CONF = """
ClusterName=town
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin={task_plugin}
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
{memory}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
MaxArraySize=101
EnforcePartLimits=ALL
MaxJobCount=2000
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/ctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/run/ctld.log
SlurmdLogFile={folder}/run/slurmd-%n.log
{accounting}
NodeName={tag}n[1-3] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{node_ports}] CPUs=8 RealMemory=4000
PartitionName=batch Nodes={tag}n[1-3] Default=YES MaxTime=INFINITE
"""
_CARDS = """
NodeName={tag}n4 NodeHostname=localhost NodeAddr=127.0.0.1 Port={gpu_port} CPUs=8 RealMemory=4000 Gres=gpu:a100:2
PartitionName=gpu Nodes={tag}n4
PartitionName=short Nodes={tag}n[1-3] MaxTime=5
"""


def has_memory_groups() -> bool:
    """Whether Slurm can hold jobs to their memory, and say that it did."""
    return (MEMORY_GROUPS / "cgroup.procs").exists() and os.access(MEMORY_GROUPS, os.W_OK)


_COUNT = itertools.count()


class SlurmCluster:
    """Starts at once; `close` leaves neither process nor file."""

    def __init__(
        self,
        accounting: str = "",
        before_controller: Callable[["SlurmCluster"], None] | None = None,
        cards: bool = True,
    ) -> None:
        """`accounting`: lines of slurm.conf; `{folder}` in them is the cluster's. Without `cards` the three nodes are all."""
        self._cards = cards
        self.folder = Path(tempfile.mkdtemp(prefix="suanwang-slurm-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.tag = f"t{os.getpid()}c{next(_COUNT)}"
        self.nodes = tuple(f"{self.tag}n{number}" for number in range(1, 5 if cards else 4))
        for name in ("state", "run", "dev", "bin", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        for name in ("munge.key",):
            (self.folder / name).write_bytes(os.urandom(1024))
            (self.folder / name).chmod(0o600)
        for number in range(2):
            os.mknod(self.folder / "dev" / f"gpu{number}", 0o20666, os.makedev(1, 3))
        python = Path(shutil.which("python3", path="/usr/bin:/usr/local/bin") or "/usr/bin/python3")
        (self.folder / "bin/python").symlink_to(python)
        self.conf = self.folder / "slurm.conf"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (self.folder / "run/daemons.log").open("ab")
        try:
            self._configure(accounting)
            self.start("munged", "-F", *self._munge_options())
            self.until(lambda: (self.folder / "run/munge.sock").exists(), "munge")
            if before_controller is not None:
                before_controller(self)
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self.until_idle()
        except BaseException:
            self.close()
            raise

    def _configure(self, accounting: str) -> None:
        # A run of ports for the nodes, as Slurm writes them; another process may still take one, and then the start fails.
        first = free_run(len(self.nodes) + 1)
        values = {
            "folder": self.folder,
            "tag": self.tag,
            "task_plugin": "task/cgroup" if has_memory_groups() else "task/none",
            "memory": "" if has_memory_groups() else "JobAcctGatherParams=OverMemoryKill",
            "accounting": accounting.replace("{folder}", str(self.folder)),
            "controller_port": first,
            "node_ports": f"{first + 1}-{first + 3}",
            "gpu_port": first + 4,
        }
        self.conf.write_text((_CONF + (_CARDS if self._cards else "")).format(**values))
        if self._cards:
            (self.folder / "gres.conf").write_text(
                f"NodeName={self.nodes[3]} Name=gpu Type=a100 File={self.folder}/dev/gpu[0-1]\n"
            )

        groups = "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\nAllowedSwapSpace=0\n"
        if has_memory_groups():
            (self.folder / "cgroup.conf").write_text(groups)

    def _munge_options(self) -> list[str]:
        run = self.folder / "run"
        return [
            f"--key-file={self.folder}/munge.key",
            f"--socket={run}/munge.sock",
            f"--pid-file={run}/munged.pid",
            f"--log-file={run}/munged.log",
            f"--seed-file={run}/seed",
        ]

    # Daemons --------------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF": str(self.conf)}

    def start(self, name: str, *options: str, key: str | None = None) -> None:
        """A daemon in the foreground, as our child, in a session of its own."""
        program = which(name)
        assert program is not None, f"{name} is not installed"
        self._processes[key or name] = subprocess.Popen(
            [program, *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=self.environment,
            start_new_session=True,
        )

    def kill(self, key: str, number: int = signal.SIGTERM) -> None:
        """End a daemon and wait for it; one that does not listen is killed."""
        process = self._processes.pop(key)
        process.send_signal(number)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def cut_power(self, node: str) -> None:
        """The node's daemon and all that it began end at once; the controller has yet to find out."""
        self.kill(node, signal.SIGKILL)
        self._kill_all(str(self.folder / "spool" / node).encode(), b"SLURMD_NODENAME=" + node.encode() + b"\0")

    def start_controller(self, forget: bool = False) -> None:
        """`forget`: with an empty state, as after the loss of its disk."""
        self.start("slurmctld", "-D", "-c" if forget else "-i")

    def start_node(self, node: str) -> None:
        self.start("slurmd", "-D", "-N", node, key=node)

    def run(self, *command: str, check: bool = True, timeout_s: float = 20) -> str:
        """A command of Slurm's as root, its output."""
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment, timeout=timeout_s
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
        return done.stdout

    def until_idle(self, *nodes: str) -> None:
        """Wait until every node, or those, can take work and has none."""

        def idle() -> bool:
            said = self.run("sinfo", "--noheader", "-N", "-o", "%N %T", check=False, timeout_s=5)
            states = dict(line.split()[:2] for line in said.splitlines() if line)
            return all(states.get(node) == "idle" for node in nodes or self.nodes)

        self.until(idle, "idle nodes")

    def lose_everything(self) -> None:
        """The controller comes back with an empty state; the nodes drop what it does not know."""
        self.kill("slurmctld", signal.SIGKILL)
        self.start_controller(forget=True)
        self.until_idle()

    def jobs(self, *, all_states: bool = False) -> list[str]:
        """`number state name` of every job."""
        options = ["--states=all"] if all_states else []
        return self.run("squeue", "--noheader", "-o", "%A %T %j", *options).splitlines()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, f"no {what} within {WAIT_S} s: {self.trouble()}"
            time.sleep(0.02)

    def trouble(self) -> str:
        """The last lines of what the daemons said."""
        logs = [self.folder / "run/daemons.log", self.folder / "run/ctld.log"]
        said = self.run("sinfo", "--noheader", "-N", "-o", "%N %T %E", check=False)
        return said + "\n".join(log.read_text(errors="replace")[-6000:] for log in logs if log.exists())

    def quiet(self, folder: Path) -> None:
        """No job that works below a folder is left."""

        def left() -> list[str]:
            rows = [line.split() for line in self.run("squeue", "--noheader", "-o", "%A %Z", check=False).splitlines()]
            return [row[0] for row in rows if len(row) == 2 and Path(row[1]).is_relative_to(folder)]

        if jobs := left():
            self.run("scancel", *jobs, check=False)
            self.until(lambda: not left(), "quiet")

    def close(self) -> None:
        for key in [key for key in self._processes if key not in ("munged", "slurmctld")]:
            self.kill(key, signal.SIGKILL)
        for key in list(self._processes):
            self.kill(key)
        self._kill_the_rest()
        self._remove_groups()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_groups(self) -> None:
        for node in self.nodes:
            for folder, _, _ in os.walk(MEMORY_GROUPS / f"slurm_{node}", topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)

    def _kill_the_rest(self) -> None:
        """Step daemons and their work are children of nobody here; they are known by where they are at work."""
        mark = str(self.folder).encode()
        self._kill_all(mark, b"SLURM_CONF=" + mark)

    @staticmethod
    def _kill_all(place: bytes, words: bytes) -> None:
        deadline = time.monotonic() + 5
        while (found := _processes_of(place, words)) and time.monotonic() < deadline:
            # All of them are stopped first, so that none lives to tell how another ended.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in found:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            time.sleep(0.02)


def _processes_of(place: bytes, words: bytes) -> list[int]:
    """Processes that are at work below a folder or have these words in their environment, but for this one and those that
    have ended."""
    out = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            ended = (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            where = os.readlink(entry / "cwd").encode() if not ended else b""
            if not ended and (where.startswith(place) or words in (entry / "environ").read_bytes()):
                out.append(int(entry.name))
    return out


_next_port = itertools.count(20_000 + os.getpid() % 500 * 20)


def free_run(count: int) -> int:
    """The first of `count` ports on end that are free now, below those that the kernel gives out by itself. None is given
    twice by one process, since a daemon may bind late."""
    while True:
        first, *_ = [20_000 + next(_next_port) % 12_000 for _ in range(count)]
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first

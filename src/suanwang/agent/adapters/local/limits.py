"""What is limited, by what, and what stands without root: the table of docs/guide/sandbox.md."""

from typing import Final, NamedTuple

from suanwang.agent.adapter import Limit


class Row(NamedTuple):
    """How one limit is held. `without_root`: what is left of it where the agent is an ordinary user."""

    holds: str
    with_root: str
    without_root: str
    holds_without_root: bool


TABLE: Final[dict[Limit, Row]] = {
    Limit.CPU: Row(
        "`cpu` x `nodes` cores, at most the site's share",
        "CPU quota of the control group (v1 `cpu.cfs_quota_us`, v2 `cpu.max`)",
        "missing, unless a control group is delegated",
        False,
    ),
    Limit.MEMORY: Row(
        "`memory` x `nodes`, at most the site's share; swap and `/dev/shm` count",
        "control group (v1 `memory.limit_in_bytes`, v2 `memory.max`)",
        "missing, unless a control group is delegated",
        False,
    ),
    Limit.PROCESSES: Row(
        "`processes`, threads counted",
        "control group (`pids.max`)",
        "missing, unless a control group is delegated",
        False,
    ),
    Limit.DISK: Row(
        "`disk`: `/task`, `/tmp` and `/run/suanwang` together",
        "an ext4 file system of that size in a loop image",
        "missing: the folder is looked at every second, and a task that is over is ended",
        False,
    ),
    Limit.WALL_TIME: Row(
        "`wall_time` from the start of each element",
        "the agent's monotonic clock, then SIGKILL to the whole tree",
        "the same",
        True,
    ),
    Limit.LOG: Row("16 MiB an attempt (a setting)", "the agent stops writing and leaves a mark", "the same", True),
    Limit.FILES: Row(
        "its own folders, a read-only system",
        "bubblewrap: own mount, process, IPC and UTS namespaces; nothing of the host but `/usr`, the Python and a few "
        "files of `/etc`",
        "the same, in a user namespace",
        True,
    ),
    Limit.USER: Row(
        "a user number of its own for each attempt, no capabilities, a filter of system calls",
        "setpriv inside the walls, before the task's environment is read",
        "missing: it is the agent's own user, without capabilities and with the filter",
        False,
    ),
    Limit.NETWORK: Row(
        "none but its own loopback, unless the task asks and the operator has opened the host's",
        "a network namespace of its own",
        "the same",
        True,
    ),
}


def render() -> str:
    """The table in Markdown."""
    lines = ["| limit | what is held | by what, as root | as an ordinary user |", "| --- | --- | --- | --- |"]
    lines += [f"| `{limit.value}` | {r.holds} | {r.with_root} | {r.without_root} |" for limit, r in TABLE.items()]
    return "\n".join(lines)

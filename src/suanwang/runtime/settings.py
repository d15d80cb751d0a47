"""Every setting in one table: its name, environment variable, type, default and meaning.

`docs/reference/settings.md` is generated from `SETTINGS`; a test holds the two together.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from suanwang.model.error import Fault, FaultsError

BUSES: Final = ("http", "nats")
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class Setting:
    """One setting. `kind` is how its text is read: path, text, int, flag, list (commas), map (`a=b`, commas) or ranks (a map
    to numbers from 0 to 100)."""

    name: str
    kind: str
    default: Any
    meaning: str

    @property
    def variable(self) -> str:
        return f"SUANWANG_{self.name.upper()}"


def default_home() -> Path:
    """`~/.local/share/suanwang`, or where XDG_DATA_HOME says."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "suanwang"


SETTINGS: Final = (
    Setting("home", "path", None, "Folder of the store, the objects, the logs and the keys of this brain."),
    Setting("store_url", "text", "", "Store: `sqlite:///path` or `postgresql+psycopg://...`; empty: SQLite in the home."),
    Setting("grid", "text", "china", "Grid file, or `china` for the grid that ships with Suanwang."),
    Setting("host", "text", "127.0.0.1", "Address that the API listens on."),
    Setting("port", "int", 8440, "Port that the API listens on; 0 takes a free one."),
    Setting("bus", "text", "http", "How agents reach the brain: `http`, or `nats`, a NATS server with JetStream."),
    Setting("nats_url", "text", "", "Servers of the operator's own NATS cluster, `tls://host:port`, commas between; empty: one of the brain's own."),
    Setting("nats_host", "text", "", "Address of the brain's own NATS server, as agents reach it; empty: that of `host`."),
    Setting("nats_port", "int", 4222, "Port of the brain's own NATS server; 0: a free one, and then always that."),
    Setting("nats_account", "text", "", "With `nats_url`: file with the seed of the account (or of a signing key of it) that lets users in."),
    Setting("nats_ca", "text", "", "With `nats_url`: file with the authority (PEM) that signed the servers' certificates."),
    Setting("nats_replicas", "int", 1, "With `nats_url`: on how many servers of the cluster what goes up is kept."),
    Setting("heartbeat_lost_s", "int", 15, "Seconds without a word from an agent after which its sites count as down."),
    Setting("adapter", "text", "local", "What an agent works with: `local`, this host; `slurm`, a Slurm cluster; `kubernetes`, a Kubernetes cluster; `quantum`, simulated quantum devices; `tes`, another GA4GH TES server; `ray`, a Ray cluster."),
    Setting("slurm_file", "text", "", "Operator's file of the Slurm adapter: pools to partitions, and whom work runs as."),
    Setting("slurm_poll_s", "int", 1, "Seconds between two questions to the Slurm controller, for all jobs at once; 0: a tenth."),
    Setting("kubernetes_file", "text", "", "Operator's file of the Kubernetes adapter: pools to namespaces and nodes, the shared folder, whom work runs as."),
    Setting("kubeconfig", "text", "", "File that says how the Kubernetes API server is reached; empty: KUBECONFIG, ~/.kube/config, or the agent's own pod."),
    Setting("quantum_file", "text", "", "Operator's file of the quantum adapter: the devices; empty: one for each quantum pool."),
    Setting("tes_file", "text", "", "Operator's file of the TES adapter: the server, its storage, the image that tasks run in, and the pools."),
    Setting("ray_file", "text", "", "Operator's file of the Ray adapter: the head's address, the shared folder, and pools to resources and runtime environments."),
    Setting("host_cores", "int", 0, "Cores of this host that the local adapter may use; 0: all of them."),
    Setting("stop_grace_s", "int", 10, "Seconds from SIGTERM to SIGKILL for a task with a checkpoint that the grid stops."),
    Setting("task_network", "flag", False, "Let tasks that ask for it use the host's network."),
    Setting("lab", "text", "", "A lab that is up: its routers take the live plans' paths, and tasks a network in it."),
    Setting("input_allow", "list", (), "Private networks (CIDR) or hosts that http and s3 inputs may come from."),
    Setting("output_roots", "list", (), "Folders that `file://` outputs may be delivered to."),
    Setting("s3_endpoint", "text", "", "S3 endpoint address; empty: the public one of the client library."),
    Setting("s3_readable", "list", (), "Buckets, or bucket/prefix, that `s3://` inputs may come from."),
    Setting("s3_writable", "list", (), "Buckets, or bucket/prefix, that `s3://` outputs may be delivered to."),
    Setting("allow_unsandboxed", "flag", False, "Where bubblewrap is missing: run tasks as the agent's own user."),
    Setting("object_bytes_max", "int", 1 << 34, "Largest object that may be uploaded, in bytes."),
    Setting("log_bytes_max", "int", 1 << 24, "Largest log that is kept of one attempt, in bytes."),
    Setting("tes_host_images", "list", (), "Images, or patterns such as `alpine*`, that in TES tasks, Kubernetes Jobs and SkyPilot files stand for the site's own system."),
    Setting("tes_network", "flag", False, "Tasks in the forms of other systems ask for a network, as they have one there; see `task_network`."),
    Setting("tes_wall_time_s", "int", 3600, "Longest run, in seconds, of a task in the form of another system that does not say."),
    Setting("tes_open", "flag", False, "TES callers on this machine need no key: they act for this installation's tenant. Not with `task_network`."),
    Setting("door_partitions", "map", (), "What partitions of `#SBATCH` scripts stand for: `gpu=ai,debug=site-a+site-b`: sites, regions, kinds, models."),
    Setting("door_priorities", "ranks", (), "Priorities of QOS and priority classes: `high=50,low=1`."),
    Setting("scarcity_s", "int", 60, "Seconds between two computations of what is scarce; 0: it is not computed."),
    Setting("trust_s", "int", 21600, "Seconds between two check tasks at each site that has joined; 0: only when asked."),
    Setting("rerun_permille", "int", 20, "Of a thousand repeatable results of third parties' sites, how many are run again on own sites and compared; 0: none."),
    Setting("optimise_s", "int", 30, "Seconds between two looks for better plans of what has not begun; 0: none."),
    Setting("url", "text", "", "For clients: the address of a running brain; empty: a brain in this process."),
    Setting("key", "text", "", "For clients: the API key."),
    Setting("lang", "text", "", "Language of texts: `en`, `zh-hant` or `zh-hans`; empty: from LANG."),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The settings as read; the fields are the names of `SETTINGS`."""

    home: Path
    store_url: str = ""
    grid: str = "china"
    host: str = "127.0.0.1"
    port: int = 8440
    bus: str = "http"
    nats_url: str = ""
    nats_host: str = ""
    nats_port: int = 4222
    nats_account: str = ""
    nats_ca: str = ""
    nats_replicas: int = 1
    heartbeat_lost_s: int = 15
    adapter: str = "local"
    slurm_file: str = ""
    slurm_poll_s: int = 1
    kubernetes_file: str = ""
    kubeconfig: str = ""
    quantum_file: str = ""
    tes_file: str = ""
    ray_file: str = ""
    host_cores: int = 0
    stop_grace_s: int = 10
    task_network: bool = False
    lab: str = ""
    input_allow: tuple[str, ...] = ()
    output_roots: tuple[str, ...] = ()
    s3_endpoint: str = ""
    s3_readable: tuple[str, ...] = ()
    s3_writable: tuple[str, ...] = ()
    allow_unsandboxed: bool = False
    object_bytes_max: int = 1 << 34
    log_bytes_max: int = 1 << 24
    tes_host_images: tuple[str, ...] = ()
    tes_network: bool = False
    tes_wall_time_s: int = 3600
    tes_open: bool = False
    door_partitions: tuple[tuple[str, str], ...] = ()
    door_priorities: tuple[tuple[str, int], ...] = ()
    scarcity_s: int = 60
    trust_s: int = 21600
    rerun_permille: int = 20
    optimise_s: int = 30
    url: str = ""
    key: str = ""
    lang: str = ""

    @property
    def database_url(self) -> str:
        return self.store_url or f"sqlite:///{self.home / 'store.db'}"


assert [one.name for one in SETTINGS] == [one.name for one in fields(Settings)], "the table and the type agree"


def read_settings(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from the environment, then from `given`, which wins. Raises FaultsError with every bad value."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {"home": default_home()}
    faults: list[Fault] = []
    for setting in SETTINGS:
        text = environment.get(setting.variable)
        if text is None or text == "":
            continue
        try:
            values[setting.name] = _read(setting.kind, text)
        except ValueError:
            faults.append(Fault("setting_form", setting.variable, text, params={"kind": setting.kind}))
    if faults:
        raise FaultsError(faults, "environment")
    return Settings(**(values | {name: value for name, value in given.items() if value is not None}))


def check_together(settings: Settings) -> None:
    """Settings that a brain may not have at once. Raises FaultsError.

    A task on the host's network calls from this host's loopback like anybody who sits at it: it would need no key either.
    """
    faults = list(_bus_faults(settings))
    if settings.tes_open and settings.task_network:
        faults.append(Fault("tes_open_network", "SUANWANG_TES_OPEN", "1"))
    if faults:
        raise FaultsError(faults, "environment")


def _bus_faults(settings: Settings) -> Iterator[Fault]:
    if settings.bus not in BUSES:
        yield Fault("bus_unknown", "SUANWANG_BUS", settings.bus, params={"known": ", ".join(BUSES)})
    if settings.bus != "nats" or not settings.nats_url:
        return
    if not settings.nats_account:
        yield Fault("nats_account_needed", "SUANWANG_NATS_ACCOUNT")
    for server in settings.nats_url.split(","):
        found = urlsplit(server.strip())
        if found.scheme not in ("tls", "nats") or not found.hostname:
            yield Fault("nats_url_form", "SUANWANG_NATS_URL", server.strip())
        elif found.scheme == "nats" and found.hostname not in ("localhost", "127.0.0.1", "::1"):
            yield Fault("nats_plain", "SUANWANG_NATS_URL", server.strip())


def _read(kind: str, text: str) -> Any:
    if kind == "path":
        return Path(text).expanduser()
    if kind == "int":
        number = int(text)
        if number < 0:
            raise ValueError(text)
        return number
    if kind == "flag":
        if text.lower() not in _FLAGS:
            raise ValueError(text)
        return _FLAGS[text.lower()]
    if kind in ("map", "ranks"):
        return _pairs(text, kind == "ranks")
    if kind == "list":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _pairs(text: str, ranks: bool) -> tuple[tuple[str, str | int], ...]:
    out: list[tuple[str, str | int]] = []
    for part in text.split(","):
        name, equals, value = (one.strip() for one in part.partition("="))
        if not (name and equals and value) or (ranks and not 0 <= int(value) <= 100):
            raise ValueError(text)
        out.append((name, int(value) if ranks else value))
    return tuple(out)

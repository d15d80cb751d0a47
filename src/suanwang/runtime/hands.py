"""Builds the local adapter from the settings: what this host lends, and what inputs and outputs may travel by."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from suanwang.agent.adapters.local import LocalAdapter, LocalSettings, NetworkRule
from suanwang.agent.adapters.local.gate import Join
from suanwang.agent.objects import ObjectStore
from suanwang.agent.rules import HttpRules, S3Rules, TransferRules
from suanwang.agent.staging import DataSets, StandIn
from suanwang.model.grid import DataSet, PoolKind
from suanwang.model.ids import DataSetId
from suanwang.runtime import clock
from suanwang.runtime.settings import Settings


def local_adapter(
    settings: Settings,
    folder: Path,
    objects: ObjectStore,
    data_sets: dict[DataSetId, DataSet],
    join: Join | None = None,
    emulated: bool = True,
) -> LocalAdapter:
    """The adapter over this host. Agents of one home share its locks, and so its cores. `join` gives tasks that ask for
    one a network of their own. Not `emulated`: the host is a site itself, and has no stand-ins for data."""
    rule = NetworkRule.HOST if settings.task_network else NetworkRule.REFUSE
    local = LocalSettings(
        folder=folder / "work",
        locks=settings.home / "agents" / "locks",
        host_cores=settings.host_cores or None,
        network=rule if join is None else NetworkRule.JOIN,
        join=join,
        allow_unsandboxed=settings.allow_unsandboxed,
        log_bytes_max=settings.log_bytes_max,
        grace_us=settings.stop_grace_s * 1_000_000,
        hidden=(settings.home,),
        emulated=emulated,
        kinds=frozenset(PoolKind) if emulated else frozenset({PoolKind.GENERAL}),
    )
    rules = transfer_rules(settings)
    return LocalAdapter(
        local, objects, clock.now_us, clock.monotonic_us, stand_ins(data_sets if emulated else {}), rules
    )


def stand_ins(data_sets: dict[DataSetId, DataSet]) -> DataSets:
    """An emulated site shows a deterministic stand-in for a data set of the grid."""

    def find(data_set: DataSetId) -> StandIn | None:
        found = data_sets.get(data_set)
        if found is None:
            return None
        return StandIn(found.content_seed or 0, found.content_bytes)

    return find


def transfer_rules(settings: Settings) -> TransferRules:
    """Everything closed but what the settings open."""
    networks, hosts = _split(settings.input_allow)
    s3 = None
    if settings.s3_readable or settings.s3_writable:
        endpoint = settings.s3_endpoint or None
        s3 = S3Rules(endpoint=endpoint, readable=settings.s3_readable, writable=settings.s3_writable)
    roots = tuple(Path(root) for root in settings.output_roots)
    return TransferRules(HttpRules(hosts, networks), s3, roots)


def _split(allowed: tuple[str, ...]) -> tuple[tuple[IPv4Network | IPv6Network, ...], frozenset[str]]:
    networks: list[IPv4Network | IPv6Network] = []
    hosts: set[str] = set()
    for one in allowed:
        try:
            networks.append(ip_network(one))
        except ValueError:
            hosts.add(one)
    return tuple(networks), frozenset(hosts)

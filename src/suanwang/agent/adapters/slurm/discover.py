"""What a Slurm cluster could lend to the grid: its partitions, shapes of nodes, accelerators, limits and licences."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.remote.names import free, slug
from suanwang.agent.adapters.slurm.limits import missing_limits
from suanwang.agent.adapters.slurm.parse import span_us
from suanwang.agent.adapters.slurm.tools import SlurmTools
from suanwang.agent.needed import lacks_of
from suanwang.model.grid import Ability, PoolKind
from suanwang.model.joining import NOTES_MAX, POOLS_MAX, FoundPool, Inventory
from suanwang.model.units import MIB

# States of a node that say it will not take work by itself soon.
GONE: Final = re.compile(r"DOWN|DRAIN|FAIL|FUTURE|UNKNOWN|NOT_RESPONDING|POWERED_OFF|INVAL")
_GPU: Final = re.compile(r"^gpu(?::([A-Za-z0-9_.-]+))?:(\d+)(?:\(.*\))?$")
_KEY: Final = re.compile(r"^([A-Za-z][A-Za-z0-9_:/]*)=(.*)$")


class Shape(NamedTuple):
    """What nodes have in common that are one pool."""

    partition: str
    cores: int
    memory_bytes: int
    model: str  # empty: no accelerators
    cards: int
    resource: str  # what `sbatch --gres` calls them


def discover(tools: SlurmTools, enforces: frozenset[Limit] = frozenset()) -> Inventory:
    """Every partition that is up, by shapes of nodes. A node of several partitions counts in one: the default one, else the
    first by name. `enforces`: limits that the site keeps by other means. Raises AwayError where the controller does not answer."""
    partitions = {one["PartitionName"]: one for one in records(tools.show("partition")) if "PartitionName" in one}
    notes: list[str] = []
    found: defaultdict[Shape, int] = defaultdict(int)
    gone: list[str] = []
    for node in records(tools.show("node")):
        if GONE.search(node.get("State", "")):
            gone.append(node.get("NodeName", "?"))
            continue
        shape = _shape(node, partitions)
        if shape is not None:
            found[shape] += 1
    if gone:
        notes.append(f"not counted, since down or drained: {', '.join(gone)}"[:300])
    closed = [name for name, one in partitions.items() if one.get("State", "UP") != "UP"]
    if closed:
        notes.append(f"partitions that are not up: {', '.join(closed)}"[:300])
    missing = missing_limits(tools.config(), enforces)
    lacks = {Ability.CIRCUITS, Ability.IMAGES, Ability.MOUNTS, Ability.SECRETS, *lacks_of(missing)}
    short = {"lacks": tuple(one for one in Ability if one in lacks)}
    pools = tuple(one.model_copy(update=short) for one in _pools(found, partitions))
    notes += [f"cannot hold a task to its {limit.value}: {why}"[:300] for limit, why in missing.items()]
    licences = {one["LicenseName"]: int(one["Total"]) for one in records(tools.show("licenses")) if _counts(one)}
    return Inventory(
        adapter="slurm",
        version=f"Slurm {tools.version()}"[:80],
        pools=pools[:POOLS_MAX],
        limits=tuple(sorted(limit.value for limit in Limit if limit not in missing)),
        licences=dict(sorted(licences.items())[:64]),
        notes=tuple(notes[:NOTES_MAX]),
    )


def records(text: str) -> Iterator[Mapping[str, str]]:
    """The lines of `scontrol show ... --oneliner`: `Key=value`, and a value may have spaces."""
    for line in text.splitlines():
        out: dict[str, str] = {}
        last = ""
        for word in line.split():
            match = _KEY.match(word)
            if match is not None:
                last = match[1]
                out[last] = match[2]
            elif last:
                out[last] += f" {word}"
        if out:
            yield out


def _counts(licence: Mapping[str, str]) -> bool:
    return "LicenseName" in licence and licence.get("Total", "").isdecimal()


def _shape(node: Mapping[str, str], partitions: Mapping[str, Mapping[str, str]]) -> Shape | None:
    names = [one for one in node.get("Partitions", "").split(",") if partitions.get(one, {}).get("State", "UP") == "UP"]
    names = sorted(one for one in names if one in partitions)
    cores, memory = node.get("CPUTot", "0"), node.get("RealMemory", "0")
    if not names or not cores.isdecimal() or not memory.isdecimal() or not int(cores) * int(memory):
        return None
    chosen = next((one for one in names if partitions[one].get("Default") == "YES"), names[0])
    model, cards, resource = _cards(node.get("Gres", ""))
    return Shape(chosen, int(cores), int(memory) * MIB, model, cards, resource)


def _cards(gres: str) -> tuple[str, int, str]:
    """`gpu:a100:4(S:0-1),shard:8` -> a100, 4, gpu:a100. Of several models the first."""
    for part in re.split(r",(?![^(]*\))", gres):
        match = _GPU.match(part.strip())
        if match is not None and int(match[2]):
            model = match[1]
            return (slug(model), int(match[2]), f"gpu:{model}") if model else ("gpu", int(match[2]), "gpu")
    return "", 0, ""


def _pools(found: Mapping[Shape, int], partitions: Mapping[str, Mapping[str, str]]) -> Iterator[FoundPool]:
    taken: set[str] = set()
    for shape, nodes in sorted(found.items()):
        name = free(slug(shape.partition), taken)
        limit = partitions[shape.partition].get("MaxTime", "UNLIMITED")
        yield FoundPool(
            name=name,
            kind=PoolKind.AI if shape.cards else PoolKind.GENERAL,
            nodes=nodes,
            cores_per_node=shape.cores,
            memory_bytes_per_node=shape.memory_bytes,
            accelerator_model=shape.model or None,
            accelerators_per_node=min(shape.cards, 64),
            queue=shape.partition,
            resource=shape.resource,
            time_limit_us=span_us(limit) or None,
        )

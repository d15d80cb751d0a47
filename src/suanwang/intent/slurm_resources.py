"""From Slurm's nodes, tasks, CPUs, memory and cards to what each node of a task holds. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from suanwang.intent.foreign import model_of
from suanwang.intent.slurm_options import Given
from suanwang.intent.slurm_values import BadValueError, Cards, cards, gres_cards, memory_bytes, whole
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault
from suanwang.model.units import MIB

T = TypeVar("T")
_MEMORY: Final = ("mem", "mem-per-cpu", "mem-per-gpu")
_CARDS: Final = ("gpus", "gpus-per-node", "gpus-per-task", "gres")


@dataclass
class Shape:
    """Fields of `resources` with the option that each came from, and the variables that a job sees."""

    fields: dict[str, tuple[Any, str]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def shape_of(options: Mapping[str, Given], rules: DoorRules, faults: list[Fault], warnings: list[Fault]) -> Shape:
    """What a node holds. Notes every fault."""
    return _Shaper(options, rules, faults, warnings).shape()


class _Shaper:
    def __init__(
        self, options: Mapping[str, Given], rules: DoorRules, faults: list[Fault], warnings: list[Fault]
    ) -> None:
        self.options, self.rules, self.faults, self.warnings = options, rules, faults, warnings
        self.out = Shape()

    def _value(self, name: str, read: Callable[[str], T], default: T) -> T:
        one = self.options.get(name)
        if one is None:
            return default
        try:
            return read(one.value)
        except BadValueError as bad:
            self.faults.append(one.fault(bad.code, **bad.params))
            return default

    def _count(self, name: str, default: int = 0) -> int:
        return self._value(name, lambda text: whole(text, 1), default)

    def shape(self) -> Shape:
        nodes, per_node, tasks = self._counts()
        each = self._count("cpus-per-task", 1)
        found = self._cards(nodes, per_node)
        cpus = max(per_node * each, self._count("mincpus", 1))
        if "cpus-per-gpu" in self.options:
            cpus = max(cpus, self._count("cpus-per-gpu", 1) * found.count)
        self._set("cpu", cpus, next((one for one in ("cpus-per-task", "ntasks", "mincpus") if one in self.options), ""))
        if nodes > 1:
            self._set("nodes", nodes, "nodes" if "nodes" in self.options else "ntasks-per-node")
        self._memory(cpus, found.count)
        self._exclusive(found)
        self._tell(nodes, tasks, per_node, each, found)
        return self.out

    def _set(self, name: str, value: Any, option: str) -> None:
        self.out.fields[name] = (value, option)

    def _counts(self) -> tuple[int, int, int]:
        """Nodes, tasks on each, and tasks in all. So many tasks without a word on nodes share one."""
        nodes = self._value("nodes", _nodes, 0)
        tasks, per_node = self._count("ntasks"), self._count("ntasks-per-node")
        if not nodes:
            nodes = -(-tasks // per_node) if tasks and per_node else 1
        if not tasks:
            tasks = nodes * (per_node or 1)
        if tasks < nodes:  # as Slurm does: a node without a task is not held
            self.warnings.append(self.options["nodes"].warning("slurm_nodes_idle", tasks=tasks))
            nodes = tasks
        return nodes, max(1, -(-tasks // nodes)), tasks

    def _cards(self, nodes: int, per_node: int) -> Cards:
        """The cards of one node. Several options may say the same, and must."""
        found: dict[str, Cards] = {}
        for name in _CARDS:
            if name not in self.options:
                continue
            given = self._value(name, gres_cards if name == "gres" else cards, Cards(None, 0))
            count = given.count
            if name == "gpus-per-task":
                count *= per_node
            elif name == "gpus":
                if count % nodes:
                    self.faults.append(self.options[name].fault("slurm_gpus_uneven", nodes=nodes))
                count //= nodes
            found[name] = Cards(given.model, count)
        if not found:
            return Cards(None, 0)
        name = next(iter(found))
        for other, one in found.items():
            if one.count != found[name].count:
                self.faults.append(self.options[other].fault("slurm_gpus_differ", other=f"--{name}"))
        model = next((one.model for one in found.values() if one.model is not None), None)
        whole_count = found[name].count
        if whole_count:
            self._set("accelerators", whole_count, name)
            self._set("accelerator", "any" if model is None else model_of(model, self.rules), name)
        return Cards(model, whole_count)

    def _memory(self, cpus: int, count: int) -> None:
        given = [name for name in _MEMORY if name in self.options]
        by_line = [name for name in given if self.options[name].line is None] or given  # the command line wins
        if len(by_line) > 1:
            self.faults.append(self.options[by_line[-1]].fault("slurm_memory_twice", other=f"--{by_line[0]}"))
        if not by_line:
            return
        name = by_line[-1]
        amount = self._value(name, memory_bytes, 0)
        if name == "mem" and not amount and not self.faults:
            self._whole_memory(name)
            return
        many = {"mem": 1, "mem-per-cpu": cpus, "mem-per-gpu": count}[name]
        if not many:
            self.faults.append(self.options[name].fault("slurm_memory_no_gpu"))
        self._set("memory", amount * many, name)
        variable = {"mem": "SLURM_MEM_PER_NODE", "mem-per-cpu": "SLURM_MEM_PER_CPU", "mem-per-gpu": "SLURM_MEM_PER_GPU"}
        self.out.variables[variable[name]] = str(amount // MIB)

    def _whole_memory(self, name: str) -> None:
        """`--mem=0` is all of a node's memory: where the node is the job's alone it has that anyhow."""
        if "exclusive" not in self.options:
            self.faults.append(self.options[name].fault("slurm_memory_all"))

    def _exclusive(self, found: Cards) -> None:
        one = self.options.get("exclusive")
        if one is None:
            return
        if found.count:
            self.faults.append(one.fault("slurm_exclusive_gpus"))
        elif one.value in ("user", "mcs", "topo"):
            self.warnings.append(one.warning("slurm_no_effect"))
        else:
            self._set("kind", "hpc", "exclusive")

    def _tell(self, nodes: int, tasks: int, per_node: int, each: int, found: Cards) -> None:
        spread = f"(x{nodes})" if nodes > 1 else ""
        told = {
            "SLURM_NNODES": nodes,
            "SLURM_JOB_NUM_NODES": nodes,
            "SLURM_NTASKS": tasks,
            "SLURM_NPROCS": tasks,
            "SLURM_TASKS_PER_NODE": _spread(tasks, nodes),
            "SLURM_JOB_CPUS_PER_NODE": f"{self.out.fields['cpu'][0]}{spread}",
        }
        if "cpus-per-task" in self.options:
            told["SLURM_CPUS_PER_TASK"] = each
        if "ntasks-per-node" in self.options:
            told["SLURM_NTASKS_PER_NODE"] = per_node
        if found.count:
            told |= {"SLURM_GPUS": found.count * nodes, "SLURM_GPUS_ON_NODE": found.count}
        self.out.variables |= {name: str(value) for name, value in told.items()}


def _spread(tasks: int, nodes: int) -> str:
    """How many tasks each node has, as Slurm writes it: `3(x2),2` of eight on three."""
    least, more = divmod(tasks, nodes)
    counts = ((least + 1, more), (least, nodes - more))
    return ",".join(f"{count}(x{many})" if many > 1 else f"{count}" for count, many in counts if many)


def _nodes(text: str) -> int:
    """`4`, or `2-4`: the grid plans for a number, and the smallest is the one that is needed."""
    least, dash, most = text.partition("-")
    count = whole(least, 1)
    if dash and whole(most, 1) < count:
        raise BadValueError("slurm_count_form", least=count, most="1,000,000")
    return count

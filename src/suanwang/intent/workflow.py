"""A workflow file -> `Workflow`, or every fault with its line. Pure.

workflow: genomes
defaults: {origin: gz}        # any field of a task but `after` and `inputs`
tasks:
  prepare: {run: ..., outputs: [{path: parts/*.txt}]}
  count:
    run: ...
    inputs: [{source: "task:prepare/parts/*.txt", path: parts}]
  mend: {run: ..., after: {count: failed}}
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from suanwang.intent.document import TASK_BYTES_MAX, Document, Loc, parse
from suanwang.intent.mapping import NEAREST_MIN, Found
from suanwang.intent.read import check_task, raise_found
from suanwang.intent.workflow_edges import Tie, circles, in_order, undeclared
from suanwang.model.ids import SLUG_PATTERN
from suanwang.model.task import AFTER_MAX, TASK_SOURCE, TaskRequest, When, edge_of
from suanwang.model.workflow import STEPS_MAX, Step, Workflow, stand_in

FIELDS: Final = ("workflow", "defaults", "tasks")
NOT_DEFAULT: Final = ("after", "inputs", "name")
MERGED: Final = ("resources", "environment", "tags")  # of these a task's own replace defaults one by one
_WHENS: Final = ", ".join(f"`{one}`" for one in When)


def read_workflow(text: str | bytes, source: str = "workflow", now_us: int | None = None) -> Workflow:
    """The workflow in a YAML or JSON text. Raises FaultsError with every fault of it and of its tasks."""
    document = parse(text, source, TASK_BYTES_MAX)
    reader = _Reader(document, now_us)
    workflow = reader.read()
    raise_found(list({(one.code, one.loc): one for one in reader.found}.values()), document)
    assert workflow is not None, "no fault means a workflow"
    return workflow


def written(workflow: Workflow) -> dict[str, Any]:
    """The file of a workflow, without what is as by default."""
    names = {stand_in(place): one.name for place, one in zip(workflow.places, workflow.steps, strict=True)}
    tasks: dict[str, Any] = {}
    for _, one in sorted(zip(workflow.places, workflow.steps, strict=True)):
        data = json.loads(one.request.model_dump_json(exclude_defaults=True))
        if one.request.after:
            data["after"] = {names[to.task]: to.when.value for to in one.request.after}
        for each in data.get("inputs", ()):
            edge = edge_of(each["source"])
            if edge is not None:
                each["source"] = f"{TASK_SOURCE}{names[edge.task]}/{edge.path}"
        tasks[one.name] = data
    return {"workflow": workflow.name, "tasks": tasks}


@dataclass
class _Reader:
    document: Document
    now_us: int | None
    found: list[Found] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)  # what stands for the id of each task
    ties: list[Tie] = field(default_factory=list)

    def fault(self, code: str, loc: Loc, got: Any = "", **params: Any) -> None:
        self.found.append(Found(code, loc, got, params))

    def read(self) -> Workflow | None:
        data = self.document.data
        if not isinstance(data, dict):
            self.fault("not_a_mapping", (), data)
            return None
        self._names_known(data, FIELDS, ())
        name = self._name(data)
        tasks, defaults = data.get("tasks"), self._defaults(data)
        if "tasks" not in data:
            self.fault("missing", ("tasks",), "", field="tasks")
            return None
        if not isinstance(tasks, dict) or not tasks:
            self.fault("workflow_tasks", ("tasks",), tasks)
            return None
        if len(tasks) > STEPS_MAX:
            self.fault("too_long", ("tasks",), f"{len(tasks)}", limit=STEPS_MAX)
            return None
        self.ids = {one: stand_in(place) for place, one in enumerate(tasks)}
        requests = {one: self._task(one, own, defaults) for one, own in tasks.items()}
        self.found += circles(self.ties)
        whole = {one: request for one, request in requests.items() if request is not None}
        self.found += undeclared(self.ties, whole)
        if self.found:
            return None
        order = in_order(list(whole), self.ties)
        places = {one: place for place, one in enumerate(tasks)}
        steps = tuple(Step(name=one, request=whole[one]) for one in order)
        return Workflow(name=name, steps=steps, places=tuple(places[one] for one in order))

    def _names_known(self, data: Mapping[str, Any], known: tuple[str, ...], loc: Loc) -> None:
        for one in data:
            if one in known:
                continue
            near = difflib.get_close_matches(str(one), known, n=1, cutoff=NEAREST_MIN)
            if near:
                self.fault("unknown_field_near", (*loc, one), one, near=near[0])
            else:
                self.fault("unknown_field", (*loc, one), one, known=", ".join(f"`{each}`" for each in known))

    def _name(self, data: Mapping[str, Any]) -> str:
        name = data.get("workflow")
        if name is None:
            self.fault("missing", ("workflow",), "", field="workflow")
        elif not isinstance(name, str):
            self.fault("not_text", ("workflow",), name)
        elif not 0 < len(name) <= 200:
            self.fault("too_long" if name else "too_short", ("workflow",), name, limit=200 if name else 1)
        elif not name.isprintable():
            self.fault("control_in_text", ("workflow",), repr(name)[:80])
        return str(name)

    def _defaults(self, data: Mapping[str, Any]) -> dict[str, Any]:
        found = data.get("defaults", {})
        if not isinstance(found, dict):
            self.fault("not_a_mapping", ("defaults",), found)
            return {}
        for one in NOT_DEFAULT:
            if one in found:
                self.fault("workflow_default", ("defaults", one), one)
        return {name: value for name, value in found.items() if name not in NOT_DEFAULT}

    # -- a task ------------------------------------------------------------------------------------------------

    def _task(self, name: str, own: Any, defaults: Mapping[str, Any]) -> TaskRequest | None:
        loc: Loc = ("tasks", name)
        if not re.match(SLUG_PATTERN, name):
            self.fault("slug_form", loc, name)
        if not isinstance(own, dict):
            self.fault("not_a_mapping", loc, own)
            return None
        merged = {**defaults, "name": name, **own}
        for each in MERGED:
            if isinstance(defaults.get(each), dict) and isinstance(own.get(each), dict):
                merged[each] = {**defaults[each], **own[each]}
        before = len(self.found)
        merged["after"] = [{"task": self.ids[to], "when": when} for to, when in self._after(name, own)]
        merged["inputs"] = self._inputs(name, own)
        if not merged["inputs"]:
            del merged["inputs"]
        request, found = check_task(Document(merged, self.document.source, lambda: None), self.now_us)
        self.found += [_moved(one, self._home(one.loc, loc, own, defaults)) for one in found]
        return request if len(self.found) == before else None

    def _home(self, found: Loc, loc: Loc, own: Mapping[str, Any], defaults: Mapping[str, Any]) -> Loc:
        """Where a field of a merged task is written."""
        head = found[0] if found else None
        if head == "after" and len(found) > 1 and isinstance(found[1], int):
            names = list(own.get("after", {}))
            return (*loc, "after", names[found[1]]) if found[1] < len(names) else (*loc, "after")
        inner = found[1] if len(found) > 1 else None
        given = own.get(head) if isinstance(head, str) else None
        mine = head in own and not (head in MERGED and isinstance(given, dict) and inner not in (None, *given))
        return (*loc, *found) if mine or head not in defaults else ("defaults", *found)

    def _after(self, name: str, own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """`{other: when}`; what is wrong with one is told, and it is left out."""
        after, loc = own.get("after", {}), ("tasks", name, "after")
        if not isinstance(after, dict):
            self.fault("workflow_after", loc, after)
            return
        if len(after) > AFTER_MAX:
            self.fault("too_long", loc, f"{len(after)}", limit=AFTER_MAX)
            return
        for to, when in after.items():
            if not self._is_known(to, (*loc, to)):
                continue
            if not isinstance(when, str) or when not in list(When):
                self.fault("not_one_of", (*loc, to), when, expected=_WHENS)
                continue
            self.ties.append(Tie(name, to, (*loc, to)))
            yield to, when

    def _inputs(self, name: str, own: Mapping[str, Any]) -> Any:
        """The inputs, with what stands for ids where they name other tasks."""
        inputs, out = own.get("inputs", []), []
        if not isinstance(inputs, list):
            return inputs
        for at, one in enumerate(inputs):
            source = one.get("source") if isinstance(one, dict) else None
            if not isinstance(source, str) or not source.startswith(TASK_SOURCE):
                out.append(one)
                continue
            edge, loc = edge_of(source), ("tasks", name, "inputs", at, "source")
            assert edge is not None, "it begins like one"
            if not edge.path:
                self.fault("workflow_source", loc, source)
            elif self._is_known(edge.task, loc):
                self.ties.append(Tie(name, edge.task, loc, edge.path))
                out.append({**one, "source": f"{TASK_SOURCE}{self.ids[edge.task]}/{edge.path}"})
                continue
            out.append({**one, "source": f"{TASK_SOURCE}{stand_in(STEPS_MAX)}/stands-in"})
        return out

    def _is_known(self, name: str, loc: Loc) -> bool:
        if name in self.ids:
            return True
        near = difflib.get_close_matches(name, self.ids, n=1, cutoff=NEAREST_MIN)
        known = near or list(self.ids)[:20]
        self.fault("workflow_task_unknown", loc, name, known=", ".join(f"`{one}`" for one in known))
        return False


def _moved(one: Found, loc: Loc) -> Found:
    return Found(one.code, loc, one.got, one.params, one.fields)

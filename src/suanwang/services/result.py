"""What came of a service's task, judged again from its figures."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from suanwang.model.error import NotFoundError
from suanwang.model.ids import TaskId
from suanwang.model.service import Scalar, ServiceResult, Verdict
from suanwang.services.circuits import CIRCUITS
from suanwang.services.manifest import Service, find
from suanwang.services.parameters import check
from suanwang.services.request import TAG, checks_of
from suanwang.services.runner import judge

_RESULT = re.compile(r"^(?:\d+/)?out/result\.json$")  # of an array below the number of its element


def service_of(task_id: str, tags: Mapping[str, str]) -> tuple[Service, dict[str, Scalar]]:
    """The service that a task is of, and its parameters. Raises NotFoundError where it is of none."""
    if TAG not in tags:
        raise NotFoundError("task_of_no_service", task=task_id)
    service = find(tags[TAG])
    given = {}
    for name, text in tags.items():
        if name.startswith(f"{TAG}."):
            try:
                given[name.removeprefix(f"{TAG}.")] = json.loads(text)
            except ValueError:
                raise NotFoundError("task_of_no_service", task=task_id) from None
    parameters, faults = check(service, given)
    if faults:
        raise NotFoundError("task_of_no_service", task=task_id)
    return service, parameters


def result_paths(service: Service, paths: Sequence[str]) -> list[str]:
    """Of the outputs of a task those that hold figures, an element each."""
    if service.manifest.circuit is not None:
        return [one for one in paths if one == "counts.json"]
    return sorted((one for one in paths if _RESULT.match(one)), key=lambda one: (len(one), one))


def figures_of(service: Service, parameters: Mapping[str, Scalar], text: bytes) -> dict[str, Any]:
    """The figures in a file of a result; none where the file is not one, as the task's own work may have left anything there."""
    try:
        data = json.loads(text)
        if service.manifest.circuit is not None:
            return CIRCUITS[service.manifest.circuit].figures(parameters, data["counts"])
        return {str(name): one for name, one in data["figures"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return {}


def _plain(got: Any) -> Scalar | None:
    """A figure as an answer may carry it: no list, no NaN."""
    finite = isinstance(got, bool | int | str) or (isinstance(got, float) and math.isfinite(got))
    return got if finite else None


def judged(
    task_id: TaskId, service: Service, parameters: Mapping[str, Scalar], elements: Sequence[Mapping[str, Any]]
) -> ServiceResult:
    """The verdicts. Of an array the first element with a figure that is not as expected stands for all."""
    checks = checks_of(service, parameters)
    rows = [(figures, judge(checks, figures)) for figures in elements] or [({}, judge(checks, {}))]
    figures, found = next((row for row in rows if not all(one["ok"] for one in row[1])), rows[0])
    verdicts = tuple(
        Verdict(**{**one, "got": _plain(one["got"])}, says=hoped.says)
        for one, hoped in zip(found, service.manifest.expected, strict=True)
    )
    return ServiceResult(
        task_id=task_id,
        service=service.id,
        parameters=dict(parameters),
        ok=all(one.ok for one in verdicts),
        figures=dict(figures),
        verdicts=verdicts,
        elements=len(elements),
    )

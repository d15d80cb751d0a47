"""What came of a service's task, judged again from its figures."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from suanwang.model.error import NotFoundError
from suanwang.model.ids import TaskId
from suanwang.model.record import Phase
from suanwang.model.service import Scalar, ServiceResult, Verdict
from suanwang.services.circuits import CIRCUITS
from suanwang.services.manifest import Service, find
from suanwang.services.parameters import of_type
from suanwang.services.request import TAG, checks_of
from suanwang.services.runner import judge

_RESULT = re.compile(r"^(?:\d+/)?out/result\.json$")  # of an array below the number of its element


def service_of(task_id: str, tags: Mapping[str, str]) -> tuple[Service, dict[str, Scalar]]:
    """The service that a task is of, and its parameters. Other tags below `service.` are the user's own. A value was in its range
    when the task was submitted; the catalogue may since have changed. Raises NotFoundError where the task is of none."""
    if TAG not in tags:
        raise NotFoundError("task_of_no_service", task=task_id)
    service = find(tags[TAG])
    parameters = service.defaults()
    for one in service.parameters:
        text = tags.get(f"{TAG}.{one.name}")
        if text is None:
            continue
        try:
            found = of_type(one, json.loads(text))
        except ValueError:
            found = None
        if found is None:
            raise NotFoundError("task_of_no_service", task=task_id)
        parameters[one.name] = found
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
    task_id: TaskId,
    service: Service,
    parameters: Mapping[str, Scalar],
    elements: Sequence[Mapping[str, Any]],
    array: int,
    phase: Phase,
) -> ServiceResult:
    """The verdicts on a task that has ended and should have left `array` results. Of an array the first element with a figure
    that is not as expected stands for all; one that left no result has no figure. What did not succeed is not as expected."""
    checks = checks_of(service, parameters)
    lacking: list[Mapping[str, Any]] = [{}] * (array - len(elements))
    rows = [(figures, judge(checks, figures)) for figures in (*elements, *lacking)]
    figures, found = next((row for row in rows if not all(one["ok"] for one in row[1])), rows[0])
    verdicts = tuple(
        Verdict(**{**one, "got": _plain(one["got"])}, says=hoped.says)
        for one, hoped in zip(found, service.manifest.expected, strict=True)
    )
    return ServiceResult(
        task_id=task_id,
        service=service.id,
        parameters=dict(parameters),
        ok=phase is Phase.SUCCEEDED and all(one.ok for one in verdicts),
        figures=dict(figures),
        verdicts=verdicts,
        elements=len(elements),
        array=array,
        phase=phase,
    )

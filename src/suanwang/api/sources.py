"""Where a submitted task's inputs may come from: an object must be there and the tenant's; a local path means nothing
to a server."""

from suanwang.model.error import Fault, FaultsError
from suanwang.model.principal import Principal
from suanwang.model.task import TASK_SOURCE, TaskRequest
from suanwang.store import Store

OBJECT = "object:"
SCHEMES = ("http://", "https://", "s3://", "dataset:", TASK_SOURCE, OBJECT)


def check_sources(request: TaskRequest, store: Store, caller: Principal) -> None:
    """Raises FaultsError with every input that cannot be had."""
    faults = source_faults(request, store, caller)
    if faults:
        raise FaultsError(faults, "body")


def source_faults(request: TaskRequest, store: Store, caller: Principal, prefix: str = "") -> list[Fault]:
    """Every input that cannot be had. `prefix`: what stands before the places of a task's fields."""
    faults = []
    for at, one in enumerate(request.inputs):
        where = f"{prefix}inputs[{at}].source"
        if not one.source.startswith(SCHEMES):
            faults.append(Fault("source_local", where, one.source[:80], None, {"schemes": ", ".join(SCHEMES)}))
        elif one.source.startswith(OBJECT):
            info = store.object_info(one.source.removeprefix(OBJECT))
            if info is None or caller.tenant not in info.tenants:
                faults.append(Fault("object_unknown", where, one.source[:80]))
    return faults

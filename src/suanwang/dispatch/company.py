"""Which waiting tasks another one helps by coming to a site or leaving one, and which were parted from theirs. Pure."""

from suanwang.model.placements import Placements, bears
from suanwang.model.plan import ClauseCount
from suanwang.model.reason import PoolReason, WaitReason
from suanwang.model.task import TaskRequest
from suanwang.observe.state import Task

COMPANY = frozenset({PoolReason.TOGETHER, PoolReason.APART})
ROOM = frozenset(
    {
        PoolReason.BANDWIDTH,
        PoolReason.DATA_PATH,
        PoolReason.CAPACITY,
        PoolReason.DEADLINE,
        PoolReason.PRICE_LIMIT,
    }
)
NETWORK = frozenset({PoolReason.AVOID, PoolReason.LATENCY, PoolReason.PROTECTION})


def binds(clauses: tuple[ClauseCount, ...]) -> bool:
    """Whether the place of other tasks keeps a task from some pool."""
    return any(one.reason in COMPANY for one in clauses)


def wait_reason(clauses: tuple[ClauseCount, ...]) -> WaitReason:
    """Why a task that would fit on an empty grid waits, by what removes pools now. Where some pool lacks only room,
    company is not what it waits for."""
    reasons = {one.reason for one in clauses}
    if reasons & COMPANY and not reasons & ROOM:
        return WaitReason.COMPANY
    if PoolReason.SITE_DOWN in reasons:
        return WaitReason.SITES_DOWN
    # Whether there is a way does not depend on what is held: with everything up there is one, so something is out.
    lacks_way = reasons & NETWORK and not reasons & (ROOM | {PoolReason.STANDBY})
    return WaitReason.NETWORK_DOWN if lacks_way else WaitReason.CAPACITY


def helps(moved: TaskRequest, came: bool, waiting: TaskRequest) -> bool:
    """Whether a task that came to a site, or left one, may let one of the same tenant that waits have a plan.

    To come helps those that must run with it; to leave helps those that keep apart from it, or it from them, and one
    of its group, which may now be the first.
    """
    wanted = bool(waiting.together_with) and bears(moved.tags, waiting.together_with)
    if came:
        return wanted
    if wanted and bears(waiting.tags, waiting.together_with):
        return True
    avoided = bool(waiting.apart_from) and bears(moved.tags, waiting.apart_from)
    return avoided or (bool(moved.apart_from) and bears(waiting.tags, moved.apart_from))


def is_parted(task: Task, placements: Placements) -> bool:
    """Whether those that a planned task must run with stand, and only elsewhere."""
    request, plan = task.request, task.plan
    if request is None or plan is None or not request.together_with:
        return False
    sites = placements.sites_bearing(task.tenant, request.together_with, task.task_id)
    return bool(sites) and plan.site not in sites

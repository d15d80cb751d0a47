"""Every reason the brain can give, in closed enums: one word a reason, one text a language in `texts/`.

A test holds each member against `docs/reference/reasons.md` and against the tests that produce it.
"""

from enum import StrEnum


class PoolReason(StrEnum):
    """Why a pool is not the chosen one. The planner tests the clauses in this order; the first that fails binds."""

    KIND = "kind"  # the pool is of another kind
    SITE_LIST = "site_list"  # the task names its sites, and this is none of them
    OWNER = "owner"  # its site belongs to none of the owners that the task takes
    SITE_DOWN = "site_down"  # the site has no live agent
    SECURITY_LEVEL = "security_level"
    RESIDENCY = "residency"  # the task must stay in other regions
    DATA_RESIDENCY = "data_residency"  # an input data set must stay in other regions
    NODE_SHAPE = "node_shape"  # one node is too small for one node's share
    ACCELERATOR = "accelerator"  # another accelerator model
    ABILITY = "ability"  # it cannot do something that the task needs, such as `mounts`
    POOL_SIZE = "pool_size"  # the whole pool is too small, even when empty
    PRICE_MISSING = "price_missing"  # the site's price book does not price this
    AVOID = "avoid"  # the task's traffic must not go there, or no path is left without what it must not cross
    LATENCY = "latency"  # no path within the latency bound
    PROTECTION = "protection"  # no path within the bound through the functions in order, of security pools that are up
    TOGETHER = "together"  # no task that this one must run with stands at the site
    APART = "apart"  # one that it keeps apart from, or that keeps apart from it, stands at the site
    BANDWIDTH = "bandwidth"  # such paths exist, but none has the bandwidth, of link or of security pool, in any window
    DATA_PATH = "data_path"  # an input data set cannot be brought there
    CAPACITY = "capacity"  # no room in any window considered
    DEADLINE = "deadline"  # would finish after the deadline
    PRICE_LIMIT = "price_limit"  # would cost more than the limit
    STANDBY = "standby"  # feasible, but no second place far enough from it is
    WORSE = "worse"  # feasible, but the chosen one is better by the task's preference


# What stands for each in the verdicts of a logged plan: its place here. New reasons are added at the end, whatever
# their place among the clauses, so that old logs keep their meaning.
WRITTEN_POOL_REASONS = (
    PoolReason.KIND,
    PoolReason.SITE_LIST,
    PoolReason.SITE_DOWN,
    PoolReason.SECURITY_LEVEL,
    PoolReason.RESIDENCY,
    PoolReason.DATA_RESIDENCY,
    PoolReason.NODE_SHAPE,
    PoolReason.ACCELERATOR,
    PoolReason.POOL_SIZE,
    PoolReason.PRICE_MISSING,
    PoolReason.LATENCY,
    PoolReason.PROTECTION,
    PoolReason.BANDWIDTH,
    PoolReason.DATA_PATH,
    PoolReason.CAPACITY,
    PoolReason.DEADLINE,
    PoolReason.PRICE_LIMIT,
    PoolReason.WORSE,
    PoolReason.OWNER,
    PoolReason.TOGETHER,
    PoolReason.APART,
    PoolReason.STANDBY,
    PoolReason.AVOID,
    PoolReason.ABILITY,
)


class RefusalReason(StrEnum):
    """Why admission does not take a task."""

    TENANT_UNKNOWN = "tenant_unknown"
    LIVE_TASKS = "live_tasks"
    CORES_QUOTA = "cores_quota"
    ACCELERATORS_QUOTA = "accelerators_quota"
    BUDGET = "budget"
    PRIORITY = "priority"
    SECURITY_CLASS = "security_class"
    DEADLINE_PAST = "deadline_past"
    DEADLINE_TOO_SHORT = "deadline_too_short"
    ORIGIN_UNKNOWN = "origin_unknown"
    SITE_UNKNOWN = "site_unknown"
    OWNER_UNKNOWN = "owner_unknown"
    AVOID_UNKNOWN = "avoid_unknown"  # a link, site, risk group or region that the grid does not have
    AVOID_ORIGIN = "avoid_origin"  # all traffic crosses the origin
    DATA_SET_UNKNOWN = "data_set_unknown"
    OBJECT_UNKNOWN = "object_unknown"
    SECRET_MISSING = "secret_missing"
    AFTER_UNKNOWN = "after_unknown"  # there is no such task to come after
    INPUT_LATE = "input_late"  # outputs of a task that had ended, in whole or in part, before anybody asked for them
    NO_POOL = "no_pool"  # no pool of the grid could ever take it, even empty and with every site up


class WaitReason(StrEnum):
    """Why an admitted task has no plan yet."""

    QUEUED = "queued"  # waits for its turn: not looked at yet, or behind one that needs the same
    SITES_DOWN = "sites_down"  # would fit if the sites that do not answer did
    NETWORK_DOWN = "network_down"  # would fit if links or security pools that are out were back
    CAPACITY = "capacity"  # no room in compute, link or protection in any window considered
    QUOTA = "quota"  # above its tenant's quota, and nobody lends enough
    COMPANY = "company"  # no site is left by the tasks that it must run with or keep apart from
    AFTER = "after"  # what it comes after has not come true yet
    RETRY_DELAY = "retry_delay"  # waits before its next attempt
    CHECKPOINT = "checkpoint"  # its attempt is being stopped by the grid, and may still bring what it has done


# What waits for these waits for a moment, at the latest.
PAUSES = frozenset({WaitReason.RETRY_DELAY, WaitReason.CHECKPOINT})


class FailureReason(StrEnum):
    """Why an attempt did not succeed. `RETRYABLE` says which are tried again."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out_of_memory"
    WALL_TIME = "wall_time"
    DISK_FULL = "disk_full"
    PROCESS_LIMIT = "process_limit"
    INPUT_MISSING = "input_missing"
    INPUT_HASH = "input_hash"
    INPUT_FORBIDDEN = "input_forbidden"
    OUTPUT_MISSING = "output_missing"
    OUTPUT_FORBIDDEN = "output_forbidden"
    DELIVERY = "delivery"
    IMAGE_UNKNOWN = "image_unknown"
    LIMIT_UNSUPPORTED = "limit_unsupported"  # this host cannot enforce a limit that the task needs
    CIRCUIT_REFUSED = "circuit_refused"  # the device cannot run this circuit, however often it is tried
    LOST = "lost"  # the agent no longer knows the attempt
    SITE_LOST = "site_lost"  # no heartbeat from the site
    CROWDED_OUT = "crowded_out"  # what runs there outlasted its window; it had not begun and is planned again
    PREEMPTED = "preempted"  # gave way to a task of higher rank; it is planned again
    DRAINED = "drained"  # its site is being emptied by an operator; it is planned again
    STALE = "stale"  # an older fencing number
    BUDGET_STOP = "budget_stop"
    CANCELLED = "cancelled"
    BACKEND = "backend"  # the backend failed in a way that is not the task's fault
    NO_POOL_LEFT = "no_pool_left"  # nothing can take it any more
    DEADLINE_LOST = "deadline_lost"  # the deadline can no longer be met
    AFTER_LOST = "after_lost"  # what it comes after can no longer come true


RETRYABLE = frozenset(
    {
        FailureReason.EXIT_CODE,
        FailureReason.SIGNAL,
        FailureReason.OUT_OF_MEMORY,
        FailureReason.LOST,
        FailureReason.SITE_LOST,
        FailureReason.CROWDED_OUT,
        FailureReason.PREEMPTED,
        FailureReason.DRAINED,
        FailureReason.BACKEND,
        FailureReason.DELIVERY,
    }
)
# Of these, the ones that are not the task's own doing: they do not use up its retries.
NOT_THE_TASKS_FAULT = frozenset(
    {
        FailureReason.LOST,
        FailureReason.SITE_LOST,
        FailureReason.BACKEND,
        FailureReason.CROWDED_OUT,
        FailureReason.PREEMPTED,
        FailureReason.DRAINED,
    }
)

# Of those, the ones after which the agent may still tell of the attempt what it has done.
PARTS = frozenset({FailureReason.SITE_LOST, FailureReason.CROWDED_OUT, FailureReason.PREEMPTED, FailureReason.DRAINED})


class PlanFault(StrEnum):
    """What `verify` can find wrong with a plan."""

    UNKNOWN_SITE = "unknown_site"
    UNKNOWN_POOL = "unknown_pool"
    SITE_DOWN = "site_down"
    WRONG_KIND = "wrong_kind"
    WRONG_SITE = "wrong_site"
    OWNER = "owner"
    SECURITY_LEVEL = "security_level"
    RESIDENCY = "residency"
    TOGETHER = "together"
    APART = "apart"
    NODE_SHAPE = "node_shape"
    ACCELERATOR = "accelerator"
    ABILITY = "ability"
    DEMAND_WRONG = "demand_wrong"
    POOL_OVERSUBSCRIBED = "pool_oversubscribed"
    LINK_OVERSUBSCRIBED = "link_oversubscribed"
    PROTECTION_OVERSUBSCRIBED = "protection_oversubscribed"
    PATH_BROKEN = "path_broken"
    LINK_MAINTENANCE = "link_maintenance"
    PATH_LATENCY = "path_latency"
    LATENCY_BOUND = "latency_bound"
    AVOID = "avoid"
    PROTECTION_MISSING = "protection_missing"
    DATA_MISSING = "data_missing"
    DATA_REPLICA = "data_replica"
    DATA_TIME = "data_time"
    HOLDS_WRONG = "holds_wrong"
    WINDOW = "window"
    DEADLINE = "deadline"
    PRICE_LIMIT = "price_limit"
    QUOTE_WRONG = "quote_wrong"
    CARBON_WRONG = "carbon_wrong"
    GENERATION = "generation"
    STANDBY_MISSING = "standby_missing"  # there is none, or it is no place for the task
    STANDBY_NEAR = "standby_near"  # it may be lost together with the first place or its path
    REPAIR_CHANGED = "repair_changed"  # a repair of the path touched something else

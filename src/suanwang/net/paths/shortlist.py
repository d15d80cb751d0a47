"""The cheapest lists of every pair, worked out once: most flows take one of the first few.

Entry j of pair (s, t) is `worst latency << CODE_BITS | code` of the j-th list in the order of `two_segments`; -1 where there
are no more. Of lists that load the same links with the same shares only the first stands here: the others have room when
it has.
"""

from typing import Final

import numpy as np

from suanwang.net.igp.shares import Int32s
from suanwang.net.jit import kernel
from suanwang.net.network import Ints
from suanwang.net.paths.tables import Tables

CODE_BITS: Final = 20
# 16 entries are two lines of a processor's cache; beyond 400 nodes the table would be larger than what it saves.
WIDTH: Final = 16
NODES_MAX: Final = 400


def build_shortlist(tables: Tables, width: int | None = None) -> Ints:
    """(n * n, width); by default no width where there are more than `NODES_MAX` nodes."""
    n = tables.n
    width = (WIDTH if n <= NODES_MAX else 0) if width is None else width
    assert 2 * len(tables.planes) ** 2 * n < 1 << CODE_BITS or not width, "codes fit"
    out = np.full((n * n, width), -1, np.int64)
    if width:
        _shortlist(tables.order, tables.cost, tables.late_us, tables.mark, out)
    return out


@kernel
def _shortlist(order: Int32s, cost: Ints, late: Ints, mark: Ints, out: Ints) -> None:
    n, codes = cost.shape[1], cost.shape[2]
    planes, width = codes // n, out.shape[1]
    key_cost, key_late = np.empty(width, np.int64), np.empty(width, np.int64)
    key_name, key_mark = np.empty(width, np.int64), np.empty(width, np.int64)
    for s in range(n):
        for t in range(n):
            if s == t:
                continue
            used = 0
            for place in range(codes):
                code = int(order[s, place])
                if code < 0:
                    break
                cost_one = cost[0, s, code]
                if used == width and cost_one > key_cost[width - 1]:
                    break
                plane, k = code // n, code % n
                if k == s:
                    continue
                for second in range(planes):
                    if k == t and second > 0:
                        break
                    total = cost_one + cost[1, t, second * n + k]
                    if total >= 2**60 or (used == width and total > key_cost[width - 1]):
                        continue
                    worst = late[0, s, code] + late[1, t, second * n + k]
                    name = code * planes + second + (0 if k == t else codes * planes)
                    load = mark[(plane * n + s) * n + k]
                    if k != t:
                        load = (load + mark[(second * n + k) * n + t]) & ((1 << 62) - 1)
                    at = used
                    same = -1
                    for one in range(used):
                        if key_mark[one] == load:
                            same = one
                        if at == used and (
                            total < key_cost[one]
                            or (
                                total == key_cost[one]
                                and (worst < key_late[one] or (worst == key_late[one] and name < key_name[one]))
                            )
                        ):
                            at = one
                    if same >= 0 and same < at:
                        continue
                    last = same if same >= 0 else min(used, width - 1)
                    if at > last or at >= width:
                        continue
                    for one in range(last, at, -1):
                        key_cost[one], key_late[one] = key_cost[one - 1], key_late[one - 1]
                        key_name[one], key_mark[one] = key_name[one - 1], key_mark[one - 1]
                    key_cost[at], key_late[at], key_name[at], key_mark[at] = total, worst, name, load
                    if same < 0 and used < width:
                        used += 1
            for one in range(used):
                out[s * n + t, one] = (key_late[one] << CODE_BITS) | key_name[one]

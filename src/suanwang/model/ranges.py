"""Sets of element numbers as sorted ranges that neither touch nor overlap: (first, the one after the last). Pure."""

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]


def count(ranges: Ranges) -> int:
    """How many numbers are in the set."""
    return sum(after - first for first, after in ranges)


def all_but(first: int, many: int, total: int) -> Ranges:
    """The numbers below `total` outside of `many` from `first` on."""
    return tuple(one for one in ((0, first), (first + many, total)) if one[0] < one[1])


def count_within(ranges: Ranges, first: int, many: int) -> int:
    """How many of `many` numbers from `first` on are in the set."""
    return sum(max(0, min(after, first + many) - max(at, first)) for at, after in ranges)


def ranges_of(numbers: Iterable[int], ranges: Ranges = ()) -> Ranges:
    """The set with these numbers added."""
    out: list[tuple[int, int]] = []
    for first, after in sorted([*ranges, *((number, number + 1) for number in numbers)]):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], after))
        else:
            out.append((first, after))
    return tuple(out)


def numbers_left(ranges: Ranges, total: int) -> list[int]:
    """The numbers below `total` that are not in the set."""
    out: list[int] = []
    at = 0
    for first, after in ranges:
        out += range(at, min(first, total))
        at = max(at, after)
    return [*out, *range(at, total)]

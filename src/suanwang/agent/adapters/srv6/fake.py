"""Routers in memory that keep the kernel's rules, and fail where they are told to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from suanwang.agent.adapters.srv6.diff import possible
from suanwang.agent.adapters.srv6.lines import line
from suanwang.agent.adapters.srv6.port import Action, Counters, Installed, Step
from suanwang.model.error import NetworkError
from suanwang.model.sr_program import Group, Item, Key, Source, Steer


@dataclass
class FakeRouter:
    """`foreign` are keys that others hold; `refuses` makes the write that meets the key fail, each time."""

    items: dict[Key, Item] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    foreign: set[Key] = field(default_factory=set)
    refuses: set[Key] = field(default_factory=set)
    counters: Counters = field(default_factory=lambda: Counters({}, {}, {}, {}))


@dataclass
class FakeDriver:
    """A router is there from the first time that it is named, unless it is among the `lost`."""

    routers: dict[str, FakeRouter] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def router(self, name: str) -> FakeRouter:
        return self.routers.setdefault(name, FakeRouter())

    def read(self, router: str) -> Installed:
        self._reach(router)
        one = self.router(router)
        return Installed(dict(one.items), frozenset(one.down))

    def write(self, router: str, steps: Sequence[Step]) -> None:
        self._reach(router)
        for step in steps:
            self._step(router, step)

    def counters(self, router: str) -> Counters:
        self._reach(router)
        return self.router(router).counters

    def link_down(self, router: str, device: str) -> None:
        """The kernel drops what went over the device, and what is empty then."""
        one = self.router(router)
        one.down.add(device)
        one.items = possible(one.items, frozenset(one.down))

    def link_up(self, router: str, device: str) -> None:
        self.router(router).down.discard(device)

    def _reach(self, router: str) -> None:
        if router in self.lost:
            raise NetworkError("network_hop", router=router, command="", detail="the router does not answer")

    def _step(self, router: str, step: Step) -> None:
        one, (action, item) = self.router(router), step
        if why := self._refusal(one, step):
            raise NetworkError("network_hop", router=router, command=line(step), detail=why)
        if action is Action.REMOVE:
            del one.items[item.key]
            if isinstance(item, Group):  # routes over a group go with it
                for key in [key for key, it in one.items.items() if isinstance(it, Steer) and it.group == item.id]:
                    del one.items[key]
        else:
            one.items[item.key] = item

    @staticmethod
    def _refusal(one: FakeRouter, step: Step) -> str:
        action, item = step
        if item.key in one.refuses:
            return "refused"
        held = item.key in one.items
        if item.key in one.foreign or (action is Action.ADD and held and not isinstance(item, Source)):
            return "File exists"
        if action is Action.REMOVE:
            return "" if held else "No such process"
        if possible({item.key: item}, frozenset(one.down)) == {} and not isinstance(item, Group | Steer):
            return "Network is down"
        needs = [("member", at) for at, _ in item.members] if isinstance(item, Group) else []
        if isinstance(item, Steer):
            needs = [("group", item.group)]
        return "" if all(need in one.items for need in needs) else "Nexthop id does not exist"

"""A disk that is full: an agent says nothing that it has not written, forgets nothing, and goes on when there is room."""

import os
import subprocess

import pytest
from tests.agent.hands import made, order
from tests.agent.test_agent_rounds import HOUR_US, World

from suanwang.agent.journal import Journal
from suanwang.model.error import StoreError
from suanwang.model.event import EventKind, InstructionKind, Orders

K = EventKind
ATTEMPT = made("att", 101)


@pytest.fixture
def disk(tmp_path):
    """A disk of two mebibytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=100", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Disk:
    def __init__(self, folder):
        self.filler = folder / "filler"

    def fill(self):
        with self.filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4_096))
            except OSError:
                return

    def free(self):
        self.filler.unlink()


def full(act):
    with pytest.raises(StoreError) as refused:
        act()
    assert refused.value.code == "journal_unwritable"


def test_an_order_that_cannot_be_written_is_carried_out_when_it_can_and_once(disk):
    world, space = World(disk / "journal.db"), Disk(disk)
    space.fill()
    full(lambda: world.round(order()))
    for _ in range(3):
        full(lambda: world.round(order()))
    assert not world.adapter.knows(ATTEMPT)
    assert world.brain.events == []
    space.free()
    for _ in range(3):
        world.round(order(), pass_us=HOUR_US)
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]
    world.agent.close()


def test_what_happens_while_the_disk_is_full_is_told_afterwards_once_and_in_order(disk):
    world, space = World(disk / "journal.db"), Disk(disk)
    world.round(order())
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING]
    space.fill()
    heard = len(world.brain.heartbeats)
    world.clock.now_us += HOUR_US
    for _ in range(3):
        full(world.round)
    assert len(world.brain.heartbeats) == heard, "nothing that is not written is said"
    space.free()
    world.round()
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]
    world.agent.close()
    journal = Journal(disk / "journal.db")
    assert journal.events() == []
    journal.close()


def test_an_agent_that_ends_while_its_disk_is_full_was_never_told_the_order(disk):
    world, space = World(disk / "journal.db"), Disk(disk)
    space.fill()
    full(lambda: world.round(order()))
    world.journal.close()
    space.free()
    world.journal = Journal(disk / "journal.db")
    world.lose_backend()
    for _ in range(3):
        world.round(order(), pass_us=HOUR_US)
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]
    world.agent.close()


def test_an_instant_of_an_order_is_by_the_brains_clock():
    """An agent whose clock is a day behind does not wait for a day, and one that is seconds off takes the instant as it is."""
    day_us = 24 * HOUR_US
    for behind_us, starts_after_us in ((day_us, 1_000), (-day_us, 1_000), (2_000_000, 2_001_000)):
        world = World()
        now_us = world.clock.now_us + behind_us
        start = order(InstructionKind.START, not_before_us=now_us + 1_000)
        world.agent.exchange(lambda said, now=now_us, one=start: Orders(acknowledged=0, at_us=now, instructions=(one,)))
        begun_us = world.clock.now_us
        due_us = world.agent.next_wake_us()
        while due_us is not None and due_us <= begun_us + 1:
            world.clock.now_us = due_us
            world.agent.collect()
            due_us = world.agent.next_wake_us()
        assert due_us is not None
        assert due_us - begun_us == starts_after_us, behind_us

"""What every adapter promises, as cases that any adapter's tests can run.

    @pytest.mark.parametrize("name", sorted(adapter_cases()))
    def test_conformance(name, rig):
        adapter_cases()[name](rig)

A `Rig` wraps the adapter under test: it knows how to ask it for work of each kind and how to let time pass. A backend that
no work of some kind can be written for says so to `adapter_cases`, with the kinds; every other case is for every adapter.
"""

import io
from collections.abc import Callable, Collection

from suanwang.agent.adapter import Delivers, Logs, Saves
from suanwang.agent.agent import Agent
from suanwang.agent.conformance_rig import CHECKPOINT_NAME, OUTPUT_NAME, PRINTED, SITE, Rig, Run, Work
from suanwang.agent.journal import Journal
from suanwang.model.error import BackendError
from suanwang.model.event import Event, EventKind, Heartbeat, Instruction, InstructionKind, Kept, Orders
from suanwang.model.ids import AgentId, AttemptId, PlanId, PoolId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.task import Input, Output

__all__ = ["Rig", "Work", "adapter_cases"]


def case_start_to_finish(rig: Rig) -> None:
    """RUNNING, then FINISHED with code 0 and figures that are no less than nothing."""
    run = Run(rig)
    run.start()
    end = run.until_ended()
    assert run.kinds() == [EventKind.RUNNING, EventKind.FINISHED]
    assert end.exit_code == 0
    assert end.usage is not None
    assert min(end.usage.model_dump().values()) >= 0
    assert end.usage.wall_us > 0
    assert [u.at_us for u in run.updates] == sorted(u.at_us for u in run.updates)


def case_repeated_start_is_harmless(rig: Rig) -> None:
    """A second start, while it runs and after its end, starts nothing."""
    run = Run(rig)
    order = run.start()
    rig.adapter.start(order)
    run.until_ended()
    rig.adapter.start(order)
    run.until_ended()
    assert run.kinds().count(EventKind.RUNNING) == 1


def case_stop_ends_it(rig: Rig) -> None:
    """STOPPED once, however often it is stopped."""
    run = Run(rig)
    order = run.start(work=Work.FOREVER)
    run.until_running()
    rig.adapter.stop(order.attempt_id)
    rig.adapter.stop(order.attempt_id)
    assert run.until_ended().kind is EventKind.STOPPED
    rig.adapter.stop(order.attempt_id)
    run.until_ended()


def case_stop_before_it_runs(rig: Rig) -> None:
    """Work that still waits is stopped without ever running."""
    run = Run(rig)
    order = run.start(not_before_us=rig.clock() + 3_600_000_000)
    rig.adapter.stop(order.attempt_id)
    assert run.until_ended().kind is EventKind.STOPPED
    assert EventKind.RUNNING not in run.kinds()


def case_unknown_attempts_are_ignored(rig: Rig) -> None:
    """Stop and forget of what was never started do nothing."""
    rig.adapter.stop(AttemptId("att-none"))
    rig.adapter.forget(AttemptId("att-none"))
    assert not rig.adapter.knows(AttemptId("att-none"))
    assert list(rig.adapter.poll()) == []


def _fails(work: Work, reason: FailureReason, code: int | None, signal: int | None) -> Callable[[Rig], None]:
    def case(rig: Rig) -> None:
        run = Run(rig)
        run.start(work=work)
        end = run.until_ended()
        assert (end.kind, end.reason) == (EventKind.FAILED, reason)
        assert (end.exit_code, end.signal) == (code, signal)
        assert end.usage is not None
        assert min(end.usage.model_dump().values()) >= 0

    case.__doc__ = f"{work.name} is told as {reason.value}."
    return case


def case_wall_time(rig: Rig) -> None:
    """Work that does not end is ended at its wall time, and not before."""
    run = Run(rig)
    resources = rig.request(Work.FOREVER).resources.model_copy(update={"wall_time": 1_000_000})
    run.start(work=Work.FOREVER, resources=resources)
    end = run.until_ended()
    assert end.reason is FailureReason.WALL_TIME
    assert end.usage is not None
    assert end.usage.wall_us >= 1_000_000


def case_log_is_kept(rig: Rig) -> None:
    """What was printed can be read in parts after the end, and no more after forgetting."""
    run = Run(rig)
    order = run.start()
    run.until_ended()
    adapter = rig.adapter
    assert isinstance(adapter, Logs), "an adapter without logs has no case of logs"
    whole = adapter.read_logs(order.attempt_id, 0, 1 << 20)
    assert PRINTED in whole
    assert adapter.read_logs(order.attempt_id, 2, 3) == whole[2:5]
    assert adapter.read_logs(order.attempt_id, len(whole), 10) == b""
    adapter.forget(order.attempt_id)
    assert adapter.read_logs(order.attempt_id, 0, 10) == b""


def case_outputs_are_stored(rig: Rig) -> None:
    """COLLECTING, then outputs by hash in the object store."""
    run = Run(rig)
    run.start(outputs=(Output(path=OUTPUT_NAME),))
    end = run.until_ended()
    assert run.kinds() == [EventKind.RUNNING, EventKind.COLLECTING, EventKind.FINISHED]
    (output,) = end.outputs
    assert output.path == OUTPUT_NAME
    with rig.objects.open(output.blake3) as stream:
        assert len(stream.read()) == output.size_bytes > 0


def case_array_outputs_have_their_index(rig: Rig) -> None:
    """Each element of an array writes below its own number."""
    run = Run(rig)
    run.start(array=3, outputs=(Output(path=OUTPUT_NAME),))
    end = run.until_ended()
    assert [o.path for o in end.outputs] == [f"{index}/{OUTPUT_NAME}" for index in range(3)]


def case_saved_work_goes_on(rig: Rig) -> None:
    """Work that is saved tells its checkpoint before its end; the next attempt begins with it in its place."""
    adapter, run = rig.adapter, Run(rig)
    assert isinstance(adapter, Saves), "an adapter that cannot save has no case of it"
    first = run.start(work=Work.SAVES)
    run.until_printed(first)
    rig.pass_time()
    adapter.save(first.attempt_id)
    assert run.until_ended().kind is EventKind.STOPPED
    kept = run.kept()
    assert [file.path for file in kept.files] == [CHECKPOINT_NAME]
    with rig.objects.open(kept.files[0].blake3) as stream:
        before = int(stream.read())
    assert before > 0
    again = Run(rig)
    second = again.start(2, work=Work.SAVES, kept=kept)
    again.until_printed(second)
    rig.pass_time()
    adapter.save(second.attempt_id)
    again.until_ended()
    with rig.objects.open(again.kept().files[0].blake3) as stream:
        assert int(stream.read()) > before


def case_checkpoint_is_kept_now_and_then(rig: Rig) -> None:
    """A checkpoint is told while the work runs, so that losing the site does not lose it."""
    run = Run(rig)
    run.start(work=Work.SAVES, checkpoint_every=1_000_000)
    run.until(lambda: EventKind.CHECKPOINT in run.kinds())
    assert run.kept().files


def case_work_without_a_checkpoint_is_just_stopped(rig: Rig) -> None:
    """Saving what has nothing to save is stopping it."""
    run = Run(rig)
    order = run.start(work=Work.FOREVER)
    run.until_running()
    assert isinstance(rig.adapter, Saves), "an adapter that cannot save has no case of it"
    rig.adapter.save(order.attempt_id)
    assert run.until_ended().kind is EventKind.STOPPED
    assert EventKind.CHECKPOINT not in run.kinds()


def case_elements_that_are_done_are_not_run_again(rig: Rig) -> None:
    """An array leaves out what is kept, and tells of the rest by its own numbers."""
    run = Run(rig)
    run.start(array=4, outputs=(Output(path=OUTPUT_NAME),), kept=Kept(done=((0, 1), (2, 3))))
    end = run.until_ended()
    assert end.kind is EventKind.FINISHED
    assert [o.path for o in end.outputs] == [f"{index}/{OUTPUT_NAME}" for index in (1, 3)]


def case_input_is_staged(rig: Rig) -> None:
    """An input that is there is staged before the work runs."""
    run = Run(rig)
    stored = rig.objects.put(io.BytesIO(b"some input"))
    run.start(inputs=(Input(source=f"object:{stored.blake3}", path="data/in.txt"),))
    assert run.until_ended().kind is EventKind.FINISHED
    assert run.kinds()[:2] == [EventKind.STAGING, EventKind.RUNNING]


def case_missing_input_never_runs(rig: Rig) -> None:
    """An input that is not there fails the attempt before it runs."""
    run = Run(rig)
    run.start(inputs=(Input(source="object:" + "0" * 64, path="in.txt"),))
    assert run.until_ended().reason is FailureReason.INPUT_MISSING
    assert EventKind.RUNNING not in run.kinds()


def case_unknown_image_is_refused(rig: Rig) -> None:
    """Refused at the start, with the reason."""
    refused = None
    try:
        Run(rig).start(image="no-such-image:1")
    except BackendError as fault:
        refused = fault.reason
    assert refused is FailureReason.IMAGE_UNKNOWN


def case_not_before_is_honoured(rig: Rig) -> None:
    """Work does not start before its data would be there."""
    run = Run(rig)
    due_us = rig.clock() + 300_000
    run.start(not_before_us=due_us)
    run.until_ended()
    started = next(u for u in run.updates if u.kind is EventKind.RUNNING)
    assert started.at_us >= due_us


def case_forget_is_silent(rig: Rig) -> None:
    """Forgetting ends what runs, and no update follows."""
    run = Run(rig)
    order = run.start(work=Work.FOREVER)
    assert rig.adapter.knows(order.attempt_id)
    run.until_running()
    rig.adapter.forget(order.attempt_id)
    assert not rig.adapter.knows(order.attempt_id)
    for _ in range(3):
        rig.pass_time()
        assert list(rig.adapter.poll()) == []


def case_many_at_once_end_once_each(rig: Rig) -> None:
    """Eight attempts, more than small hosts have cores: all end, none twice."""
    run = Run(rig)
    orders = [run.start(number) for number in range(1, 9)]
    run.until_ended(count=8)
    assert sorted(u.attempt_id for u in run.ends()) == sorted(o.attempt_id for o in orders)


def case_delivery_is_reported(rig: Rig) -> None:
    """DELIVERED after each order to deliver; repeating is harmless."""
    run = Run(rig)
    order = run.start(outputs=(Output(path=OUTPUT_NAME),))
    end = run.until_ended()
    adapter = rig.adapter
    assert isinstance(adapter, Delivers), "an adapter that cannot deliver has no case of it"
    for count in (1, 2):
        adapter.deliver(order.attempt_id, end.outputs)
        run.until(lambda: run.kinds().count(EventKind.DELIVERED) == count)  # noqa: B023 - used at once


class _Talk:
    """An agent around the rig's adapter, and a brain that notes its events."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.journal = Journal(":memory:")
        self.events: list[Event] = []
        self.agent = self.new_agent()

    def new_agent(self) -> Agent:
        return Agent(AgentId("conformance"), [SITE], self.rig.adapter, self.journal, self.rig.clock)

    def start(self, attempt: int, fence: int, work: Work) -> Instruction:
        return Instruction(
            kind=InstructionKind.START,
            site=SITE,
            task_id=TaskId(f"task-{1:026d}"),
            attempt_id=AttemptId(f"att-{attempt:026d}"),
            plan_id=PlanId(f"plan-{attempt:026d}"),
            fence=fence,
            pool=PoolId(f"{SITE}/general"),
            request=self.rig.request(work),
        )

    def round(self, *orders: Instruction) -> None:
        def send(heartbeat: Heartbeat) -> Orders:
            self.events += heartbeat.events
            return Orders(acknowledged=self.events[-1].sequence if self.events else 0, instructions=orders)

        self.agent.exchange(send)

    def until(self, kind: EventKind, attempt: int) -> Event:
        while True:
            self.round()
            for event in self.events:
                if event.kind is kind and event.attempt_id == f"att-{attempt:026d}":
                    return event
            assert self.rig.pass_time(), f"no {kind.value} came"


def case_stale_fence_does_no_work(rig: Rig) -> None:
    """An order older than what the agent has seen is refused, and the adapter never hears of it."""
    talk = _Talk(rig)
    talk.round(talk.start(2, fence=2, work=Work.OK))
    talk.until(EventKind.FINISHED, 2)
    talk.round(talk.start(1, fence=1, work=Work.OK))
    assert talk.until(EventKind.FAILED, 1).reason is FailureReason.STALE
    assert not rig.adapter.knows(AttemptId(f"att-{1:026d}"))


def case_newer_fence_replaces_older(rig: Rig) -> None:
    """A newer attempt of the same task stops the older one: never two at work."""
    talk = _Talk(rig)
    talk.round(talk.start(1, fence=1, work=Work.FOREVER))
    talk.until(EventKind.RUNNING, 1)
    talk.round(talk.start(2, fence=2, work=Work.OK))
    talk.until(EventKind.STOPPED, 1)
    talk.until(EventKind.FINISHED, 2)


def case_restart_reports_the_lost(rig: Rig) -> None:
    """A live attempt whose backend is gone after a restart is reported lost, once."""
    talk = _Talk(rig)
    talk.round(talk.start(1, fence=1, work=Work.FOREVER))
    talk.until(EventKind.RUNNING, 1)
    rig.restart()
    talk.agent = talk.new_agent()
    assert talk.until(EventKind.FAILED, 1).reason is FailureReason.LOST
    talk.round()
    assert [e.kind for e in talk.events].count(EventKind.FAILED) == 1


# Cases that need work of one kind; where a backend has none such, there is nothing that they could ask of its adapter.
_ABOUT: dict[str, Work] = {
    "exit_code": Work.EXIT_3,
    "signal": Work.SIGNAL_15,
    "out_of_memory": Work.OUT_OF_MEMORY,
    "saved_work_goes_on": Work.SAVES,
    "checkpoint_is_kept_now_and_then": Work.SAVES,
}


def adapter_cases(without: Collection[Work] = ()) -> dict[str, Callable[[Rig], None]]:
    """Every case by name; `without` those about kinds of work that cannot be written for this backend."""
    cases = {name.removeprefix("case_"): case for name, case in globals().items() if name.startswith("case_")}
    cases["exit_code"] = _fails(Work.EXIT_3, FailureReason.EXIT_CODE, 3, None)
    cases["signal"] = _fails(Work.SIGNAL_15, FailureReason.SIGNAL, None, 15)
    cases["out_of_memory"] = _fails(Work.OUT_OF_MEMORY, FailureReason.OUT_OF_MEMORY, None, 9)
    assert set(_ABOUT) <= set(cases), "a case that is gone is about nothing"
    return {name: case for name, case in cases.items() if _ABOUT.get(name) not in without}

"""Handles of what was sent to the grid. `run_aio.py` is the same for asyncio."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, TypeVar, cast

from suanwang.client import Client, StreamEvent
from suanwang.client.says import worded
from suanwang.functions import answer
from suanwang.functions.answer import Fetched, Raised, Untrusted
from suanwang.functions.follow import Followed
from suanwang.functions.prepare import FOLDER, Shape
from suanwang.model.error import ConflictError, FunctionError, NotFoundError, ResultError, SuanwangError
from suanwang.model.event import OutputFile
from suanwang.model.record import ENDS, Phase
from suanwang.model.view import Explain, TaskView

R = TypeVar("R")


class Handle:
    """What both kinds have: the task behind them. Holding one costs nothing; dropping it leaves the task alone."""

    def __init__(
        self, client: Client, shape: Shape, view: TaskView, found: bool, untrusted: Untrusted | None = None
    ) -> None:
        self.client = client
        self.found = found  # the task was there before: by `cache`, or it was attached to
        self.task_id = view.task_id
        self.name = view.name
        self._shape = shape
        self._untrusted = untrusted
        self._followed = Followed(shape.elements)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.task_id}>"

    def view(self) -> TaskView:
        """The task as it is now."""
        return self.client.task(self.task_id)

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._followed.view is not None or self.view().phase in ENDS

    def cancel(self) -> bool:
        """End it. False where it had ended already."""
        try:
            self.client.cancel(self.task_id)
        except ConflictError:
            return False
        return True

    def log(self) -> str:
        """What the function printed, so far."""
        return b"".join(self.client.logs(self.task_id)).decode("utf-8", "replace")

    def explain(self) -> Explain:
        """Why it went where it went, step by step."""
        return self.client.explain(self.task_id)

    def save(self, folder: Path | str) -> tuple[Path, ...]:
        """The files that the task was asked to keep (`outputs`), into a folder."""
        view = self.view()
        own = tuple(one for one in view.outputs if f"/{FOLDER}/" not in f"/{one.path}")
        return self.client.outputs.save(view.model_copy(update={"outputs": own}), folder)

    def wait(self, timeout_s: float | None = None) -> TaskView:
        """Until it has ended, well or not. Raises TimeoutError after `timeout_s`; the task goes on. So it does where the
        wait is broken off by the keyboard."""
        try:
            with worded(self.client.lang):
                view = self._followed.view or self.client.wait(
                    self.task_id, timeout_s=timeout_s, on_event=self._followed.see
                )
        except KeyboardInterrupt as stop:
            stop.add_note(self._goes_on())
            raise
        self._followed.ended(view)
        return view

    def _goes_on(self) -> str:
        return f"{self.task_id} goes on; `.cancel()` ends it, and suanwang.attach({self.task_id!r}) finds it again."

    # -- results -------------------------------------------------------------------------------------------------

    def _results(self, part: int, file: OutputFile) -> Iterator[object]:
        if self._untrusted is not None:
            raise self._untrusted.error(self.task_id, self.client.lang)
        with self._fetched(file) as local:
            yield from answer.results(
                local, self.task_id, self._shape.form, self.client.lang, self._shape.items_of(part)
            )

    def _fetched(self, output: OutputFile) -> BinaryIO:
        """The file, here, after its hash has been checked."""
        with Fetched(output, self.task_id, self.client.lang) as local:
            for piece in self.client.outputs.read(self.task_id, output.path):
                local.write(piece)
            return local.whole()

    def _no_answer(self, view: TaskView) -> SuanwangError:
        failed = next((one for one in view.parts if one.phase is Phase.FAILED), None)
        if failed is not None:  # of an array in parts: the one that failed knows why
            view = self.client.task(failed.task_id)
        log = ""
        with suppress(NotFoundError):
            log = b"".join(self.client.logs(view.task_id)).decode("utf-8", "replace")
        return answer.outcome(view, log, self.client.lang)


class Run(Handle, Generic[R]):
    """One call."""

    def result(self, timeout_s: float | None = None) -> R:
        """The value, when it is there. Raises what the function raised, with its traceback on the site above; a FunctionError
        where there is no answer; TimeoutError after `timeout_s`, and the task goes on."""
        found = self._found(timeout_s)
        if isinstance(found, Raised):
            raise found.error
        return cast(R, found)

    def exception(self, timeout_s: float | None = None) -> BaseException | None:
        """What the function raised, or the FunctionError where there is no answer; None where there is a value. What hinders
        looking (no brain, no time left, an interrupt) is raised as by `result`."""
        try:
            found = self._found(timeout_s)
        except FunctionError as error:
            return error
        return found.error if isinstance(found, Raised) else None

    def _found(self, timeout_s: float | None) -> object:
        view = self.wait(timeout_s)
        file = self._followed.files.get(0)
        if file is None:
            raise self._no_answer(view)
        (found,) = list(self._results(0, file))  # to its end, where it is held against what was asked
        return found


class MapRun(Handle, Generic[R]):
    """A function over many inputs. Iterate for the results, in the order of the inputs, as they come; each iteration begins at the
    first. As a context manager it cancels what is not done when it is left."""

    def __init__(
        self,
        client: Client,
        shape: Shape,
        view: TaskView,
        found: bool,
        untrusted: Untrusted | None = None,
        *,
        return_exceptions: bool = False,
    ) -> None:
        super().__init__(client, shape, view, found, untrusted)
        self.return_exceptions = return_exceptions

    def __len__(self) -> int:
        assert self._shape.items is not None, "a map knows how many inputs it has"
        return self._shape.items

    def __enter__(self) -> MapRun[R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self.found and not self.done():
            self.cancel()

    def __iter__(self) -> Iterator[R]:
        events = self.client.events(self.task_id)
        try:
            for part in range(self._shape.elements):
                file = self._file(part, events)
                for place, found in enumerate(self._results(part, file)):
                    if not isinstance(found, Raised):
                        yield cast(R, found)
                    elif self.return_exceptions:
                        yield cast(R, found.error)
                    else:
                        found.error.add_note(f"input {part * self._shape.chunk + place} of {len(self)} of {self.name}")
                        raise found.error
        finally:
            events.close()  # the line is not kept open for nothing

    def results(self) -> list[R]:
        """All of them."""
        return list(self)

    def _raised(self) -> bool:
        """Whether an input of the map, which has ended, has no value for an answer. Nothing is unpickled."""
        self._followed.ended(self.client.task(self.task_id))
        try:
            for _, file in sorted(self._followed.files.items()):
                with self._fetched(file) as local:
                    if answer.has_raised(local):
                        return True
        except (ResultError, NotFoundError):
            return True
        return len(self._followed.files) < self._shape.elements

    def _file(self, part: int, events: Generator[StreamEvent]) -> OutputFile:
        """The result of an element, when it is there."""
        files = self._followed.files
        try:
            with worded(self.client.lang):
                while part not in files and self._followed.view is None:
                    self._step(events)
        except KeyboardInterrupt as stop:
            stop.add_note(self._goes_on())
            raise
        if part not in files:
            assert self._followed.view is not None, "only an end leaves an element without a result"
            error = self._no_answer(self._followed.view)
            first = part * self._shape.chunk
            error.add_note(f"inputs {first} to {first + self._shape.items_of(part) - 1} have no result")
            raise error
        return files[part]

    def _step(self, events: Generator[StreamEvent]) -> None:
        """Hear one more step of the task."""
        event = next(events, None)
        if event is None or event.kind == "end":
            self._followed.ended(self.client.task(self.task_id))
        else:
            self._followed.see(event)

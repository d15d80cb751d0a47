"""Handles of what was sent to the grid, for asyncio. `run.py` is the same for plain code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, TypeVar, cast

from suanwang.client import AsyncClient, StreamEvent
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


class AsyncHandle:
    """What both kinds have: the task behind them. Holding one costs nothing; dropping it leaves the task alone."""

    def __init__(
        self, client: AsyncClient, shape: Shape, view: TaskView, found: bool, untrusted: Untrusted | None = None
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

    async def view(self) -> TaskView:
        """The task as it is now."""
        return await self.client.task(self.task_id)

    async def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._followed.view is not None or (await self.view()).phase in ENDS

    async def cancel(self) -> bool:
        """End it. False where it had ended already."""
        try:
            await self.client.cancel(self.task_id)
        except ConflictError:
            return False
        return True

    async def log(self) -> str:
        """What the function printed, so far."""
        return b"".join([piece async for piece in self.client.logs(self.task_id)]).decode("utf-8", "replace")

    async def explain(self) -> Explain:
        """Why it went where it went, step by step."""
        return await self.client.explain(self.task_id)

    async def save(self, folder: Path | str) -> tuple[Path, ...]:
        """The files that the task was asked to keep (`outputs`), into a folder."""
        view = await self.view()
        own = tuple(one for one in view.outputs if f"/{FOLDER}/" not in f"/{one.path}")
        return await self.client.outputs.save(view.model_copy(update={"outputs": own}), folder)

    async def wait(self, timeout_s: float | None = None) -> TaskView:
        """Until it has ended, well or not. Raises TimeoutError after `timeout_s`; the task goes on. So it does where the
        wait is broken off by the keyboard."""
        try:
            with worded(self.client.lang):
                view = self._followed.view or await self.client.wait(
                    self.task_id, timeout_s=timeout_s, on_event=self._followed.see
                )
        except (KeyboardInterrupt, asyncio.CancelledError) as stop:
            stop.add_note(self._goes_on())
            raise
        self._followed.ended(view)
        return view

    def _goes_on(self) -> str:
        return f"{self.task_id} goes on; `.cancel()` ends it, and suanwang.attach({self.task_id!r}) finds it again."

    # -- results -------------------------------------------------------------------------------------------------

    async def _results(self, part: int, file: OutputFile) -> AsyncIterator[object]:
        if self._untrusted is not None:
            raise self._untrusted.error(self.task_id, self.client.lang)
        with await self._fetched(file) as local:
            for found in answer.results(
                local, self.task_id, self._shape.form, self.client.lang, self._shape.items_of(part)
            ):
                yield found

    async def _fetched(self, output: OutputFile) -> BinaryIO:
        """The file, here, after its hash has been checked."""
        with Fetched(output, self.task_id, self.client.lang) as local:
            async for piece in self.client.outputs.read(self.task_id, output.path):
                local.write(piece)
            return local.whole()

    async def _no_answer(self, view: TaskView) -> SuanwangError:
        failed = next((one for one in view.parts if one.phase is Phase.FAILED), None)
        if failed is not None:  # of an array in parts: the one that failed knows why
            view = await self.client.task(failed.task_id)
        log = ""
        with suppress(NotFoundError):
            log = b"".join([piece async for piece in self.client.logs(view.task_id)]).decode("utf-8", "replace")
        return answer.outcome(view, log, self.client.lang)


class AsyncRun(AsyncHandle, Generic[R]):
    """One call."""

    async def result(self, timeout_s: float | None = None) -> R:
        """The value, when it is there. Raises what the function raised, with its traceback on the site above; a FunctionError
        where there is no answer; TimeoutError after `timeout_s`, and the task goes on."""
        found = await self._found(timeout_s)
        if isinstance(found, Raised):
            raise found.error
        return cast(R, found)

    async def exception(self, timeout_s: float | None = None) -> BaseException | None:
        """What the function raised, or the FunctionError where there is no answer; None where there is a value. What hinders
        looking (no brain, no time left, an interrupt) is raised as by `result`."""
        try:
            found = await self._found(timeout_s)
        except FunctionError as error:
            return error
        return found.error if isinstance(found, Raised) else None

    async def _found(self, timeout_s: float | None) -> object:
        view = await self.wait(timeout_s)
        file = self._followed.files.get(0)
        if file is None:
            raise await self._no_answer(view)
        (found,) = [one async for one in self._results(0, file)]  # to its end, where it is held against what was asked
        return found


class AsyncMapRun(AsyncHandle, Generic[R]):
    """A function over many inputs. Iterate for the results, in the order of the inputs, as they come; each iteration begins at the
    first. As a context manager it cancels what is not done when it is left."""

    def __init__(
        self,
        client: AsyncClient,
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

    async def __aenter__(self) -> AsyncMapRun[R]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self.found and not await self.done():
            await self.cancel()

    async def __aiter__(self) -> AsyncIterator[R]:
        events = self.client.events(self.task_id)
        try:
            for part in range(self._shape.elements):
                file, place = await self._file(part, events), -1
                async for found in self._results(part, file):
                    place += 1
                    if not isinstance(found, Raised):
                        yield cast(R, found)
                    elif self.return_exceptions:
                        yield cast(R, found.error)
                    else:
                        found.error.add_note(f"input {part * self._shape.chunk + place} of {len(self)} of {self.name}")
                        raise found.error
        finally:
            await events.aclose()  # the line is not kept open for nothing

    async def results(self) -> list[R]:
        """All of them."""
        return [one async for one in self]

    async def _raised(self) -> bool:
        """Whether an input of the map, which has ended, has no value for an answer. Nothing is unpickled."""
        self._followed.ended(await self.client.task(self.task_id))
        try:
            for _, file in sorted(self._followed.files.items()):
                with await self._fetched(file) as local:
                    if answer.has_raised(local):
                        return True
        except (ResultError, NotFoundError):
            return True
        return len(self._followed.files) < self._shape.elements

    async def _file(self, part: int, events: AsyncGenerator[StreamEvent]) -> OutputFile:
        """The result of an element, when it is there."""
        files = self._followed.files
        try:
            with worded(self.client.lang):
                while part not in files and self._followed.view is None:
                    await self._step(events)
        except (KeyboardInterrupt, asyncio.CancelledError) as stop:
            stop.add_note(self._goes_on())
            raise
        if part not in files:
            assert self._followed.view is not None, "only an end leaves an element without a result"
            error = await self._no_answer(self._followed.view)
            first = part * self._shape.chunk
            error.add_note(f"inputs {first} to {first + self._shape.items_of(part) - 1} have no result")
            raise error
        return files[part]

    async def _step(self, events: AsyncGenerator[StreamEvent]) -> None:
        """Hear one more step of the task."""
        event = await anext(events, None)
        if event is None or event.kind == "end":
            self._followed.ended(await self.client.task(self.task_id))
        else:
            self._followed.see(event)

"""What the events of a map say about its elements. No network here: both kinds of handles feed it."""

from collections.abc import Iterable
from typing import Any

from suanwang.client import StreamEvent
from suanwang.functions.answer import part_of
from suanwang.functions.prepare import RESULT
from suanwang.model.event import EventKind, OutputFile
from suanwang.model.view import TaskView


class Followed:
    """The results that are there. An element that is done is not run again, so its result stands at once."""

    def __init__(self, elements: int) -> None:
        self._elements = elements
        self.files: dict[int, OutputFile] = {}
        self.view: TaskView | None = None  # of the end

    def see(self, event: StreamEvent) -> None:
        """One step of the task: what the live attempt says is done, and what one that has succeeded left."""
        if event.kind == "event_applied":
            told = event.data["event"]
            if event.data.get("effective") and told["kind"] == EventKind.CHECKPOINT:
                self._take(told.get("outputs", ()))
        elif event.kind == "attempt_closed" and event.data.get("succeeded"):
            self._take(event.data.get("outputs", ()))

    def ended(self, view: TaskView) -> None:
        self.view = view
        self._take(view.outputs)

    def _take(self, outputs: Iterable[Any]) -> None:
        for one in map(OutputFile.model_validate, outputs):
            part = 0 if self._elements == 1 and one.path == RESULT else part_of(one.path, RESULT)
            if part is not None and 0 <= part < self._elements:
                self.files[part] = one

"""What the events of a map say about its elements. No network here: both kinds of handles feed it."""

from collections.abc import Iterable

from suanwang.client import StreamEvent
from suanwang.functions.answer import part_of
from suanwang.functions.prepare import RESULT
from suanwang.model.event import OutputFile
from suanwang.model.view import TaskView


class Followed:
    """The results that are there. An element that is done is not run again, so its result stands at once."""

    def __init__(self, elements: int) -> None:
        self._elements = elements
        self.files: dict[int, OutputFile] = {}
        self.view: TaskView | None = None  # of the end

    def see(self, event: StreamEvent) -> None:
        """One step of the task: what the live attempt says is done."""
        if event.kind != "event_applied" or not event.data.get("effective"):
            return
        told = event.data["event"]
        if told.get("kind") == "checkpoint":
            self._take(OutputFile.model_validate(one) for one in told.get("outputs", ()))

    def ended(self, view: TaskView) -> None:
        self.view = view
        self._take(view.outputs)

    def _take(self, outputs: Iterable[OutputFile]) -> None:
        for one in outputs:
            part = 0 if self._elements == 1 and one.path == RESULT else part_of(one.path, RESULT)
            if part is not None and 0 <= part < self._elements:
                self.files[part] = one

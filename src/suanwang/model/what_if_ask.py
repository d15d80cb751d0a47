"""What a what-if is asked: which day, what changes, and how much of it is played. And how far it is."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from suanwang.model.base import Value
from suanwang.model.change import Changes, Factor
from suanwang.model.ids import SiteId
from suanwang.model.units import SpanUs
from suanwang.model.view import Problem
from suanwang.model.what_if import WhatIf

# Both sides of so many take some minutes beside a brain on two cores.
SERVED_TASKS_MAX = 20_000


class DayAsk(Value):
    """Which day: one of the three."""

    history: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None  # a day of the store, UTC+8
    trace: str | None = None  # the text of a public trace
    drawn: Annotated[int, Field(ge=1, le=1_000_000)] | None = None  # so many tasks, drawn from the seed
    format: Literal["swf", "openb", "azure-llm"] | None = None  # of the trace; found out where it is not given
    name: Annotated[str, Field(max_length=200)] = ""  # of the trace, for people

    @model_validator(mode="after")
    def _one_of_them(self) -> "DayAsk":
        if sum(one is not None for one in (self.history, self.trace, self.drawn)) != 1:
            raise PydanticCustomError("what_if_day", "name one day: `history`, `trace` or `drawn`", {})
        return self


class WhatIfAsk(Value):
    """Everything but the grid. With the same grid, log and seed the answer is the same."""

    day: DayAsk
    changes: Changes = Changes()
    seed: Annotated[int, Field(ge=0, lt=2**53)] | None = None  # chosen, and told, where it is not given
    origin: SiteId | None = None  # of every task of a trace; drawn for each where it is not given
    node_cores: Annotated[int, Field(ge=1, le=10_000)] = 32  # wider tasks of an SWF trace take several nodes
    skip_bad_lines: bool = False
    after: SpanUs = 0  # only what arrives so long after the first,
    within: SpanUs | None = None  # and within this time from then on
    sample: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    speed: Factor = 1.0
    squeeze: Factor = 1.0


class WhatIfRun(Value):
    """One what-if under way, or done."""

    run_id: str
    state: Literal["running", "done", "failed", "cancelled"]
    source: str
    asked_us: int
    tasks: int = 0  # of both sides together; 0: the day is still being read
    ended: int = 0
    result: WhatIf | None = None


class WhatIfView(WhatIfRun):
    """As the API shows it: with why it failed, in the reader's language."""

    problem: Problem | None = None

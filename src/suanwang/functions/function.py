"""`@suanwang.task`: a Python function whose calls run on the grid."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from suanwang.client import AsyncClient, Client, calls
from suanwang.client.beside import beside
from suanwang.client.says import explained, worded
from suanwang.client.uploads import local_inputs
from suanwang.functions import prepare
from suanwang.functions.answer import Untrusted
from suanwang.functions.asked import ANY, Asked
from suanwang.functions.digest import TAG
from suanwang.functions.prepare import Prepared, Shape, is_our_runner, shape_of
from suanwang.functions.run import MapRun, Run
from suanwang.functions.run_aio import AsyncMapRun, AsyncRun
from suanwang.model.error import Fault, FaultsError, FunctionError, SuanwangError
from suanwang.model.record import ENDS, Phase
from suanwang.model.task import TaskRequest
from suanwang.model.view import PlanView, TaskView

P = ParamSpec("P")
R = TypeVar("R")

_default: dict[str, Client] = {}
_making = threading.Lock()


def default_client() -> Client:
    """The client of functions that were not given one: by SUANWANG_URL and SUANWANG_KEY, else this machine's brain. Made
    once a process."""
    with _making, worded():
        if "one" not in _default:
            _default["one"] = Client()
        return _default["one"]


def connect(url: str | None = None, key: str | None = None, **options: Any) -> Client:
    """Make the client of functions that were not given one. Takes what `Client` takes. The one before stays open for the
    handles that were made with it, and goes with the last of them."""
    made = Client(url, key, **options)
    weakref.finalize(made, made._http.close)
    with _making:
        _default["one"] = made
    return made


class Function(Generic[P, R]):
    """A function on the grid. Calling it runs it there and gives the value; `local` is the function itself."""

    def __init__(self, function: Callable[P, R], asked: Asked) -> None:
        functools.update_wrapper(cast(Any, self), function)
        self.local = function
        self._asked = asked

    def __repr__(self) -> str:
        return f"<suanwang task {getattr(self.local, '__qualname__', self.local)!s}>"

    def __set_name__(self, owner: type, name: str) -> None:
        raise TypeError(
            f"suanwang.task is for functions, and {owner.__qualname__}.{name} is a method: it would be sent without its object. "
            "Decorate a function that takes the object as an argument."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # On a site, and anywhere that it is sent to, it is the plain function: a task that calls itself does so there.
        return functools.partial, (self.local,)

    @property
    def client(self) -> Client:
        found = self._asked.client
        if isinstance(found, AsyncClient):
            raise explained(FaultsError([Fault("function_client", "client", "AsyncClient")], "task"))
        return found or default_client()

    @property
    def aio(self) -> AsyncFunction[P, R]:
        """The same for asyncio: `await f.aio(3)`."""
        return AsyncFunction(self.local, self._asked)

    def with_(self, **fields: Any) -> Function[P, R]:
        """The same function with other fields; None takes one away."""
        return Function(self.local, self._asked.change(**fields))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it on the grid and wait for the value. Broken off by the keyboard, it cancels the task: nobody else knows of it,
        unless `cache` found it there."""
        run = self.submit(*args, **kwargs)
        try:
            return run.result()
        except KeyboardInterrupt as stop:
            with suppress(SuanwangError):
                if not run.found and run.cancel():
                    stop.__notes__ = [f"{run.task_id} has been cancelled."]
            raise

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Send it to the grid; a handle of the call."""
        with prepare.call(self._asked, self.local, args, kwargs) as made, worded():
            return Run(self.client, made.shape, *self._send(made))

    def map(
        self,
        *inputs: Iterable[Any],
        chunk: int | None = None,
        at_once: int | None = None,
        return_exceptions: bool = False,
    ) -> MapRun[R]:
        """One task for all inputs, side by side as the built-in `map` takes them. `chunk`: how many of them a process takes,
        one after the other; where not given as many as make 100 processes. `at_once`: so many processes at a time."""
        with prepare.mapped(self._asked, self.local, inputs, chunk, at_once) as made, worded():
            return MapRun(self.client, made.shape, *self._send(made), return_exceptions=return_exceptions)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> PlanView:
        """Where a call would run, why there and for how much. Nothing is sent, held or run."""
        return self._dry(prepare.call(self._asked, self.local, args, kwargs))

    def plan_map(self, *inputs: Iterable[Any], chunk: int | None = None, at_once: int | None = None) -> PlanView:
        """The same of a map."""
        return self._dry(prepare.mapped(self._asked, self.local, inputs, chunk, at_once))

    def _dry(self, made: Prepared) -> PlanView:
        with made, worded():
            return self.client.call(calls.plan(made.request))

    def _send(self, made: Prepared) -> tuple[TaskView, bool]:
        """The task, and whether it was there before."""
        client = self.client
        if made.key is not None:
            wanted = _comparable(local_inputs(made.request, self._asked.files or Path(), upload=True)[0])
            own = client.whoami().tenant  # an operator's list has every tenant's
            for one in client.list(tag=f"{TAG}={made.key}", tenant=own, requests=True):
                if _stands(one, wanted, own) and not _raised(client, made.shape, one):
                    return one, True
        for blob in made.uploads:
            client.upload(blob)
        secrets = dict(self._asked.secrets) or None
        return client.submit(made.request, files=self._asked.files, secrets=secrets), False


class AsyncFunction(Generic[P, R]):
    """A function on the grid, for asyncio."""

    def __init__(self, function: Callable[P, Any], asked: Asked) -> None:
        functools.update_wrapper(cast(Any, self), function)
        self.local = function
        self._asked = asked

    def __repr__(self) -> str:
        return f"<suanwang task {getattr(self.local, '__qualname__', self.local)!s}, for asyncio>"

    __set_name__ = Function.__set_name__

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial, (self.local,)

    def _client(self) -> AsyncClient:
        """One of the caller's own, or the running loop's of the same address."""
        found = self._asked.client
        if isinstance(found, AsyncClient):
            return found
        return beside(found or default_client())

    def with_(self, **fields: Any) -> AsyncFunction[P, R]:
        return AsyncFunction(self.local, self._asked.change(**fields))

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `Function.__call__`; cancelling it cancels the task."""
        run = await self.submit(*args, **kwargs)
        try:
            return await run.result()
        except BaseException as error:
            with suppress(SuanwangError):
                if not isinstance(error, Exception) and not run.found and await run.cancel():
                    error.__notes__ = [f"{run.task_id} has been cancelled."]
            raise

    async def submit(self, *args: P.args, **kwargs: P.kwargs) -> AsyncRun[R]:
        client = self._client()
        with prepare.call(self._asked, self.local, args, kwargs) as made, worded():
            return AsyncRun(client, made.shape, *await self._send(client, made))

    async def map(
        self,
        *inputs: Iterable[Any],
        chunk: int | None = None,
        at_once: int | None = None,
        return_exceptions: bool = False,
    ) -> AsyncMapRun[R]:
        client = self._client()
        with prepare.mapped(self._asked, self.local, inputs, chunk, at_once) as made, worded():
            return AsyncMapRun(client, made.shape, *await self._send(client, made), return_exceptions=return_exceptions)

    async def plan(self, *args: P.args, **kwargs: P.kwargs) -> PlanView:
        return await self._dry(prepare.call(self._asked, self.local, args, kwargs))

    async def plan_map(self, *inputs: Iterable[Any], chunk: int | None = None, at_once: int | None = None) -> PlanView:
        return await self._dry(prepare.mapped(self._asked, self.local, inputs, chunk, at_once))

    async def _dry(self, made: Prepared) -> PlanView:
        with made, worded():
            return await self._client().call(calls.plan(made.request))

    async def _send(self, client: AsyncClient, made: Prepared) -> tuple[TaskView, bool]:
        if made.key is not None:
            wanted = _comparable(local_inputs(made.request, self._asked.files or Path(), upload=True)[0])
            own = (await client.whoami()).tenant
            async for one in client.list(tag=f"{TAG}={made.key}", tenant=own, requests=True):
                if _stands(one, wanted, own) and not await _raised_there(client, made.shape, one):
                    return one, True
        for blob in made.uploads:
            await client.upload(blob)
        secrets = dict(self._asked.secrets) or None
        return await client.submit(made.request, files=self._asked.files, secrets=secrets), False


def _stands(view: TaskView, wanted: TaskRequest, tenant: str) -> bool:
    """Whether an earlier task gives, or will give, what this call asks for: of the same tenant, under the same fields, by the same
    program, and not ended otherwise."""
    if view.request is None or view.tenant != tenant or (view.phase in ENDS and view.phase is not Phase.SUCCEEDED):
        return False
    return _comparable(view.request) == wanted and is_our_runner(view.request)


def _raised(client: Client, shape: Shape, view: TaskView) -> bool:
    """Whether an input of a map that has ended has an exception for an answer: the map has succeeded all the same."""
    if shape.items is None or view.phase not in ENDS:
        return False
    return MapRun[Any](client, shape, view, True)._raised()


async def _raised_there(client: AsyncClient, shape: Shape, view: TaskView) -> bool:
    if shape.items is None or view.phase not in ENDS:
        return False
    return await AsyncMapRun[Any](client, shape, view, True)._raised()


def _comparable(request: TaskRequest) -> TaskRequest:
    """Without the name, and without what the key stands for already: the function and what it is called with."""
    inputs = tuple(one for one in request.inputs if not one.path.startswith(f"{prepare.FOLDER}/"))
    return request.model_copy(update={"inputs": inputs, "name": "task"})


# -- the front door --------------------------------------------------------------------------------------------------


@overload
def task(function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncFunction[P, R]: ...  # type: ignore[overload-overlap]
@overload
def task(function: Callable[P, R], /) -> Function[P, R]: ...
@overload
def task(**fields: Any) -> _Decorator: ...
def task(function: Callable[..., Any] | None = None, /, **fields: Any) -> Any:
    """Decorate a function: its calls run on the grid. `fields` are those of the task file, those of `resources` beside the others,
    and `results`, `trust`, `cache`, `modules`, `client`, `files`; see docs/guide/python-functions.md.

    Raises FaultsError with everything that is wrong with the fields, and TypeError for what is no function.
    """
    decorate = _Decorator(Asked().change(**fields))
    return decorate if function is None else decorate(function)


class _Decorator:
    """`task(...)` with its fields read."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Function[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        if isinstance(function, Function | AsyncFunction):
            raise TypeError(f"{function!r} is a task already; `.with_(...)` gives it other fields")
        if not callable(function):
            raise TypeError(f"suanwang.task decorates a function, and {function!r} is none")
        kind = AsyncFunction if prepare.is_async(function) else Function
        return kind(function, self._asked)


def attach(
    task_id: str, *, client: Client | None = None, trust: str | Iterable[str] = (), return_exceptions: bool = False
) -> Run[Any] | MapRun[Any]:
    """The handle of a call or a map that was sent before, perhaps by another process. `trust` as for `task`.

    Raises NotFoundError for no task of yours, FunctionError for a task that is no function's.
    """
    here = client or default_client()
    with worded():
        view = here.task(task_id)
    shape = shape_of(view.request) if view.request is not None else None
    if shape is None or view.request is None:
        words = f"{task_id} ({view.name}) is no call of a Python function; Client.task and Client.outputs are for it."
        raise FunctionError("no_function", text=words, task=task_id, name=view.name)
    asked = Asked(results=shape.form)
    if trust:
        asked = asked.change(trust=trust)
    untrusted = _untrusted(here, asked, view, view.request)
    if shape.items is None:
        return Run(here, shape, view, True, untrusted)
    return MapRun(here, shape, view, True, untrusted, return_exceptions=return_exceptions)


def _untrusted(client: Client, asked: Asked, view: TaskView, request: TaskRequest) -> Untrusted | None:
    """Why results of a task that is there already shall not be opened here."""
    if asked.results != "pickle" or ANY in asked.trust:
        return None
    if view.tenant != client.whoami().tenant:
        return Untrusted("result_tenant", view.tenant)
    if not is_our_runner(request):
        return Untrusted("result_runner")
    owner = asked.untrusted(request)
    return None if owner is None else Untrusted("result_untrusted", owner)


__all__ = ["ANY", "AsyncFunction", "Function", "attach", "connect", "default_client", "task"]

"""The SDK, for asyncio. `sync.py` is the same for plain code; both send the calls of `calls.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx

from suanwang.client import calls
from suanwang.client.answers import error_of, pause_s, unreachable
from suanwang.client.calls import Call, TaskLike
from suanwang.client.connect import find_address
from suanwang.client.events import EventParser, StreamEvent
from suanwang.client.outputs import AsyncOutputs
from suanwang.client.uploads import Upload, Uploadable, local_inputs
from suanwang.client.workflows_aio import AsyncWorkflowVerbs
from suanwang.model.cats import CatsMetrics
from suanwang.model.doors import DoorRules
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import TaskId
from suanwang.model.joining import JoinTerms, JoinView
from suanwang.model.network import (
    CutFound,
    LinkHeld,
    NetOptimised,
    NetVerified,
    NetworkNow,
    OptimiseAsk,
    PathsAsk,
    PathsFound,
    ReservationView,
    ReserveAsk,
    ResizeAsk,
)
from suanwang.model.record import ENDS
from suanwang.model.scarcity import Scarcity
from suanwang.model.service import ServiceAsk, ServiceLine, ServiceResult, ServiceView
from suanwang.model.task import TaskRequest
from suanwang.model.view import (
    Bill,
    BulkAnswer,
    Explain,
    IssuedKey,
    KeyView,
    Panorama,
    PlanView,
    Share,
    TaskBill,
    TaskView,
    WhoAmI,
)
from suanwang.model.wanted import NetworkView
from suanwang.runtime.clock import monotonic_s
from suanwang.runtime.ids import new_secret

T = TypeVar("T")
TIMEOUT_S = 30.0
STREAM_SILENCE_S = 45.0  # the brain pings every 10 s; past this the line is dead
DEFAULT_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20)  # httpx's own


class AsyncClient(AsyncWorkflowVerbs):
    """A connection to a brain. For one event loop; close it, or use it with `async with`.

    `url` and `key` default to SUANWANG_URL and SUANWANG_KEY, else to the brain that runs on this machine's home.
    Every failure is one of `suanwang.model.error`: FaultsError carries all faults of a task, with their texts.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        lang: str = "en",
        timeout_s: float = TIMEOUT_S,
        limits: httpx.Limits = DEFAULT_LIMITS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        new_key: Callable[[], str] = new_secret,
    ) -> None:
        address = find_address(url, key)
        self.url = address.url
        self.lang = lang
        self._sleep = sleep
        self._new_key = new_key
        headers = {"Authorization": f"Bearer {address.key}", "Accept-Language": lang}
        self._http = httpx.AsyncClient(
            base_url=address.url, headers=headers, timeout=timeout_s, limits=limits, transport=transport
        )
        self.outputs = AsyncOutputs(self)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # -- sending ---------------------------------------------------------------------------------------------

    async def call(self, call: Call[T], body: Callable[[], Iterator[bytes]] | None = None) -> T:
        """Send one call, again where that is safe. `body` makes a streamed body, afresh for each try."""
        attempt = 0
        while True:
            answer, error = await self._send(call, body)
            if answer is not None and answer.is_success:
                return call.read(answer.content)
            wait_s = pause_s(answer, error, attempt, safe=call.safe)
            if wait_s is None:
                if answer is None:
                    raise unreachable(self.url, error or EOFError())
                raise error_of(answer.status_code, answer.content)
            await self._sleep(wait_s)
            attempt += 1

    async def _send(
        self, call: Call[Any], body: Callable[[], Iterator[bytes]] | None
    ) -> tuple[httpx.Response | None, httpx.TransportError | None]:
        content = call.body if body is None else _async(body())
        try:
            headers = dict(call.headers)
            timeout = httpx.USE_CLIENT_DEFAULT if call.timeout_s is None else call.timeout_s
            return await self._http.request(
                call.method, call.path, params=call.params, headers=headers, content=content, timeout=timeout
            ), None
        except httpx.TransportError as error:
            return None, error

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float = STREAM_SILENCE_S,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of a GET, piece by piece. A line that is silent for `silence_s` counts as broken."""
        timeout = httpx.Timeout(TIMEOUT_S, read=silence_s)
        try:
            async with self._http.stream("GET", path, params=params, headers=headers, timeout=timeout) as answer:
                if not answer.is_success:
                    raise error_of(answer.status_code, await answer.aread())
                yield answer.aiter_bytes()
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    # -- tasks -----------------------------------------------------------------------------------------------

    async def submit(
        self,
        task: TaskLike,
        *,
        files: Path | str | None = None,
        secrets: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> TaskView:
        """Submit a task; its local inputs are uploaded first (relative to `files`, else to the task file's folder).

        A task that admission refuses comes back with the phase `refused` and its refusals.
        """
        request, uploads = self._prepare(task, files, upload=True)
        for one in uploads:
            await self.upload(one)
        return await self.call(calls.submit(request, secrets, idempotency_key or self._new_key()))

    def _prepare(self, task: TaskLike, files: Path | str | None, *, upload: bool) -> tuple[TaskRequest, list[Upload]]:
        request, folder = calls.read_tasklike(task)
        return local_inputs(request, Path(files) if files is not None else folder, upload=upload)

    async def upload(self, one: Uploadable) -> None:
        """Bring bytes to the grid, unless they are there. A task names them as `object:<blake3>`."""
        if not await self._has(one.blake3):
            await self.call(calls.put_object(one.blake3), one.pieces)

    async def _has(self, digest: str) -> bool:
        answer, _ = await self._send(calls.has_object(digest), None)
        return answer is not None and answer.is_success

    async def submit_many(
        self, tasks: Iterable[TaskLike], *, arrow: bool = True, idempotency_key: str | None = None
    ) -> BulkAnswer:
        """Submit many tasks, in parts where they are many; rows with faults are refused alone and listed."""
        key = idempotency_key or self._new_key()
        requests = []
        for one in tasks:
            request, uploads = self._prepare(one, None, upload=True)
            for upload in uploads:
                await self.upload(upload)
            requests.append(request)
        parts = [requests[at : at + calls.BULK_ROWS] for at in range(0, len(requests), calls.BULK_ROWS)]
        answers = [
            await self.call(calls.submit_many(part, f"{key}.{number}", arrow=arrow))
            for number, part in enumerate(parts)
        ]
        return calls.join_bulk(answers)

    async def run(
        self,
        task: TaskLike,
        *,
        files: Path | str | None = None,
        secrets: Mapping[str, str] | None = None,
        outputs: Path | str | None = None,
        on_event: Callable[[StreamEvent], None] | None = None,
        timeout_s: float | None = None,
    ) -> TaskView:
        """Submit, wait for the end, and save the outputs to a folder where one is given."""
        view = await self.submit(task, files=files, secrets=secrets)
        if view.phase not in ENDS:
            view = await self.wait(view.task_id, timeout_s=timeout_s, on_event=on_event)
        if outputs is not None:
            await self.outputs.save(view, outputs)
        return view

    async def wait(
        self,
        task_id: str,
        *,
        timeout_s: float | None = None,
        on_event: Callable[[StreamEvent], None] | None = None,
    ) -> TaskView:
        """Follow a task to its end. Raises TimeoutError after `timeout_s`, which may be 0; the task goes on."""
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        try:
            async for event in self.events(task_id, until_s=until_s):
                if on_event is not None and event.kind != "end":
                    on_event(event)
        except TimeoutError:
            view = await self.task(task_id)  # it may have ended, and the time was too short to be told
            if view.phase not in ENDS:
                raise
            return view
        return await self.task(task_id)

    async def events(
        self, task_id: str, *, after: str = "", until_s: float | None = None
    ) -> AsyncGenerator[StreamEvent]:
        """The steps of a task as they come; the last one is `end`. A broken line is taken up where it broke."""
        parser, breaks = EventParser(), 0
        parser.last_id = after
        while True:
            headers = {"Last-Event-ID": parser.last_id} if parser.last_id else {}
            silence_s = STREAM_SILENCE_S if until_s is None else min(STREAM_SILENCE_S, until_s - monotonic_s())
            try:
                async with self.stream(
                    calls.events(task_id), headers=headers, silence_s=max(silence_s, 0.001)
                ) as pieces:
                    async for piece in pieces:
                        breaks = 0
                        for event in parser.feed(piece):
                            yield event
                            if event.kind == "end":
                                return
                        if until_s is not None and monotonic_s() > until_s:
                            raise TimeoutError(task_id)
                raise unreachable(self.url, EOFError("the stream ended"))
            except calls.LINE_BREAKS:
                if until_s is not None and monotonic_s() >= until_s:
                    raise TimeoutError(task_id) from None
                parser.broken()
                if breaks >= calls.BREAKS_MAX:
                    raise
                breaks += 1
                await self._sleep(min(0.2 * 2**breaks, 5.0))

    async def logs(
        self, task_id: str, *, follow: bool = False, offset: int = 0, attempt: str | None = None
    ) -> AsyncIterator[bytes]:
        """The log of an attempt (the newest where none is named); `follow` goes on until the attempt is over."""
        path, params = calls.logs(task_id, offset, follow, attempt)
        async with self.stream(path, params) as pieces:
            async for piece in pieces:
                yield piece

    async def plan(self, task: TaskLike, *, files: Path | str | None = None) -> PlanView:
        """What submitting now would give: the plan, the reasons, and where nothing fits what would make it fit."""
        return await self.call(calls.plan(self._prepare(task, files, upload=False)[0]))

    async def services(self, *, group: str | None = None, text: str | None = None) -> tuple[ServiceLine, ...]:
        """The catalogue of services, group by group."""
        return (await self.call(calls.services(group, text))).items

    async def service(self, service_id: str) -> ServiceView:
        """One service: its parameters, and what is expected of its result."""
        return await self.call(calls.service(service_id))

    async def plan_service(
        self, service_id: str, parameters: Mapping[str, Any] | None = None, task: Mapping[str, Any] | None = None
    ) -> PlanView:
        """Where a service would run and for how much; `task` are fields of a task file beside (origin, latency, deadline)."""
        ask = ServiceAsk(parameters=dict(parameters or {}), task=dict(task or {}))
        return await self.call(calls.plan_service(service_id, ask))

    async def run_service(
        self,
        service_id: str,
        parameters: Mapping[str, Any] | None = None,
        task: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> TaskView:
        """Submit a task of a service. Raises FaultsError with every fault of its parameters."""
        ask = ServiceAsk(parameters=dict(parameters or {}), task=dict(task or {}))
        return await self.call(calls.run_service(service_id, ask, idempotency_key or self._new_key()))

    async def service_result(self, task_id: str) -> ServiceResult:
        """The figures of a service's task, each held against what is expected."""
        return await self.call(calls.service_result(task_id))

    async def task(self, task_id: str) -> TaskView:
        return await self.call(calls.task(task_id))

    async def explain(self, task_id: str) -> Explain:
        return await self.call(calls.explain(task_id))

    async def cancel(self, task_id: str) -> TaskView:
        return await self.call(calls.cancel(task_id))

    async def list(
        self,
        *,
        phase: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        tenant: str | None = None,
        limit: int | None = None,
        requests: bool = False,
    ) -> AsyncIterator[TaskView]:
        """Tasks, newest first, page by page; `limit` in all."""
        left, cursor = limit, None
        while left is None or left > 0:
            page_limit = 200 if left is None else min(left, 200)
            page = await self.call(calls.tasks(phase, tag, text, tenant, page_limit, cursor, requests))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            left = None if left is None else left - len(page.items)
            if cursor is None:
                return

    # -- money, grid, keys -------------------------------------------------------------------------------------

    async def bill(self, *, tenant: str | None = None, from_us: int | None = None, to_us: int | None = None) -> Bill:
        return await self.call(calls.bill(tenant, from_us, to_us))

    async def task_bill(self, task_id: str) -> TaskBill:
        return await self.call(calls.task_bill(task_id))

    async def doors(self) -> DoorRules:
        """How tasks in the forms of other systems are read on this grid."""
        return await self.call(calls.doors())

    async def whoami(self) -> WhoAmI:
        return await self.call(calls.whoami())

    async def grid(self) -> Grid:
        return await self.call(calls.grid())

    async def panorama(self) -> Panorama:
        return await self.call(calls.panorama())

    async def scarcity(self) -> Scarcity:
        return await self.call(calls.scarcity())

    async def cats(self, ingress: str | None = None) -> CatsMetrics:
        return await self.call(calls.cats(ingress))

    async def fail_site(self, site: str) -> None:
        await self.call(calls.switch("sites", site, "fail"))

    async def heal_site(self, site: str) -> None:
        await self.call(calls.switch("sites", site, "heal"))

    async def cordon_site(self, site: str) -> None:
        """Close a site to new work; what runs there runs on."""
        await self.call(calls.switch("sites", site, "cordon"))

    async def drain_site(self, site: str) -> None:
        """Close a site to new work, and have what runs there moved."""
        await self.call(calls.switch("sites", site, "drain"))

    async def open_site(self, site: str) -> None:
        """Open a site again that was cordoned, drained or has left."""
        await self.call(calls.switch("sites", site, "open"))

    async def leave_site(self, site: str) -> None:
        """Let a drained site go. Raises ConflictError while something of it is live."""
        await self.call(calls.switch("sites", site, "leave"))

    async def fail_link(self, link: str) -> None:
        await self.call(calls.switch("links", link, "fail"))

    async def heal_link(self, link: str) -> None:
        await self.call(calls.switch("links", link, "heal"))

    async def fail_security_pool(self, pool: str) -> None:
        """Take a security pool out (`<site>/<pool>`): what passes it goes past another."""
        await self.call(calls.switch("security-pools", pool, "fail"))

    async def heal_security_pool(self, pool: str) -> None:
        await self.call(calls.switch("security-pools", pool, "heal"))

    # -- the network -------------------------------------------------------------------------------------------

    async def network(self) -> NetworkNow:
        """Routers and links with what is held now; an operator sees the reservations too."""
        return await self.call(calls.network())

    async def network_link(self, link_id: str) -> LinkHeld:
        """A link and who holds it; who is no operator sees its own tenant's tasks."""
        return await self.call(calls.network_link(link_id))

    async def policies(self) -> NetworkView:
        """The SR policies that the live plans want, which task takes which, and what the routers last said."""
        return await self.call(calls.policies())

    async def paths(self, ask: PathsAsk | Mapping[str, Any]) -> PathsFound:
        """The cheapest ways that would be admitted now, or why none. Nothing is held."""
        return await self.call(calls.paths(calls.read_ask(PathsAsk, ask)))

    async def reserve(self, ask: ReserveAsk | Mapping[str, Any]) -> ReservationView:
        """Hold bandwidth for something that is no task. ConflictError `no_way_...` says why it cannot be had."""
        return await self.call(calls.reserve(calls.read_ask(ReserveAsk, ask)))

    async def resize(self, reservation_id: str, bandwidth: int | str) -> ReservationView:
        """Another bandwidth (bit/s, or `"2 Gbps"`) from now on. ConflictError `no_way_...` says why it cannot be had."""
        ask = calls.read_ask(ResizeAsk, {"bandwidth_bps": bandwidth})
        return await self.call(calls.resize(reservation_id, ask))

    async def release(self, reservation_id: str) -> None:
        await self.call(calls.release(reservation_id))

    async def reservations(self) -> tuple[ReservationView, ...]:
        return (await self.call(calls.reservations())).items

    async def what_if_cut(self, links: Sequence[str] = (), risks: Sequence[str] = ()) -> CutFound:
        """What it would do if these links, and all of these risk groups, went down."""
        return await self.call(calls.what_if_cut(links, risks))

    async def verify_network(self) -> NetVerified:
        """Every fault of what is held."""
        return await self.call(calls.verify_network())

    async def optimise_network(self, ask: OptimiseAsk | None = None) -> NetOptimised:
        """How much better the traffic of now could be spread. Nothing is changed."""
        return await self.call(calls.optimise_network(OptimiseAsk() if ask is None else ask))

    async def tenants(self) -> tuple[Tenant, ...]:
        return (await self.call(calls.tenants())).items

    async def set_tenant(self, tenant: Tenant) -> Tenant:
        """Add a tenant, or change all of its limits and its place in the tree."""
        return await self.call(calls.set_tenant(tenant))

    async def shares(self) -> tuple[Share, ...]:
        """What the key's tenant and all below it have of the grid; an operator sees every tenant."""
        return (await self.call(calls.shares())).items

    async def keys(self, *, revoked: bool = False) -> tuple[KeyView, ...]:
        return (await self.call(calls.keys(revoked))).items

    async def issue_key(self, tenant: str, role: str, *, sites: tuple[str, ...] = (), note: str = "") -> IssuedKey:
        return await self.call(calls.issue_key(tenant, role, sites, note))

    async def joins(self) -> tuple[JoinView, ...]:
        """The requests of sites to join, newest first."""
        return (await self.call(calls.joins())).items

    async def approve_join(self, join_id: str, terms: JoinTerms | None = None) -> JoinView:
        """Let a site in, as it is proposed or with other terms."""
        return await self.call(calls.approve_join(join_id, terms or JoinTerms()))

    async def refuse_join(self, join_id: str, why: str = "") -> JoinView:
        return await self.call(calls.refuse_join(join_id, why))

    async def check_site(self, site: str) -> TaskId:
        """Send a check task to a site that has joined; its id."""
        return (await self.call(calls.check_site(site))).task_id

    async def revoke_key(self, key_id: str) -> None:
        await self.call(calls.revoke_key(key_id))


async def _async(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece

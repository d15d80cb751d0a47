"""The SDK, for plain code. `aio.py` is the same for asyncio."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx

from suanwang.client import calls
from suanwang.client.answers import error_of, pause_s, unreachable
from suanwang.client.calls import Call, TaskLike
from suanwang.client.connect import find_address
from suanwang.client.events import EventParser, StreamEvent
from suanwang.client.outputs import Outputs
from suanwang.client.uploads import Upload, Uploadable, local_inputs
from suanwang.client.workflows import WorkflowVerbs
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
from suanwang.runtime.clock import monotonic_s, pause
from suanwang.runtime.ids import new_secret

T = TypeVar("T")
TIMEOUT_S = 30.0
STREAM_SILENCE_S = 45.0  # the brain pings every 10 s; past this the line is dead


class Client(WorkflowVerbs):
    """A connection to a brain. Thread-safe; close it, or use it with `with`.

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
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = pause,
        new_key: Callable[[], str] = new_secret,
    ) -> None:
        address = find_address(url, key)
        self.address = address
        self.url = address.url
        self.lang = lang
        self.timeout_s = timeout_s
        self._sleep = sleep
        self._new_key = new_key
        headers = {"Authorization": f"Bearer {address.key}", "Accept-Language": lang}
        self._http = httpx.Client(base_url=address.url, headers=headers, timeout=timeout_s, transport=transport)
        self.outputs = Outputs(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # -- sending ---------------------------------------------------------------------------------------------

    def call(self, call: Call[T], body: Callable[[], Iterator[bytes]] | None = None) -> T:
        """Send one call, again where that is safe. `body` makes a streamed body, afresh for each try."""
        attempt = 0
        while True:
            answer, error = self._send(call, body)
            if answer is not None and answer.is_success:
                return call.read(answer.content)
            wait_s = pause_s(answer, error, attempt, safe=call.safe)
            if wait_s is None:
                if answer is None:
                    raise unreachable(self.url, error or EOFError())
                raise error_of(answer.status_code, answer.content)
            self._sleep(wait_s)
            attempt += 1

    def _send(
        self, call: Call[Any], body: Callable[[], Iterator[bytes]] | None
    ) -> tuple[httpx.Response | None, httpx.TransportError | None]:
        content = call.body if body is None else body()
        try:
            headers = dict(call.headers)
            timeout = httpx.USE_CLIENT_DEFAULT if call.timeout_s is None else call.timeout_s
            return self._http.request(
                call.method, call.path, params=call.params, headers=headers, content=content, timeout=timeout
            ), None
        except httpx.TransportError as error:
            return None, error

    @contextmanager
    def stream(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float = STREAM_SILENCE_S,
    ) -> Iterator[Iterator[bytes]]:
        """The body of a GET, piece by piece. A line that is silent for `silence_s` counts as broken."""
        timeout = httpx.Timeout(TIMEOUT_S, read=silence_s)
        try:
            with self._http.stream("GET", path, params=params, headers=headers, timeout=timeout) as answer:
                if not answer.is_success:
                    raise error_of(answer.status_code, answer.read())
                yield answer.iter_bytes()
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    # -- tasks -----------------------------------------------------------------------------------------------

    def submit(
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
            self.upload(one)
        return self.call(calls.submit(request, secrets, idempotency_key or self._new_key()))

    def _prepare(self, task: TaskLike, files: Path | str | None, *, upload: bool) -> tuple[TaskRequest, list[Upload]]:
        request, folder = calls.read_tasklike(task)
        return local_inputs(request, Path(files) if files is not None else folder, upload=upload)

    def upload(self, one: Uploadable) -> None:
        """Bring bytes to the grid, unless they are there. A task names them as `object:<blake3>`."""
        if not self._has(one.blake3):
            self.call(calls.put_object(one.blake3), one.pieces)

    def _has(self, digest: str) -> bool:
        answer, _ = self._send(calls.has_object(digest), None)
        return answer is not None and answer.is_success

    def submit_many(
        self, tasks: Iterable[TaskLike], *, arrow: bool = True, idempotency_key: str | None = None
    ) -> BulkAnswer:
        """Submit many tasks, in parts where they are many; rows with faults are refused alone and listed."""
        key = idempotency_key or self._new_key()
        requests = []
        for one in tasks:
            request, uploads = self._prepare(one, None, upload=True)
            for upload in uploads:
                self.upload(upload)
            requests.append(request)
        parts = [requests[at : at + calls.BULK_ROWS] for at in range(0, len(requests), calls.BULK_ROWS)]
        answers = [
            self.call(calls.submit_many(part, f"{key}.{number}", arrow=arrow)) for number, part in enumerate(parts)
        ]
        return calls.join_bulk(answers)

    def run(
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
        view = self.submit(task, files=files, secrets=secrets)
        if view.phase not in ENDS:
            view = self.wait(view.task_id, timeout_s=timeout_s, on_event=on_event)
        if outputs is not None:
            self.outputs.save(view, outputs)
        return view

    def wait(
        self,
        task_id: str,
        *,
        timeout_s: float | None = None,
        on_event: Callable[[StreamEvent], None] | None = None,
    ) -> TaskView:
        """Follow a task to its end. Raises TimeoutError after `timeout_s`, which may be 0; the task goes on."""
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        try:
            for event in self.events(task_id, until_s=until_s):
                if on_event is not None and event.kind != "end":
                    on_event(event)
        except TimeoutError:
            view = self.task(task_id)  # it may have ended, and the time was too short to be told
            if view.phase not in ENDS:
                raise
            return view
        return self.task(task_id)

    def events(self, task_id: str, *, after: str = "", until_s: float | None = None) -> Generator[StreamEvent]:
        """The steps of a task as they come; the last one is `end`. A broken line is taken up where it broke."""
        parser, breaks = EventParser(), 0
        parser.last_id = after
        while True:
            headers = {"Last-Event-ID": parser.last_id} if parser.last_id else {}
            silence_s = STREAM_SILENCE_S if until_s is None else min(STREAM_SILENCE_S, until_s - monotonic_s())
            try:
                with self.stream(calls.events(task_id), headers=headers, silence_s=max(silence_s, 0.001)) as pieces:
                    for piece in pieces:
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
                self._sleep(min(0.2 * 2**breaks, 5.0))

    def logs(
        self, task_id: str, *, follow: bool = False, offset: int = 0, attempt: str | None = None
    ) -> Iterator[bytes]:
        """The log of an attempt (the newest where none is named); `follow` goes on until the attempt is over."""
        path, params = calls.logs(task_id, offset, follow, attempt)
        with self.stream(path, params) as pieces:
            yield from pieces

    def plan(self, task: TaskLike, *, files: Path | str | None = None) -> PlanView:
        """What submitting now would give: the plan, the reasons, and where nothing fits what would make it fit."""
        return self.call(calls.plan(self._prepare(task, files, upload=False)[0]))

    def services(self, *, group: str | None = None, text: str | None = None) -> tuple[ServiceLine, ...]:
        """The catalogue of services, group by group."""
        return self.call(calls.services(group, text)).items

    def service(self, service_id: str) -> ServiceView:
        """One service: its parameters, and what is expected of its result."""
        return self.call(calls.service(service_id))

    def plan_service(
        self, service_id: str, parameters: Mapping[str, Any] | None = None, task: Mapping[str, Any] | None = None
    ) -> PlanView:
        """Where a service would run and for how much; `task` are fields of a task file beside (origin, latency, deadline)."""
        ask = ServiceAsk(parameters=dict(parameters or {}), task=dict(task or {}))
        return self.call(calls.plan_service(service_id, ask))

    def run_service(
        self,
        service_id: str,
        parameters: Mapping[str, Any] | None = None,
        task: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> TaskView:
        """Submit a task of a service. Raises FaultsError with every fault of its parameters."""
        ask = ServiceAsk(parameters=dict(parameters or {}), task=dict(task or {}))
        return self.call(calls.run_service(service_id, ask, idempotency_key or self._new_key()))

    def service_result(self, task_id: str) -> ServiceResult:
        """The figures of a service's task, each held against what is expected."""
        return self.call(calls.service_result(task_id))

    def task(self, task_id: str) -> TaskView:
        return self.call(calls.task(task_id))

    def explain(self, task_id: str) -> Explain:
        return self.call(calls.explain(task_id))

    def cancel(self, task_id: str) -> TaskView:
        return self.call(calls.cancel(task_id))

    def list(
        self,
        *,
        phase: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        tenant: str | None = None,
        limit: int | None = None,
        requests: bool = False,
    ) -> Iterator[TaskView]:
        """Tasks, newest first, page by page; `limit` in all."""
        left, cursor = limit, None
        while left is None or left > 0:
            page_limit = 200 if left is None else min(left, 200)
            page = self.call(calls.tasks(phase, tag, text, tenant, page_limit, cursor, requests))
            yield from page.items
            cursor = page.next_cursor
            left = None if left is None else left - len(page.items)
            if cursor is None:
                return

    # -- money, grid, keys -------------------------------------------------------------------------------------

    def bill(self, *, tenant: str | None = None, from_us: int | None = None, to_us: int | None = None) -> Bill:
        return self.call(calls.bill(tenant, from_us, to_us))

    def task_bill(self, task_id: str) -> TaskBill:
        return self.call(calls.task_bill(task_id))

    def doors(self) -> DoorRules:
        """How tasks in the forms of other systems are read on this grid."""
        return self.call(calls.doors())

    def whoami(self) -> WhoAmI:
        return self.call(calls.whoami())

    def grid(self) -> Grid:
        return self.call(calls.grid())

    def panorama(self) -> Panorama:
        return self.call(calls.panorama())

    def scarcity(self) -> Scarcity:
        return self.call(calls.scarcity())

    def cats(self, ingress: str | None = None) -> CatsMetrics:
        return self.call(calls.cats(ingress))

    def fail_site(self, site: str) -> None:
        self.call(calls.switch("sites", site, "fail"))

    def heal_site(self, site: str) -> None:
        self.call(calls.switch("sites", site, "heal"))

    def cordon_site(self, site: str) -> None:
        """Close a site to new work; what runs there runs on."""
        self.call(calls.switch("sites", site, "cordon"))

    def drain_site(self, site: str) -> None:
        """Close a site to new work, and have what runs there moved."""
        self.call(calls.switch("sites", site, "drain"))

    def open_site(self, site: str) -> None:
        """Open a site again that was cordoned, drained or has left."""
        self.call(calls.switch("sites", site, "open"))

    def leave_site(self, site: str) -> None:
        """Let a drained site go. Raises ConflictError while something of it is live."""
        self.call(calls.switch("sites", site, "leave"))

    def fail_link(self, link: str) -> None:
        self.call(calls.switch("links", link, "fail"))

    def heal_link(self, link: str) -> None:
        self.call(calls.switch("links", link, "heal"))

    def fail_security_pool(self, pool: str) -> None:
        """Take a security pool out (`<site>/<pool>`): what passes it goes past another."""
        self.call(calls.switch("security-pools", pool, "fail"))

    def heal_security_pool(self, pool: str) -> None:
        self.call(calls.switch("security-pools", pool, "heal"))

    # -- the network -------------------------------------------------------------------------------------------

    def network(self) -> NetworkNow:
        """Routers and links with what is held now; an operator sees the reservations too."""
        return self.call(calls.network())

    def network_link(self, link_id: str) -> LinkHeld:
        """A link and who holds it; who is no operator sees its own tenant's tasks."""
        return self.call(calls.network_link(link_id))

    def policies(self) -> NetworkView:
        """The SR policies that the live plans want, which task takes which, and what the routers last said."""
        return self.call(calls.policies())

    def paths(self, ask: PathsAsk | Mapping[str, Any]) -> PathsFound:
        """The cheapest ways that would be admitted now, or why none. Nothing is held."""
        return self.call(calls.paths(calls.read_ask(PathsAsk, ask)))

    def reserve(self, ask: ReserveAsk | Mapping[str, Any]) -> ReservationView:
        """Hold bandwidth for something that is no task. ConflictError `no_way_...` says why it cannot be had."""
        return self.call(calls.reserve(calls.read_ask(ReserveAsk, ask)))

    def resize(self, reservation_id: str, bandwidth: int | str) -> ReservationView:
        """Another bandwidth (bit/s, or `"2 Gbps"`) from now on. ConflictError `no_way_...` says why it cannot be had."""
        ask = calls.read_ask(ResizeAsk, {"bandwidth_bps": bandwidth})
        return self.call(calls.resize(reservation_id, ask))

    def release(self, reservation_id: str) -> None:
        self.call(calls.release(reservation_id))

    def reservations(self) -> tuple[ReservationView, ...]:
        return self.call(calls.reservations()).items

    def what_if_cut(self, links: Sequence[str] = (), risks: Sequence[str] = ()) -> CutFound:
        """What it would do if these links, and all of these risk groups, went down."""
        return self.call(calls.what_if_cut(links, risks))

    def verify_network(self) -> NetVerified:
        """Every fault of what is held."""
        return self.call(calls.verify_network())

    def optimise_network(self, ask: OptimiseAsk | None = None) -> NetOptimised:
        """How much better the traffic of now could be spread. Nothing is changed."""
        return self.call(calls.optimise_network(OptimiseAsk() if ask is None else ask))

    def tenants(self) -> tuple[Tenant, ...]:
        return self.call(calls.tenants()).items

    def set_tenant(self, tenant: Tenant) -> Tenant:
        """Add a tenant, or change all of its limits and its place in the tree."""
        return self.call(calls.set_tenant(tenant))

    def shares(self) -> tuple[Share, ...]:
        """What the key's tenant and all below it have of the grid; an operator sees every tenant."""
        return self.call(calls.shares()).items

    def keys(self, *, revoked: bool = False) -> tuple[KeyView, ...]:
        return self.call(calls.keys(revoked)).items

    def issue_key(self, tenant: str, role: str, *, sites: tuple[str, ...] = (), note: str = "") -> IssuedKey:
        return self.call(calls.issue_key(tenant, role, sites, note))

    def joins(self) -> tuple[JoinView, ...]:
        """The requests of sites to join, newest first."""
        return self.call(calls.joins()).items

    def approve_join(self, join_id: str, terms: JoinTerms | None = None) -> JoinView:
        """Let a site in, as it is proposed or with other terms."""
        return self.call(calls.approve_join(join_id, terms or JoinTerms()))

    def refuse_join(self, join_id: str, why: str = "") -> JoinView:
        return self.call(calls.refuse_join(join_id, why))

    def check_site(self, site: str) -> TaskId:
        """Send a check task to a site that has joined; its id."""
        return self.call(calls.check_site(site)).task_id

    def revoke_key(self, key_id: str) -> None:
        self.call(calls.revoke_key(key_id))

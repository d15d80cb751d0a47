"""The SDK's verbs about workflows. Mixed into the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from suanwang.client import calls
from suanwang.client.calls import Call, WorkflowLike
from suanwang.client.uploads import Upload, Uploadable, workflow_inputs
from suanwang.model.workflow import Workflow, WorkflowPlan, WorkflowState, WorkflowView
from suanwang.runtime.clock import monotonic_s

T = TypeVar("T")
_Body = Callable[[], Iterator[bytes]] | None
WAIT_MIN_S, WAIT_MAX_S = 0.2, 2.0  # between two looks at a workflow


class WorkflowVerbs:
    """Needs the client's own ways to send."""

    _new_key: Callable[[], str]
    _sleep: Callable[[float], None]

    if TYPE_CHECKING:

        def call(self, call: Call[T], body: _Body = None) -> T: ...
        def upload(self, one: Uploadable) -> None: ...

    def submit_workflow(
        self,
        workflow: WorkflowLike,
        *,
        files: Path | str | None = None,
        secrets: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> WorkflowView:
        """Submit a workflow (a dict as in its file, or the file's path); local inputs of its tasks are uploaded first.

        All of its tasks are admitted, or none is: it comes back with the state `refused`, and the reasons.
        """
        found, uploads = self._read_workflow(workflow, files, upload=True)
        for one in uploads:
            self.upload(one)
        return self.call(calls.submit_workflow(found, secrets, idempotency_key or self._new_key()))

    def _read_workflow(
        self, workflow: WorkflowLike, files: Path | str | None, *, upload: bool
    ) -> tuple[Workflow, list[Upload]]:
        found, folder = calls.read_workflowlike(workflow)
        return workflow_inputs(found, Path(files) if files is not None else folder, upload=upload)

    def plan_workflow(self, workflow: WorkflowLike, *, files: Path | str | None = None) -> WorkflowPlan:
        """Where each of its tasks would run, when, and at what price; nothing is held."""
        return self.call(calls.plan_workflow(self._read_workflow(workflow, files, upload=False)[0]))

    def workflow(self, workflow_id: str) -> WorkflowView:
        return self.call(calls.workflow(workflow_id))

    def workflows(self, *, tenant: str | None = None, limit: int = 50) -> tuple[WorkflowView, ...]:
        """The newest first, without their tasks."""
        return (self.call(calls.workflows(tenant, limit))).items

    def cancel_workflow(self, workflow_id: str) -> WorkflowView:
        return self.call(calls.cancel_workflow(workflow_id))

    def wait_workflow(
        self,
        workflow_id: str,
        *,
        timeout_s: float | None = None,
        on_change: Callable[[WorkflowView], None] | None = None,
    ) -> WorkflowView:
        """Follow a workflow until all of its tasks have ended. Raises TimeoutError after `timeout_s`; it goes on."""
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        seen, wait_s = None, WAIT_MIN_S
        while True:
            view = self.workflow(workflow_id)
            wait_s = WAIT_MIN_S if view != seen else min(WAIT_MAX_S, 1.5 * wait_s)
            if view != seen and on_change is not None:
                on_change(view)
            if view.state is not WorkflowState.RUNNING:
                return view
            if until_s is not None and monotonic_s() > until_s:
                raise TimeoutError(workflow_id)
            seen = view
            self._sleep(wait_s)

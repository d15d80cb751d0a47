"""A task as SkyPilot writes it (docs.skypilot.co/en/latest/reference/yaml-spec.html).

Every field that SkyPilot has at these places is here, so that a misspelt one is told from one that cannot be had; which of
type Any is refused and why is in `intent/skypilot.py`.
"""

from typing import Annotated, Any

from pydantic import Field

from suanwang.model.base import Value

Amount = int | float | str  # `4`, `4+`, `32`, `32GB`


class SkyRecovery(Value):
    strategy: str | None = None
    max_restarts_on_errors: Annotated[int, Field(ge=0, le=20)] | None = None
    recover_on_exit_codes: Any = None


class SkyChoice(Value):
    """Resources; inside `any_of` and `ordered` they change those outside."""

    infra: str | None = None
    cloud: str | None = None
    region: str | None = None
    zone: str | None = None
    accelerators: str | dict[str, int | float] | list[str] | None = None
    accelerator_args: Any = None
    cpus: Amount | None = None
    memory: Amount | None = None
    instance_type: str | None = None
    use_spot: bool | None = None
    job_recovery: str | SkyRecovery | None = None
    spot_recovery: str | None = None
    disk_size: Amount | None = None
    disk_tier: Any = None
    network_tier: Any = None
    local_disk: Any = None
    ports: Any = None
    image_id: str | dict[str, str] | None = None
    labels: dict[str, str] | None = None
    autostop: Any = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    max_hourly_cost: Any = None
    volumes: Any = None


class SkyResources(SkyChoice):
    any_of: Annotated[tuple[SkyChoice, ...], Field(min_length=1, max_length=20)] | None = None
    ordered: Annotated[tuple[SkyChoice, ...], Field(min_length=1, max_length=20)] | None = None


class SkyStorage(Value):
    source: str | list[str] | None = None
    name: str | None = None
    store: str | None = None
    mode: str | None = None
    persistent: bool | None = None
    config: Any = None


class SkyTask(Value):
    run: Annotated[str, Field(max_length=48 * 1024)]
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    setup: Annotated[str, Field(max_length=48 * 1024)] | None = None
    workdir: str | dict[str, Any] | None = None
    num_nodes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    resources: SkyResources | None = None
    envs: dict[str, str | int | float | bool | None] | None = None
    secrets: dict[str, str | None] | None = None
    file_mounts: dict[str, str | SkyStorage] | None = None
    inputs: Any = None  # estimates for SkyPilot's optimiser
    outputs: Any = None
    service: Any = None
    pool: Any = None
    volumes: Any = None
    config: Any = None
    experimental: Any = None
    event_callback: Any = None
    file_mounts_mapping: Any = None
    api_server: Any = None

"""What the operator decides about a TES server: the operator's file, and what the adapter makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from suanwang.agent.adapter import Limit
from suanwang.model.base import Value
from suanwang.model.ids import PoolId
from suanwang.model.units import MIB

POLL_US: Final = 2_000_000  # between two looks at the tasks that live
TIMEOUT_S: Final = 20.0  # of one question
BASE: Final = "/ga4gh/tes/v1"
Text = Annotated[str, Field(min_length=1, max_length=500)]


class TesPool(Value):
    """What tasks for one pool carry so that the server puts them there."""

    zones: tuple[Text, ...] = ()
    backend_parameters: dict[Text, Text] = Field(default_factory=dict)


class TesFile(Value):
    """The operator's file. `pools` are pools of the grid, by their ids."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s?#]{1,500}$")]
    image: Text  # that tasks run in which name none; it has sh, tar and base64
    # A folder or a bucket that this agent and the server's tasks both reach: results come back by it.
    storage: Annotated[str, Field(pattern=r"^(file:///|s3://)[^\s?#]{1,500}$")]
    pools: Annotated[dict[PoolId, TesPool], Field(min_length=1)]
    token_file: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]{1,500}$")] | None = None  # holds the bearer's token
    images: tuple[Text, ...] = ()  # patterns of the images that tasks may name
    network: bool = False  # whether the server gives tasks a network
    path: tuple[Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]{0,500}$")], ...] = ()  # where `python` is in the image
    enforces: tuple[Limit, ...] = ()  # limits that the server keeps, which TES has no words for


@dataclass(frozen=True, slots=True)
class TesSettings:
    """`folder` is the adapter's own."""

    folder: Path
    url: str
    image: str
    storage: str
    pools: Mapping[PoolId, TesPool]
    token: str = ""
    scope: str = ""  # in front of an attempt's name at the server: which site of which grid it is of
    images: tuple[str, ...] = ()
    network: bool = False
    path: tuple[str, ...] = ()
    enforces: frozenset[Limit] = frozenset()
    log_bytes_max: int = 16 * MIB
    poll_us: int = POLL_US
    timeout_s: float = TIMEOUT_S

    @property
    def base(self) -> str:
        """Where the paths of TES begin."""
        clean = self.url.rstrip("/")
        return clean if clean.endswith("/tes/v1") else clean + BASE

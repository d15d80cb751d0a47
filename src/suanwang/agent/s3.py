"""S3 through fsspec, kept to the buckets that the operator lists."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from suanwang.agent.objects import chunks
from suanwang.agent.rules import S3Rules, is_under
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason


def place_of(url: str, reason: FailureReason) -> str:
    """`s3://bucket/key` to `bucket/key`. BackendError with `reason` where a part is missing or is `.` or `..`."""
    place = url.removeprefix("s3://")
    parts = place.rstrip("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise BackendError(reason, f"{url} names no plain bucket and key")
    return place.rstrip("/")


class S3Files:
    """Reads and writes objects of S3. BackendError for whatever goes wrong, with the reason that fits."""

    def __init__(self, rules: S3Rules | None) -> None:
        self._rules = rules
        self._made: Any = None

    def _system(self) -> Any:
        """The client, made at first use: it starts an event loop of its own."""
        if self._made is None:
            import fsspec  # slow to import and needed by few

            assert self._rules is not None, "asked only after the rules allowed a place"
            extra = {"endpoint_url": self._rules.endpoint, "region_name": self._rules.region}
            self._made = fsspec.filesystem(
                "s3",
                key=self._rules.key,
                secret=self._rules.secret,
                client_kwargs={key: value for key, value in extra.items() if value is not None},
                skip_instance_cache=True,
                use_listings_cache=False,
            )
        return self._made

    @contextmanager
    def open(self, url: str) -> Iterator[Iterator[bytes]]:
        """The bytes of an object in pieces."""
        place = place_of(url, FailureReason.INPUT_FORBIDDEN)
        if self._rules is None or not is_under(place, self._rules.readable):
            raise BackendError(FailureReason.INPUT_FORBIDDEN, f"the operator has not opened s3://{place} for reading")
        try:
            with self._system().open(place, "rb") as stream:
                yield chunks(cast(BinaryIO, stream))
        except FileNotFoundError as fault:
            raise BackendError(FailureReason.INPUT_MISSING, f"no object at {url}") from fault
        except PermissionError as fault:
            raise BackendError(FailureReason.INPUT_FORBIDDEN, f"S3 refuses {url}: {fault}") from fault
        except (BotoCoreError, ClientError) as fault:
            raise BackendError(FailureReason.BACKEND, f"S3: {fault}") from fault

    def write(self, url: str, content: BinaryIO) -> None:
        """Put an object; S3 shows it whole or not at all."""
        place = place_of(url, FailureReason.OUTPUT_FORBIDDEN)
        if self._rules is None or not is_under(place, self._rules.writable):
            raise BackendError(FailureReason.OUTPUT_FORBIDDEN, f"the operator has not opened s3://{place} for writing")
        try:
            with self._system().open(place, "wb") as stream:
                for part in chunks(content):
                    stream.write(part)
        except (OSError, BotoCoreError, ClientError) as fault:
            raise BackendError(FailureReason.DELIVERY, f"S3: {fault}") from fault

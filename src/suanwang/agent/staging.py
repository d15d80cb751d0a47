"""Inputs into the task's folder: fetched, bounded, hashed, and never outside of it."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from blake3 import blake3

from suanwang.agent import beneath
from suanwang.agent.guard import Downloads
from suanwang.agent.objects import CHUNK_BYTES, ObjectStore, chunks
from suanwang.agent.rules import TransferRules
from suanwang.agent.s3 import S3Files
from suanwang.model.error import BackendError, NotFoundError, SuanwangError
from suanwang.model.event import OutputFile
from suanwang.model.ids import DataSetId
from suanwang.model.reason import FailureReason
from suanwang.model.task import Input


class StandIn(NamedTuple):
    """What an emulated site shows for a data set: `content_bytes` bytes that follow from `content_seed`."""

    content_seed: int
    content_bytes: int


DataSets = Callable[[DataSetId], StandIn | None]  # None: the site has no such data set

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def stand_in_bytes(data_set: DataSetId, stand_in: StandIn) -> Iterator[bytes]:
    """The deterministic bytes of a stand-in, in pieces: the endless output of blake3 keyed by name and seed."""
    source = blake3(f"suanwang data set {data_set} seed {stand_in.content_seed}".encode())
    for offset in range(0, stand_in.content_bytes, CHUNK_BYTES):
        yield source.digest(length=min(CHUNK_BYTES, stand_in.content_bytes - offset), seek=offset)


class Stager:
    """Fetches inputs. Raises BackendError with INPUT_MISSING, INPUT_HASH, INPUT_FORBIDDEN, DISK_FULL or BACKEND."""

    def __init__(
        self,
        objects: ObjectStore,
        rules: TransferRules,
        data_sets: DataSets,
        downloads: Downloads,
        s3: S3Files,
    ) -> None:
        self._objects = objects
        self._rules = rules
        self._data_sets = data_sets
        self._downloads = downloads
        self._s3 = s3

    def stage(self, inputs: tuple[Input, ...], folder: int, owner: tuple[int, int], stopped: Callable[[], bool]) -> int:
        """Put every input below the open `folder`; the bytes written. Ends early, with what it has, when `stopped`."""
        total = 0
        for wanted in inputs:
            if stopped():
                break
            total += self._stage_one(wanted, folder, owner, self._rules.input_bytes_max - total, stopped)
        return total

    def restore(
        self, files: Iterable[OutputFile], folder: int, owner: tuple[int, int], stopped: Callable[[], bool]
    ) -> int:
        """Put the files of a checkpoint back below the open `folder`, over what is there; the bytes written."""
        total = 0
        for file in files:
            if stopped():
                break
            with (
                suppress(FileNotFoundError, beneath.OutsideError),
                beneath.parent_of(folder, file.path) as (above, name),
            ):
                os.unlink(name, dir_fd=above)
            wanted = Input(source=f"object:{file.blake3}", path=file.path)
            total += self._stage_one(wanted, folder, owner, self._rules.input_bytes_max - total, stopped)
        return total

    def _stage_one(
        self, wanted: Input, folder: int, owner: tuple[int, int], room_bytes: int, stopped: Callable[[], bool]
    ) -> int:
        try:
            with self._open(wanted.source) as pieces:
                descriptor = beneath.create_file(folder, wanted.path, owner)
                with os.fdopen(descriptor, "wb") as target:
                    digest, size = blake3(), 0
                    for part in pieces:
                        size += len(part)
                        if size > room_bytes:
                            raise BackendError(FailureReason.INPUT_FORBIDDEN, f"{wanted.path} is over the size limit")
                        digest.update(part)
                        target.write(part)
                        if stopped():
                            return size
        except (beneath.OutsideError, FileExistsError) as fault:
            raise BackendError(FailureReason.INPUT_FORBIDDEN, f"{wanted.path}: {fault}") from fault
        except OSError as fault:
            if fault.errno in _NO_SPACE:
                raise BackendError(FailureReason.DISK_FULL, f"{wanted.path} does not fit on the disk") from fault
            raise BackendError(FailureReason.BACKEND, f"{wanted.path}: {fault}") from fault
        _check_hash(wanted, digest.hexdigest())
        return size

    @contextmanager
    def _open(self, source: str) -> Iterator[Iterator[bytes]]:
        scheme, _, rest = source.partition(":")
        match scheme:
            case "object":
                with self._object(rest) as pieces:
                    yield pieces
            case "http" | "https":
                with self._downloads.open(source) as pieces:
                    yield pieces
            case "s3":
                with self._s3.open(source) as pieces:
                    yield pieces
            case "dataset":
                yield self._data_set(DataSetId(rest))
            case _:
                detail = f"{source!r} is a path on the user's side; it is uploaded on submit and named object:<blake3>"
                raise BackendError(FailureReason.INPUT_FORBIDDEN, detail)

    @contextmanager
    def _object(self, digest: str) -> Iterator[Iterator[bytes]]:
        try:
            stream = self._objects.open(digest)
        except NotFoundError as fault:
            raise BackendError(FailureReason.INPUT_MISSING, f"no object {digest[:80]}") from fault
        except SuanwangError as fault:
            raise BackendError(FailureReason.BACKEND, str(fault)) from fault
        with stream:
            # The store names objects by hash; a damaged one is found here and not in the user's result.
            yield _verified(chunks(stream), digest)

    def _data_set(self, data_set: DataSetId) -> Iterator[bytes]:
        stand_in = self._data_sets(data_set)
        if stand_in is None:
            raise BackendError(FailureReason.INPUT_MISSING, f"data set {data_set} has no content at this site")
        return stand_in_bytes(data_set, stand_in)


def _verified(pieces: Iterator[bytes], expected: str) -> Iterator[bytes]:
    digest = blake3()
    for part in pieces:
        digest.update(part)
        yield part
    if digest.hexdigest() != expected:
        raise BackendError(FailureReason.INPUT_HASH, f"the stored object {expected} is damaged")


def _check_hash(wanted: Input, got: str) -> None:
    if wanted.blake3 is not None and wanted.blake3 != got:
        raise BackendError(FailureReason.INPUT_HASH, f"{wanted.path} has blake3 {got}, not {wanted.blake3}")

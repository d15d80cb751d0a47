"""Outputs to where they were asked for: from the object store to a folder or a bucket that the operator opened."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from suanwang.agent import beneath
from suanwang.agent.objects import ObjectStore, chunks
from suanwang.agent.rules import TransferRules
from suanwang.agent.s3 import S3Files
from suanwang.model.error import BackendError, SuanwangError
from suanwang.model.event import OutputFile
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason


class Deliverer:
    """Copies outputs. Doing it again writes the same bytes to the same names. Raises BackendError DELIVERY,
    OUTPUT_FORBIDDEN for a target outside of what the operator opened."""

    def __init__(self, objects: ObjectStore, rules: TransferRules, s3: S3Files) -> None:
        self._objects = objects
        self._roots = tuple(root.resolve() for root in rules.file_roots)
        self._s3 = s3

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> int:
        """Bring each output with a target there; the bytes copied. Outputs without a target stay where they are."""
        copied = 0
        for output in outputs:
            if output.target is None:
                continue
            self._checked_path(output)
            try:
                self._deliver_one(attempt_id, output, output.target)
            except (OSError, SuanwangError) as fault:
                if isinstance(fault, BackendError):
                    raise
                raise BackendError(FailureReason.DELIVERY, f"{output.path}: {fault}") from fault
            copied += output.size_bytes
        return copied

    @staticmethod
    def _checked_path(output: OutputFile) -> None:
        try:
            beneath.parts_of(output.delivered_as or output.path)
        except beneath.OutsideError as fault:
            raise BackendError(FailureReason.OUTPUT_FORBIDDEN, str(fault)) from fault

    def _deliver_one(self, attempt_id: AttemptId, output: OutputFile, target: str) -> None:
        path = output.delivered_as or output.path
        with self._objects.open(output.blake3) as content:
            if target.startswith("s3://"):
                self._s3.write(f"{target.rstrip('/')}/{path}", content)
                return
            root, inner = self._place(target, path)
            owner = (os.geteuid(), os.getegid())
            with beneath.opened_folder(root) as folder, _outside(), beneath.parent_of(folder, inner, owner) as place:
                within, name = place
                temporary = f".{attempt_id}.{output.blake3[:16]}.part"
                _drop(within, temporary)
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=within)
                with os.fdopen(descriptor, "wb") as copy:
                    for part in chunks(content):
                        copy.write(part)
                    copy.flush()
                    os.fsync(copy.fileno())
                os.rename(temporary, name, src_dir_fd=within, dst_dir_fd=within)
                os.fsync(within)

    def _place(self, target: str, path: str) -> tuple[Path, str]:
        """The operator's root and the inner path of a `file://` target with an output's path."""
        split = urlsplit(target)
        asked = Path(unquote(split.path))
        if split.netloc in ("", "localhost") and asked.is_absolute() and ".." not in asked.parts:
            for root in self._roots:
                if asked.is_relative_to(root):
                    inner = asked.relative_to(root).as_posix()
                    return root, path if inner == "." else f"{inner}/{path}"
        raise BackendError(FailureReason.OUTPUT_FORBIDDEN, f"{target} is under no folder that the operator opened")


class _outside:  # noqa: N801 - reads as a clause of the with statement
    """Turns a link in the way of a target into the refusal it is."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, beneath.OutsideError):
            raise BackendError(FailureReason.OUTPUT_FORBIDDEN, str(fault)) from fault


def _drop(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return

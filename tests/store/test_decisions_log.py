"""The log of bulk decisions: what was appended is read back bit for bit; a torn end is dropped, damage is not."""

import os
from pathlib import Path

import numpy as np
import pytest
from tests.plan.kernel_worlds import small_classes, small_fabric, small_guidance, small_tasks

from suanwang.plan.kernel import Decisions, Guidance, Reason, State, apply, decide, release
from suanwang.plan.kernel.types import take
from suanwang.store.decisions import BrokenLogError, DamagedLogError, DecisionLog, read_block, read_blocks


def columns(first: int, rows: int = 5) -> dict[str, np.ndarray]:
    return {
        "task": np.arange(first, first + rows, dtype=np.int64),
        "node": np.arange(rows, dtype=np.int32) - 1,
        "reason": np.full(rows, 200, np.uint8),
    }


def written(folder: Path, blocks: int = 3, file_bytes: int = 1 << 20) -> Path:
    with DecisionLog(folder, file_bytes) as log:
        for block in range(blocks):
            assert log.append("rows", columns(10 * block)) == block
    return folder


def one_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def firsts(folder: Path) -> list[int]:
    return [int(block.columns["task"][0]) for block in read_blocks(folder)]


def test_blocks_come_back_as_they_were(tmp_path: Path) -> None:
    with DecisionLog(tmp_path) as log:
        log.append("rows", columns(7))
        log.append("other", {"quota": np.array([2**62, -1])})
        log.append("rows", columns(0, rows=0))
    found = list(read_blocks(tmp_path))
    assert [(one.number, one.kind) for one in found] == [(0, "rows"), (1, "other"), (2, "rows")]
    for name, column in columns(7).items():
        assert found[0].columns[name].dtype == column.dtype
        assert found[0].columns[name].tolist() == column.tolist()
    assert found[1].columns["quota"].tolist() == [2**62, -1]
    assert found[2].columns["task"].tolist() == []


def test_one_block_is_found_by_its_number(tmp_path: Path) -> None:
    written(tmp_path, 5, file_bytes=500)
    assert len(list(tmp_path.iterdir())) > 1
    for number in range(5):
        found = read_block(tmp_path, number)
        assert (found.number, found.columns["task"].tolist()) == (number, columns(10 * number)["task"].tolist())
    with pytest.raises(KeyError, match="no block 5"):
        read_block(tmp_path, 5)
    path = sorted(tmp_path.iterdir())[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + b"!" + whole[-19:])
    with pytest.raises(DamagedLogError, match="damaged"):
        read_block(tmp_path, int(sorted(tmp_path.iterdir())[1].stem) - 1)


def test_a_log_goes_on_after_it_was_closed_and_over_files(tmp_path: Path) -> None:
    written(tmp_path, 3, file_bytes=250)
    assert len(list(tmp_path.iterdir())) == 3
    with DecisionLog(tmp_path, 1 << 20) as log:
        assert log.append("rows", columns(30)) == 3
    assert firsts(tmp_path) == [0, 10, 20, 30]


def test_wherever_the_end_is_torn_the_rest_stands(tmp_path: Path) -> None:
    written(tmp_path, 2)
    path = one_file(tmp_path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = 0 if size < len(whole) // 2 else 1
        assert firsts(tmp_path) == [0, 10][:kept]
        with DecisionLog(tmp_path) as log:
            assert log.append("rows", columns(50)) == kept
        assert firsts(tmp_path) == [*[0, 10][:kept], 50]


def test_a_last_block_of_which_a_page_is_missing_is_torn_too(tmp_path: Path) -> None:
    written(tmp_path, 2)
    path = one_file(tmp_path)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 40] = bytes(40)
    path.write_bytes(whole)
    assert firsts(tmp_path) == [0]
    DecisionLog(tmp_path).close()
    assert path.stat().st_size == middle


def test_damage_before_the_end_raises_whichever_bit_it_is(tmp_path: Path) -> None:
    written(tmp_path, 2)
    path = one_file(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole) // 2):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(DamagedLogError):
            list(read_blocks(tmp_path))
        with pytest.raises(DamagedLogError):
            DecisionLog(tmp_path)


def test_damage_is_found_however_the_last_block_behind_it_is_torn(tmp_path: Path) -> None:
    written(tmp_path, 3)
    path = one_file(tmp_path)
    whole = path.read_bytes()
    size = len(whole) // 3
    for at in range(size, 2 * size):
        damaged = whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        for torn in (16, 40, size - 1):  # bytes that are left of the block behind
            path.write_bytes(damaged[: 2 * size + torn])
            with pytest.raises(DamagedLogError):
                list(read_blocks(tmp_path))
            with pytest.raises(DamagedLogError):
                DecisionLog(tmp_path)
    path.write_bytes(whole[: size + 60] + b"!" + whole[size + 61 : 2 * size + 1])  # one byte of it is enough
    with pytest.raises(DamagedLogError):
        list(read_blocks(tmp_path))


def test_a_last_block_is_torn_wherever_the_page_begins_that_is_missing(tmp_path: Path) -> None:
    """Its length may be on disk before its bytes are: what is missing is nought."""
    written(tmp_path, 2)
    path = one_file(tmp_path)
    whole = path.read_bytes()
    size = len(whole) // 2
    for edge in range(size + 1):
        for torn in (whole[: size + edge] + bytes(size - edge), whole[:size] + bytes(edge) + whole[size + edge :]):
            path.write_bytes(torn)
            assert firsts(tmp_path) == ([0, 10] if torn == whole else [0])


def test_a_missing_or_foreign_file_raises(tmp_path: Path) -> None:
    written(tmp_path / "a", 3, file_bytes=250)
    files = sorted((tmp_path / "a").iterdir())
    kept = files[1].read_bytes()
    files[1].unlink()
    with pytest.raises(DamagedLogError, match="does not follow"):
        list(read_blocks(tmp_path / "a"))
    files[1].write_bytes(kept[:-1])  # torn, but not the end
    with pytest.raises(DamagedLogError, match="damaged"):
        list(read_blocks(tmp_path / "a"))
    with DecisionLog(tmp_path / "b", 250) as other:
        for block in range(3):
            other.append("rows", columns(10 * block + 1))
    files[1].write_bytes(sorted((tmp_path / "b").iterdir())[1].read_bytes())
    with pytest.raises(DamagedLogError, match="does not follow"):
        list(read_blocks(tmp_path / "a"))


def test_a_batch_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.fstat(file).st_size))
    with DecisionLog(tmp_path) as log:
        for block in range(3):
            log.append("rows", columns(block))
            assert synced[-1] == one_file(tmp_path).stat().st_size
    assert len(synced) == 3


@pytest.mark.parametrize("call", ["writev", "fdatasync"])
def test_after_an_error_the_log_takes_nothing_until_it_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(file: int, parts: list[memoryview] | None = None) -> int:
        if parts:
            os.write(file, bytes(parts[0]))
        raise OSError(28, "no space left")

    log = DecisionLog(tmp_path)
    log.append("rows", columns(0))
    with monkeypatch.context() as failing:
        failing.setattr(os, call, full)
        with pytest.raises(OSError, match="no space left"):
            log.append("rows", columns(10))
    size = one_file(tmp_path).stat().st_size
    for _ in range(2):
        with pytest.raises(BrokenLogError, match="open the log anew"):
            log.append("rows", columns(20))
    log.close()
    assert one_file(tmp_path).stat().st_size == size
    with DecisionLog(tmp_path) as again:
        again.append("rows", columns(30))
    assert firsts(tmp_path) == ([0, 30] if call == "writev" else [0, 10, 30])


def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "writev", lambda file, parts: real(file, bytes(parts[0][:7])))
    written(tmp_path, 2)
    assert firsts(tmp_path) == [0, 10]


@pytest.mark.parametrize("bad", [np.zeros(2), np.zeros((2, 2), np.int64), np.array(["a"])])
def test_only_rows_of_integers(tmp_path: Path, bad: np.ndarray) -> None:
    with DecisionLog(tmp_path) as log, pytest.raises(TypeError, match="no row of integers"):
        log.append("rows", {"x": bad})


def test_the_log_replays_to_a_bit_identical_state(tmp_path: Path) -> None:
    draw = np.random.default_rng(11)
    fabric = small_fabric(draw)
    classes = small_classes(draw, fabric)
    state = State(fabric, classes)
    guidance = small_guidance(draw, classes)
    with DecisionLog(tmp_path, file_bytes=4_000) as log:
        for batch in range(4):
            if batch == 2:
                log.append("guidance", guidance._asdict() | {"version": np.array([guidance.version])})
                state.guide(guidance)
            rows = decide(state, small_tasks(draw, classes, 40, first=100 * batch))
            log.append("rows", rows._asdict())
            held = take(rows, (rows.reason <= Reason.MEMBER) & (rows.task % 2 == 0))
            log.append("rows", release(state, held)._asdict())
    again = State(fabric, classes)
    for block in read_blocks(tmp_path):
        if block.kind == "guidance":
            of = block.columns
            again.guide(Guidance(int(of["version"][0]), of["quota"], of["bid_order"], of["bid_cost"]))
        else:
            apply(again, Decisions(**block.columns))
    assert again.digest() == state.digest() != State(fabric, classes).digest()
    more = small_tasks(draw, classes, 40, first=900)
    for one, other in zip(decide(state, more), decide(again, more), strict=True):
        assert one.tolist() == other.tolist()

"""The jobs on data and markets: right on what is known, and loud on damage."""

import csv
import json
import math
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]


class TestMolecules:
    def test_a_drug_finds_itself_and_its_relatives(self, load_job: Load, tmp_path: Path) -> None:
        job = load_job("screen-molecules")
        folic = "Nc1nc(O)c2nc(CNc3ccc(C(=O)NC(CCC(=O)O)C(=O)O)cc3)cnc2n1"
        library = tmp_path / "library.smi"
        library.write_text(
            f"c1ccccc1 benzene\n{folic} folic-acid\n{job.METHOTREXATE} drug\n{folic} again\nC(( broken\n"
        )
        report = job.main(["--library", str(library), "--keep", "5", "--out", str(tmp_path)])
        assert report["refused"] == {"less_alike": 0, "repeated": 1, "too_small": 1, "unreadable": 1}
        with (tmp_path / "hits-0000.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == ["drug", "folic-acid"]
        assert float(rows[0]["tanimoto"]) == 1.0
        assert 0.5 < float(rows[1]["tanimoto"]) < 0.7

    def test_figures_of_a_known_molecule(self, load_job: Load) -> None:
        from rdkit import Chem

        row = load_job("screen-molecules").measure(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"), "aspirin", 0.0)
        assert (row.weight_da, row.donors, row.tpsa_a2) == (180.16, 1, 63.6)

    def test_shares_cover_the_library_once(self, load_job: Load) -> None:
        job = load_job("screen-molecules")
        whole = sorted(job.read_library(job.LIBRARY, 0, 1))
        parts = sorted(entry for share in range(3) for entry in job.read_library(job.LIBRARY, share, 3))
        assert parts == whole
        assert len(whole) > 4_900


class TestDigits:
    def test_learns_and_keeps_the_test_part_apart(self, load_job: Load, tmp_path: Path) -> None:
        metrics = load_job("train-digits").main(["--images", "600", "--folds", "3", "--out", str(tmp_path)])
        assert metrics["test_accuracy"] > 0.9
        assert metrics["train_images"] + metrics["test_images"] == 600
        assert sum(map(sum, metrics["confusion"])) == metrics["test_images"]
        right = sum(metrics["confusion"][i][i] for i in range(10))
        assert metrics["test_accuracy"] == pytest.approx(right / metrics["test_images"], abs=1e-4)


class TestBackup:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        folder = tmp_path / "data"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "a.bin").write_bytes(np.random.default_rng(1).bytes(200_000))
        (folder / "b.txt").write_text("the same line\n" * 5_000)
        (folder / "empty").write_bytes(b"")
        return folder

    def test_restores_bit_by_bit_and_a_change_is_cheap(self, load_job: Load, data: Path, tmp_path: Path) -> None:
        report = load_job("backup-verify").main(["--data", str(data), "--out", str(tmp_path / "out")])
        assert report["files"] == 3
        assert report["files_different_after_restore"] == 0
        assert report["archive_bytes_added_by_second"] < report["archive_bytes_first"] / 5

    def test_pieces_are_the_file(self, load_job: Load, data: Path) -> None:
        job = load_job("backup-verify")
        for content in ((data / "deep" / "a.bin").read_bytes(), b"", b"x" * 65, bytes(300_000)):
            pieces = job.pieces_of(content)
            assert b"".join(pieces) == content
            assert all(len(piece) <= job.PIECE_MAX for piece in pieces)

    def test_a_flipped_bit_is_noticed(self, load_job: Load, data: Path, tmp_path: Path) -> None:
        job = load_job("backup-verify")
        archive = tmp_path / "a.tar"
        entries = job.back_up(data, archive)
        with tarfile.open(archive) as tar:
            place = tar.getmembers()[3].offset_data + 100
        raw = bytearray(archive.read_bytes())
        raw[place] ^= 1
        archive.write_bytes(raw)
        with pytest.raises((ValueError, job.zlib.error)):
            job.restore(archive, entries, tmp_path / "back")


class TestOption:
    def test_agrees_with_the_closed_form(self, load_job: Load, tmp_path: Path) -> None:
        report = load_job("price-option").main(["--paths", "60000", "--batch", "20000", "--out", str(tmp_path)])
        assert abs(report["geometric_off_in_errors"]) < 4
        assert report["price"] > report["geometric_exact"]  # an arithmetic mean is never below the geometric one
        assert report["variance_ratio"] > 50
        assert abs(report["price"] - report["plain_price"]) < 4 * report["plain_standard_error"]

    def test_one_date_is_black_scholes(self, load_job: Load) -> None:
        job = load_job("price-option")
        c = job.Contract(dates=1)
        d1 = (math.log(c.spot / c.strike) + (c.rate + c.volatility**2 / 2) * c.years) / c.volatility
        cash = c.strike * math.exp(-c.rate)
        expected = c.spot * job.normal_cdf(d1) - cash * job.normal_cdf(d1 - c.volatility)
        assert job.geometric_price(c) == pytest.approx(expected, rel=1e-12)


class TestLogs:
    def test_nothing_is_lost_and_the_truth_is_found(self, load_job: Load, tmp_path: Path) -> None:
        job = load_job("log-analytics")
        report = job.main(["--lines", "20000", "--out", str(tmp_path / "out")])
        assert report["requests_lost"] == 0
        assert report["bytes_off"] == 0
        assert report["lines_torn"] == 4
        assert report["attackers"] == [{"address": job.ATTACKER, "attempts": 200}]
        number = int(report["slowest_page"].rsplit("-", 1)[1])
        assert number % 17 == 5

    def test_pages_add_up(self, load_job: Load, tmp_path: Path) -> None:
        job = load_job("log-analytics")
        report = job.main(["--lines", "3000", "--out", str(tmp_path / "out")])
        with (tmp_path / "out" / "pages.csv").open() as file:
            assert sum(int(row["requests"]) for row in csv.DictReader(file)) == report["lines_read"]
        with (tmp_path / "out" / "hours.csv").open() as file:
            assert sum(int(row["hour_count"]) for row in csv.DictReader(file)) == report["lines_read"]


class TestPower:
    def test_optimum_is_proved_and_balanced(self, load_job: Load, tmp_path: Path) -> None:
        report = load_job("power-dispatch").main(["--out", str(tmp_path)])
        assert report["duality_gap_relative"] < 1e-9
        assert report["imbalance_mw"] < 1e-6
        assert report["cost_yuan"] <= report["cost_yuan_without_battery"]
        assert sum(report["mwh"].values()) >= report["load_mwh"] - 0.1  # the battery only loses
        assert json.loads((tmp_path / "report.json").read_text()) == report

    def test_without_limits_every_bus_has_one_price(self, load_job: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        job = load_job("power-dispatch")
        monkeypatch.setattr(job, "LINES", [(a, b, x, 1e6) for a, b, x, _ in job.LINES])
        price = job.solve(job.plants(1.0), 0.0).price
        assert np.allclose(price, price[:, :1])

    def test_load_that_cannot_be_met_is_said(self, load_job: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        job = load_job("power-dispatch")
        monkeypatch.setattr(job, "LINES", [(a, b, x, 1.0) for a, b, x, _ in job.LINES])
        with pytest.raises(ValueError, match="no dispatch"):
            job.solve(job.plants(1.0), 0.0)

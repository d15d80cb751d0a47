"""A batch script, an array and what comes after it, submitted to the grid and run by a real Slurm cluster, with its `srun`."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sites.slurm_cluster import SLURM
from tests.sites.test_slurm_end_to_end import grid_file, settings_of

from suanwang.cli.main import run
from suanwang.runtime import agent_main
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings

pytestmark = SLURM
ARRAY = """\
#!/bin/bash
#SBATCH --job-name=parts
#SBATCH --array=3-7:2
#SBATCH --ntasks=2 --mem=64M --time=1
#SUANWANG outputs=part.txt
srun -n 2 sh -c 'echo "step $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME"' >part.txt
echo "$SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_JOB_ID"
"""
LAST = "#!/bin/sh\n#SBATCH --mem=64M --time=1\necho last of $SLURM_CLUSTER_NAME\n"


def test_an_array_with_srun_and_what_comes_after_it(
    tmp_path: Path, steady, overdue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(steady.conf))
    (tmp_path / "array.sh").write_text(ARRAY)
    (tmp_path / "last.sh").write_text(LAST)
    told: dict[str, str] = {}

    def cli(*words: str) -> str:
        capsys.readouterr()
        assert run(list(words)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    with serving(Settings(home=tmp_path / "home", grid=str(grid_file(tmp_path)), port=0), with_agent=False) as here:
        monkeypatch.setenv("SUANWANG_URL", here.url)
        monkeypatch.setenv("SUANWANG_KEY", here.key)

        def story(_: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 60
            while "up" not in cli("sinfo", "-h", "-o", "%a"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            told["where"] = cli("sinfo", "-h", "-o", "%P %N %t %D")
            first = cli("sbatch", "--parsable", str(tmp_path / "array.sh")).strip()
            last = cli("sbatch", "-d", f"afterok:{first}", str(tmp_path / "last.sh")).split()[-1]
            while (state := cli("squeue", "-h", "-t", "all", "-j", last, "-o", "%T").strip()) != "COMPLETED":
                assert state in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"), cli("explain", first)
                assert time.monotonic() < deadline
                time.sleep(0.1)
            told["first"], told["last"] = cli("logs", first), cli("logs", last)
            told["number"] = first
            cli("scontrol", "show", "job", first)
            (tmp_path / "got").mkdir()
            from suanwang.client import Client

            with Client(here.url, here.key) as client:
                client.outputs.save(client.task(first), tmp_path / "got")

        monkeypatch.setattr(agent_main, "until_signal", story)
        assert agent_main.run(settings_of(tmp_path, here, steady), None, ("cluster",)) == 0
    assert told["where"] == "general cluster idle 3\n"
    lines = sorted(re.findall(r"(\d+) ([357]) (\d+)$", told["first"], re.M))
    assert [one[:2] for one in lines] == [(told["number"], index) for index in "357"]
    assert len({one[2] for one in lines}) == 3, "each element has the cluster's own number"
    assert told["last"] == "last of cluster\n"
    for place in range(3):
        steps = sorted((tmp_path / f"got/{place}/part.txt").read_text().splitlines())
        assert [one[:11] for one in steps] == ["step 0 of 2", "step 1 of 2"]
        assert " on t" in steps[0], "by the cluster's own srun"

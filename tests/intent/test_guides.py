"""The guides name every field of the model, and what they show as a file is one."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from suanwang.agent.adapters.quantum.settings import Calibration, DeviceFile, QuantumFile
from suanwang.grids import check_grid, load_grid
from suanwang.intent import read_task
from suanwang.model import grid, task

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
GRID_MODELS = (
    grid.Grid, grid.GridNotes, grid.Site, grid.Names, grid.EnergyMix, grid.Pool, grid.SecurityPool, grid.StoragePool,
    grid.Link, grid.DataSet, grid.PriceBook, grid.TimeOfUse, grid.Tenant,
)  # fmt: skip
TASK_MODELS = (task.TaskRequest, task.Resources, task.Input, task.Output, task.PythonEntry)

CIRCUIT_MODELS = (task.CircuitEntry, task.Noise, QuantumFile, DeviceFile, Calibration)
GUIDES = [("grid-file.md", GRID_MODELS), ("task-file.md", TASK_MODELS), ("quantum.md", CIRCUIT_MODELS)]


@pytest.mark.parametrize(("name", "models"), GUIDES)
def test_guide_names_every_field(name: str, models: tuple[type[BaseModel], ...]) -> None:
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`[^`\n]+`", (GUIDE / name).read_text("utf-8")))))
    missing = [f"{model.__name__}.{one}" for model in models for one in model.model_fields if one not in words]
    assert missing == []


def test_examples_of_the_guides_are_files() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (GUIDE / "grid-file.md").read_text("utf-8"), re.DOTALL)
    assert len(examples) == 1
    assert check_grid(load_grid(examples[0])) == []
    tasks = re.findall(r"```yaml\n(.*?)```", (GUIDE / "task-file.md").read_text("utf-8"), re.DOTALL)
    assert [read_task(one).outputs[0].path for one in tasks] == ["hello.txt"]

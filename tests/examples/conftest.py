"""Loads an example's job.py by its folder's name; the jobs are scripts, not a package."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def load_job() -> Callable[[str], ModuleType]:
    """A function: the example's name -> its module."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location("example_" + name.replace("-", "_"), EXAMPLES / name / "job.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load

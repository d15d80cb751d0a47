"""The source as syntax trees, for the tests of the architecture."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "suanwang"


class Module(NamedTuple):
    """One file: its dotted name without `suanwang.`, its path and its tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """The folder of the road that it belongs to; a file beside them is its own part."""
        return self.name.split(".")[0]


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the package."""
    out = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        out.append(Module(name, path, ast.parse(path.read_text(encoding="utf-8"), str(path))))
    return tuple(out)


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Every module that it imports, with the line; imports inside functions and type checks count too."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".") if package else []
                kept = above[: len(above) - node.level + 1]
                base = ".".join(["suanwang", *kept, *([base] if base else [])])
            if base == "suanwang":  # `from suanwang import plan` names a part
                for alias in node.names:
                    yield f"suanwang.{alias.name}", node.lineno
            else:
                yield base, node.lineno

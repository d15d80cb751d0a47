"""numba's compiler with a type, so that the strict checker sees through it. Compiled code is cached in the package's
`__pycache__`, or in `NUMBA_CACHE_DIR`.

Without numba, or with SUANWANG_KERNELS=numpy, the same functions run as plain Python: slow, and bit for bit the same.
"""

import fcntl
import importlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

OTHERS_MAX = 3
F = TypeVar("F", bound=Callable[..., Any])


def _compiler() -> Any:
    if os.environ.get("SUANWANG_KERNELS") == "numpy":
        return None
    try:
        import numba
    except ImportError:
        return None
    _keep_apart(numba.config)
    _take_turns(importlib.import_module("numba.core.caching").IndexDataCacheFile)
    return numba


def _keep_apart(config: Any) -> None:
    """Let compiled code lie in a folder of the sources that it came from.

    numba compiles a function again when its own file has changed, but not when a function that was put into it from
    another file has. Here any change of any kernel's source is another folder.
    """
    package = Path(__file__).parents[1]
    sources = sorted([*package.glob("net/**/*.py"), *package.glob("plan/**/*.py")])
    kernels = [text for text in (one.read_bytes() for one in sources) if b"net.jit import" in text]
    digest = blake2b(b"".join(kernels), digest_size=8).hexdigest()
    root = Path(config.CACHE_DIR) if config.CACHE_DIR else package / "__pycache__"
    config.CACHE_DIR = str(root / f"kernels-{digest}")
    _forget_others(root, f"kernels-{digest}")


def _forget_others(root: Path, name: str) -> None:
    """Folders of sources that are gone, but for the latest few: two versions may run side by side."""
    others = sorted((one for one in root.glob("kernels-*") if one.name != name), key=lambda one: one.stat().st_mtime)
    for one in others[:-OTHERS_MAX]:
        shutil.rmtree(one, ignore_errors=True)


def _take_turns(index: Any) -> None:
    """Let processes that compile at the same time share a cache.

    numba reads the index of a function, adds a signature, and writes index and code, without a lock. Of two that do so
    at once one loses its entry, or both take one file for two signatures and one is handed the other's code later.
    """
    save, load = index.save, index.load

    def saved(self: Any, key: Any, data: Any) -> None:
        with open(Path(self._cache_path) / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    def loaded(self: Any, key: Any) -> Any:
        with suppress(OSError), open(Path(self._cache_path) / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            return load(self, key)
        return load(self, key)  # nothing was saved yet

    index.save, index.load = saved, loaded


_NUMBA = _compiler()
COMPILED = _NUMBA is not None


def kernel(function: F) -> F:
    """Compile a function of integers and arrays on its first call; the result is cached on disk."""
    if _NUMBA is None:
        return function
    return cast(F, _NUMBA.njit(cache=True, nogil=True)(function))


def lean(function: F) -> F:
    """A kernel that makes no array: without counting references, which costs more than the work of a tight kernel."""
    if _NUMBA is None:
        return function
    return cast(F, _NUMBA.njit(cache=True, nogil=True, _nrt=False)(function))


def inner(function: F) -> F:
    """A part of lean kernels: put into its callers, so that the arrays that it is handed cost nothing to hand over."""
    if _NUMBA is None:
        return function
    return cast(F, _NUMBA.njit(cache=True, nogil=True, forceinline=True, _nrt=False)(function))


def _lowest_bit(word: np.uint64) -> int:
    """Place of the lowest bit that is set; the word is not 0."""
    value = int(word)
    return (value & -value).bit_length() - 1


def _intrinsic() -> Any:
    """The same as one machine instruction."""
    from numba.core import types
    from numba.extending import intrinsic

    ir = importlib.import_module("llvmlite").ir

    def typed(context: Any, word: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), build

    return intrinsic(typed)


lowest_bit: Callable[[np.uint64], int] = _lowest_bit if _NUMBA is None else _intrinsic()

"""numba's compiler with a type, so that the strict checker sees through it. Compiled code is cached beside the source.

Without numba, or with SUANWANG_KERNELS=numpy, the same functions run as plain Python: slow, and bit for bit the same.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def _compiler() -> Any:
    if os.environ.get("SUANWANG_KERNELS") == "numpy":
        return None
    try:
        import numba
    except ImportError:
        return None
    return numba


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
    import importlib

    from numba.core import types
    from numba.extending import intrinsic

    ir = importlib.import_module("llvmlite").ir

    def typed(context: Any, word: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), build

    return intrinsic(typed)


lowest_bit: Callable[[np.uint64], int] = _lowest_bit if _NUMBA is None else _intrinsic()

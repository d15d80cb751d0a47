"""numba's compiler with a type, so that the strict checker sees through it. Compiled code is cached beside the source."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function of integers and arrays on its first call; the result is cached on disk."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))

"""When two calls are the same call: for `cache`. A miss costs a run, so it may miss; what it takes for the same is the same."""

import io
import re
import types
from collections import ChainMap
from collections.abc import Callable
from typing import Any, ClassVar, Final

import cloudpickle
from blake3 import blake3

from suanwang.functions.site.gate import family, here

TAG: Final = "function-call"
_HEX: Final = 40
_ID: Final = re.compile(r"^[0-9a-f]{32}$")  # of a class: cloudpickle draws one when it first sees it


def _plain_code(code: types.CodeType) -> Any:
    """What code does, without the file and the lines that it stands at: a notebook's cell has other ones each time."""
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return tuple, ((counts, names, code.co_code, code.co_consts, code.co_exceptiontable),)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """As what is sent, but for what is another each time that the same is defined again: files, lines, ids of classes."""

    dispatch_table: ClassVar[Any] = ChainMap({types.CodeType: _plain_code}, cloudpickle.Pickler.dispatch_table)

    def reducer_override(self, obj: Any) -> Any:
        found = super().reducer_override(obj)
        if not isinstance(obj, type) or not isinstance(found, tuple):
            return found
        function, given, *rest = found
        return function, tuple("" if isinstance(one, str) and _ID.match(one) else one for one in given), *rest


def digest_of(function: Callable[..., Any], given: Any) -> str:
    """A name for this function, with what it refers to, on these arguments. What cannot be pickled raises."""
    out = io.BytesIO()
    _Pickler(out).dump((family(here()), function, given))
    return blake3(out.getvalue()).hexdigest()[:_HEX]

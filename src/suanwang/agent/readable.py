"""Names of files as text that JSON can carry: a name on Linux is any bytes, and Python shows those that are no UTF-8 as lone
surrogates, which nothing downstream takes."""

from typing import Any

from suanwang.model.base import Value


def readable(text: str) -> str:
    """The text with `?` for each lone surrogate."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def readable_in(value: Any) -> Any:
    """The same for every text inside a tuple or a value of the model; what has none to replace is handed back itself."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, tuple):
        made = tuple(readable_in(one) for one in value)
        return value if all(new is old for new, old in zip(made, value, strict=True)) else made
    if isinstance(value, Value):
        fields = {name: (old, readable_in(old)) for name, old in value}
        changed = {name: new for name, (old, new) in fields.items() if new is not old}
        return value.model_copy(update=changed) if changed else value
    return value

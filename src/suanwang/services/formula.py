"""Formulas of parameters, as manifests write them: arithmetic, comparisons, and a few functions. Nothing else is evaluated."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "min": min,
    "max": max,
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "log2": math.log2,
    "log": math.log,
}


def value(formula: str | float, names: Mapping[str, Any]) -> Any:
    """The value of a formula; a number is its own. Raises ValueError where the text is no formula of these names."""
    if not isinstance(formula, str):
        return formula
    return _of(ast.parse(formula, mode="eval").body, names)


def names_in(formula: str) -> list[str]:
    """The parameters that a formula speaks of, in their order."""
    found = [node.id for node in ast.walk(ast.parse(formula, mode="eval")) if isinstance(node, ast.Name)]
    return [name for name in dict.fromkeys(found) if name not in _FUNCTIONS]


def _of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=constant) if isinstance(constant, int | float | str):
            return constant
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_of(left, names), _of(right, names))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_of(inner, names)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _of(inner, names)
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_of(one, names) for one in parts)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(_of(one, names) for one in parts)
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compare(_of(left, names), ops, [_of(one, names) for one in others])
        case ast.IfExp(test=test, body=body, orelse=other):
            return _of(body if _of(test, names) else other, names)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_of(one, names) for one in arguments))
    raise ValueError(f"no formula: {ast.unparse(node)}")


def _compare(left: Any, ops: list[ast.cmpop], others: list[Any]) -> bool:
    for op, right in zip(ops, others, strict=True):
        if type(op) not in _COMPARE:
            raise ValueError("no comparison of formulas")
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True

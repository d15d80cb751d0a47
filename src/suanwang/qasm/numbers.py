"""Numbers in a circuit: constants and what is computed from them. A parameter of a gate, a size, an index."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from suanwang.qasm.tokens import Cursor, Kind, Token, WrongError

Number = int | float
Names = Mapping[str, Number]

CONSTANTS: Final[dict[str, float]] = {
    "pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e,
}  # fmt: skip
FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "exp": math.exp, "ln": math.log, "log": math.log, "sqrt": math.sqrt,
    "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan,
}  # fmt: skip
DIGITS_MAX: Final = 60  # of one number
DEPTH_MAX: Final = 50  # of brackets in brackets
MAGNITUDE_MAX: Final = 1e18  # no angle, size or index of a circuit is larger


class Sums:
    """Reads expressions. In version 3 two whole numbers divide to a whole number, as its specification has it."""

    def __init__(self, cursor: Cursor, version: int, names: Names) -> None:
        self._cursor = cursor
        self._version = version
        self._names = names
        self._depth = 0

    def number(self) -> Number:
        """The value of the expression that begins here."""
        start = self._cursor.next
        try:
            value = self._sum()
        except (ArithmeticError, ValueError):
            raise WrongError("qasm_number", start) from None
        if not math.isfinite(value) or abs(value) > MAGNITUDE_MAX:
            raise WrongError("qasm_number", start, str(value))
        return value

    def whole(self) -> int:
        """As `number`, of a whole one."""
        start = self._cursor.next
        value = self.number()
        if not isinstance(value, int):
            raise WrongError("qasm_not_whole", start, str(value))
        return value

    def _sum(self) -> Number:
        value = self._product()
        while self._cursor.sees("+", "-"):
            value = value + self._product() if self._cursor.take().text == "+" else value - self._product()
        return value

    def _product(self) -> Number:
        value = self._signed()
        while self._cursor.sees("*", "/", "%"):
            sign = self._cursor.take()
            right = self._signed()
            value = value * right if sign.text == "*" else self._divided(sign, value, right)
            if abs(value) > MAGNITUDE_MAX:
                raise WrongError("qasm_number", sign, str(value))
        return value

    def _divided(self, sign: Token, left: Number, right: Number) -> Number:
        if right == 0:
            raise WrongError("qasm_number", sign, f"{left} {sign.text} 0")
        whole = self._version == 3 and isinstance(left, int) and isinstance(right, int)
        if sign.text == "%":
            return math.fmod(left, right) if not whole else int(math.fmod(left, right))
        return int(left / right) if whole else left / right

    def _signed(self) -> Number:
        if self._cursor.sees("-", "+"):
            minus = self._cursor.take().text == "-"
            value = self._deeper(self._signed)
            return -value if minus else value
        return self._power()

    def _power(self) -> Number:
        base = self._atom()
        if not self._cursor.sees("**", "^"):
            return base
        sign = self._cursor.take()
        if sign.text == "^" and self._version == 3:
            raise WrongError("qasm_syntax", sign, expected="`**`")
        return math.pow(base, self._deeper(self._signed))

    def _atom(self) -> Number:
        token = self._cursor.next
        if token.kind is Kind.WHOLE:
            return self._literal(self._cursor.take())
        if token.kind is Kind.REAL:
            return float(_digits(self._cursor.take()))
        if self._cursor.takes("("):
            value = self._deeper(self._sum)
            self._cursor.sign(")")
            return value
        if token.kind is Kind.NAME:
            return self._named(self._cursor.take())
        raise self._cursor.unexpected("qasm_expected_number")

    def _literal(self, token: Token) -> int:
        text = _digits(token)
        return int(text, 0) if text[:2].lower() in ("0x", "0b", "0o") else int(text)

    def _named(self, token: Token) -> Number:
        name = token.text
        if self._cursor.sees("(") and name in FUNCTIONS:
            self._cursor.take()
            value = FUNCTIONS[name](self._deeper(self._sum))
            self._cursor.sign(")")
            return value
        if name in self._names:
            return self._names[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        raise WrongError("qasm_unknown_name", token)

    def _deeper(self, part: Callable[[], Number]) -> Number:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise WrongError("qasm_too_deep", self._cursor.next, limit=DEPTH_MAX)
        value = part()
        self._depth -= 1
        return value


def _digits(token: Token) -> str:
    if len(token.text) > 2 * DIGITS_MAX:  # with an underscore behind each
        raise WrongError("qasm_number", token)
    text = token.text.replace("_", "")
    if len(text) > DIGITS_MAX:
        raise WrongError("qasm_number", token)
    return text

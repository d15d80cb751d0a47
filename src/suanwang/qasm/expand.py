"""Gates of the user's own and modifiers, taken apart into gates of the library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from suanwang.qasm.circuit import Gate
from suanwang.qasm.gates import SAME, Shape
from suanwang.qasm.numbers import MAGNITUDE_MAX
from suanwang.qasm.tokens import Token, WrongError

OPERATIONS_MAX: Final = 100_000  # of one circuit, with its loops unrolled and its gates taken apart
CONTROLS_MAX: Final = 64
PHASE: Final = "gphase"

Body = Callable[[tuple[float, ...], tuple[int, ...]], list[Gate]]


@dataclass(frozen=True, slots=True)
class Definition:
    """A gate: of the library where `body` is None. `depth`: of gates in gates in its body."""

    shape: Shape
    body: Body | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Modifier:
    """`name` is inv, pow, ctrl or negctrl. `value`: the exponent, or how many controls."""

    token: Token
    name: str
    value: float = 1


def applied(
    token: Token,
    definition: Definition,
    modifiers: Sequence[Modifier],
    params: tuple[float, ...],
    qubits: tuple[int, ...],
    version: int,
    spend: Callable[[int], None],
) -> list[Gate]:
    """The gates that one application comes to. Global phases that nothing controls are left in, for the caller's caller may
    control them. `spend` is told the steps before they are made."""
    spend(1 + len(params) + len(qubits) + len(modifiers))
    controls = sum(int(one.value) for one in modifiers if one.name.endswith("ctrl"))
    own = qubits[controls:]
    gates = definition.body(params, own) if definition.body is not None else leaf(token.text, params, own, version)
    used = controls
    for one in reversed(modifiers):
        spend(weight(gates))
        if one.name.endswith("ctrl"):
            count = int(one.value)
            used -= count
            held = qubits[used : used + count]
            spend(count * len(gates))
            gates = [_controlled(gate, held, one.name == "ctrl") for gate in gates]
        else:
            gates = _raised(gates, -1 if one.name == "inv" else one.value, one.token)
    return gates


def weight(gates: Sequence[Gate]) -> int:
    """Steps of going through them: a gate is as large as its qubits are many."""
    return len(gates) + sum(len(one.qubits) for one in gates)


def leaf(name: str, params: tuple[float, ...], qubits: tuple[int, ...], version: int) -> list[Gate]:
    """A gate of the library. Version 3 gives `U`, `u2` and `u3` a phase of their own, which counts where they are
    controlled."""
    gate = Gate(SAME.get(name, name), params if name != "u0" else (), qubits)
    if version == 3 and name in ("U", "u2", "u3"):
        phase = params[0] / 2 if name == "U" else -(params[-2] + params[-1]) / 2
        return [Gate(PHASE, (phase,), ()), gate]
    return [gate]


def _controlled(gate: Gate, held: tuple[int, ...], value: bool) -> Gate:
    return replace(gate, qubits=(*held, *gate.qubits), controls=(*(value for _ in held), *gate.controls))


def _raised(gates: list[Gate], exponent: float, token: Token) -> list[Gate]:
    """A row of gates, so many times; back to front where that is negative."""
    if len([one for one in gates if one.name != PHASE]) <= 1:
        return [_scaled(one, exponent, token) for one in gates]  # a phase and a gate beside it commute
    if exponent != int(exponent):
        raise WrongError("qasm_power", token, f"{exponent:g}")
    count = abs(int(exponent))
    if count * len(gates) > OPERATIONS_MAX:
        raise too_many(token)
    row = gates if exponent > 0 else [_scaled(one, -1, token) for one in reversed(gates)]
    return row * count


def _scaled(gate: Gate, exponent: float, token: Token) -> Gate:
    value = (gate.params[0] if gate.name == PHASE else gate.power) * exponent
    if abs(value) > MAGNITUDE_MAX:
        raise WrongError("qasm_number", token, str(value))
    return replace(gate, params=(value,)) if gate.name == PHASE else replace(gate, power=value)


def finished(gates: list[Gate]) -> list[Gate]:
    """As they are run: phases that something controls as gates on the controls, the others left out; gates to the power of
    zero too."""
    out: list[Gate] = []
    for gate in gates:
        if gate.power == 0:
            continue
        if gate.name != PHASE:
            out.append(gate)
        elif gate.controls:
            out += _phase_of_controls(gate)
    return out


def _phase_of_controls(gate: Gate) -> list[Gate]:
    *_, last = gate.qubits
    turn = Gate("p", gate.params, gate.qubits, gate.controls[:-1])
    if gate.controls[-1]:
        return [turn]
    flip = Gate("x", (), (last,))
    return [flip, turn, flip]


def too_many(token: Token) -> WrongError:
    return WrongError("qasm_too_large", token, limit=OPERATIONS_MAX)

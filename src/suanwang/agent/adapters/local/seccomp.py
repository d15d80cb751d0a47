"""System calls that no task needs and that widen the way to the kernel: refused with "not permitted".

A short list of refusals, not a list of what is allowed: tasks are any program there is. New user namespaces are
refused because they would hand a task capabilities, if only over itself, and with them much more of the kernel.
Numbers are of the kernel's public tables for the two machines named; on others there is no filter, and the
sandbox stands without it.
"""

import errno
import struct
from typing import Final

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_OFFSET_NUMBER, _OFFSET_MACHINE, _OFFSET_FIRST_ARGUMENT = 0, 4, 16  # of struct seccomp_data, little endian
_X32: Final = 0x4000_0000  # a second number space on x86_64
# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_NAMESPACES: Final = 0x7E02_0000

_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
# name: x86_64, aarch64
_REFUSED: Final = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
}
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", code, then, otherwise, value)


def program(machine: str) -> bytes | None:
    """The filter for `os.uname().machine`, or None where there is none."""
    if machine not in _ARCH:
        return None
    column = list(_ARCH).index(machine)
    refuse = _step(_RETURN, _ERROR | errno.EPERM)
    out = [
        _step(_LOAD, _OFFSET_MACHINE),
        _step(_EQUAL, _ARCH[machine], 1, 0),
        _step(_RETURN, _KILL),  # another machine's calls have other numbers: they would slip past
        _step(_LOAD, _OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        out += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _ERROR | errno.ENOSYS)]
    for numbers in _REFUSED.values():
        out += [_step(_EQUAL, numbers[column], 0, 1), refuse]
    # clone3 hides its flags behind a pointer; told that it does not exist, the C library takes clone.
    out += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _ERROR | errno.ENOSYS)]
    out += [
        _step(_EQUAL, _CLONE[column], 0, 3),
        _step(_LOAD, _OFFSET_FIRST_ARGUMENT),
        _step(_ANY_BIT, _NAMESPACES, 0, 1),
        refuse,
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(out)

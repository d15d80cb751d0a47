"""What the adapter and its runner agree on. Neither is imported by the other."""

from typing import Final

PACKET_BYTES_MAX: Final = 65_536  # of one packet on their socket
# How the process of a task ends: with counts, with a note why there are none, or in a way that nobody foresaw.
DONE, REFUSED, BROKEN = 0, 3, 70

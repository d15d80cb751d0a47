"""An IDS: a sensor in the function's namespace that sees every packet which comes in, and says what its rules match."""

import shutil
import sys
from dataclasses import dataclass
from typing import Final

from suanwang.lab import processes
from suanwang.lab.functions.function import Counter, Looked, Place
from suanwang.lab.sensor import counts, rules
from suanwang.model.error import UnreachableError
from suanwang.model.grid import ProtectionFunction

READY: Final = b"ready\n"
EVE: Final = "eve.json"


@dataclass(frozen=True)
class Ids:
    """`text` is rules, one a line. What is wrong with them is a FaultsError here, before anything is made."""

    text: str
    source: str = "rules"

    def __post_init__(self) -> None:
        rules.read(self.text, self.source)

    @property
    def kind(self) -> ProtectionFunction:
        return ProtectionFunction.IDS

    def start(self, place: Place, lock: int) -> None:
        """Returns when the socket stands: from the first packet on."""
        (place.folder / "rules").write_text(self.text, "utf-8")
        log = place.folder / "sensor.log"
        enter, net = processes.enter_words(place.namespace)
        nsenter = shutil.which(enter)
        if nsenter is None:
            raise UnreachableError("lab_tool", tool=enter)
        arguments = [nsenter, net, sys.executable, "-m", processes.SENSOR_MODULE, place.inward, str(place.folder)]
        if processes.start(arguments, log) != READY:
            raise UnreachableError("lab_sensor", detail=log.read_text("utf-8", "replace").strip()[-300:])

    def counters(self, place: Place) -> dict[str, Counter]:
        return counters(place)


def counters(place: Place) -> dict[str, Counter]:
    return {name: Counter(*row) for name, row in counts.read(place.folder / "counters").items()}


def look(place: Place) -> Looked:
    """What a dead sensor has counted stays."""
    return Looked(processes.runs(place.namespace, processes.SENSOR_MODULE), counters(place))

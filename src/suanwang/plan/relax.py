"""placeholder"""

from suanwang.model.plan import Relaxation
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene


def relaxations(scene: Scene, need: Need) -> tuple[Relaxation, ...]:
    return ()

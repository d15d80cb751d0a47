"""Small traces of the tests' own, and a grid to read them on."""

from pathlib import Path

from suanwang.grids import SMALL, random_grid
from suanwang.traces import Rules

GRID = random_grid(5, 3, SMALL)
RULES = Rules(GRID, seed=7)
PUBLIC = Path(__file__).parents[3] / "shared" / "data" / "traces"

SWF = """; Version: 2.2
; UnixStartTime: 1100000000
; Note: a log of the tests
  1   0  10 100   4  90 2048   4  200   -1 1 3 1 -1 2 1 -1 -1
  2  30   5  50  80  -1   -1  80   40 1024 0 4 2 -1 2 1 -1 -1
  3  60   0  -1   2  -1   -1   2   60   -1 5 3 1 -1 2 1 -1 -1
  4  90   0  20  -1  -1   -1  -1   60   -1 1 3 1 -1 2 1 -1 -1
  5  95   0  20   1  -1   -1  -1   -1   -1 2 3 1 -1 2 1 -1 -1
  6 120 3.5  12   1  -1   -1  -1   -1   -1 1 3 -1 -1 2 1 1 10
"""
OPENB = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
pod-0,12000,16384,1,1000,,LS,Running,0,600,10
pod-1,500,1024,0,0,,BE,Failed,60,90,60
pod-2,1000,1024,1,460,NEVER,LS,Succeeded,90,,
pod-3,1000,1024,1,460,NEVER,LS,Succeeded,100,160,100
"""
LLM = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4000,100
2023-11-16 18:17:04.0319600,10,1
"""


def read(text: str) -> list[str]:
    return text.splitlines()

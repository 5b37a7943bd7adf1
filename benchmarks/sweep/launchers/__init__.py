"""Where the cells of a sweep run: one after the other here, in workers of this machine, under Ray, under SLURM.

`conf/hydra/launcher` has a file for each. Whatever the launcher, each cell's end is its own: one that is lost takes no other along.
"""

from benchmarks.sweep.launchers.base import CellLauncher, Ends, Lost
from benchmarks.sweep.launchers.one_process import OneProcess
from benchmarks.sweep.launchers.pool import CpuPool
from benchmarks.sweep.launchers.ray import RayActors
from benchmarks.sweep.launchers.slurm import Slurm

LAUNCHERS: tuple[type[CellLauncher], ...] = (OneProcess, CpuPool, RayActors, Slurm)

__all__ = ["LAUNCHERS", "CellLauncher", "CpuPool", "Ends", "Lost", "OneProcess", "RayActors", "Slurm"]

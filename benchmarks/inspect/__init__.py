"""Inspecting new parts with a fitted method: `Inspector.load(folder)(image) -> Verdict`.

An inspector is a folder that `defectbench choose` or `defectbench run save_inspector=true` leaves: weights, preprocessing,
threshold with its rule, versions and the identity of the training images. Needs no Hydra.
"""

from benchmarks.inspect.inspector import Inspector, Region, Verdict

__all__ = ["Inspector", "Region", "Verdict"]

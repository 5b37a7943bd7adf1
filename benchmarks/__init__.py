"""defectbench: data, protocol, one cell, store, sweeps and reports of the benchmark.

An image's way is one line through these folders: ``data`` -> a method (``methods/``) -> maps -> ``protocol`` -> scores ->
``store`` -> ``report``. Nobody downstream is imported upstream; ``run`` is the only place where all of them meet.
"""

from benchmarks.common.machine import find_place_for_caches

find_place_for_caches()

"""The built-in dataset: MVTec AD's fifteen categories drawn by rule, with exact masks, in its layout. Not MVTec AD.

Canvas and shapes (`canvas`), the drawings (`textures`, `round_objects`, `long_objects`), the `defects`, which category has which
(`recipes`), one image (`render`), all files (`write`).
"""

from benchmarks.data.synthetic.write import CATEGORIES, SyntheticSpec, write_category, write_dataset

__all__ = ["CATEGORIES", "SyntheticSpec", "write_category", "write_dataset"]

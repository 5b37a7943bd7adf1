"""Table 1 of the paper (Bergmann et al., MVTec AD, CVPR 2019): the fifteen categories and their images."""

import csv
from dataclasses import dataclass, field, fields
from functools import cache

from benchmarks.common.project import project_file

TABLE1 = project_file("results", "paper", "table1_dataset.csv")


@dataclass(frozen=True)
class CategoryFacts:
    """A row of Table 1, or the same counted in a folder. `side_px` is 0 and `grayscale` None where images differ."""

    train_good: int
    test_good: int
    test_defective: int
    defect_types: int
    defect_regions: int
    side_px: int
    grayscale: bool | None
    kind: str = field(default="", compare=False)
    """texture or object, which the images do not say."""


COUNTED = tuple(fact.name for fact in fields(CategoryFacts) if fact.compare)
"""What can be counted in a folder."""


@cache
def table1() -> dict[str, CategoryFacts]:
    """The fifteen rows of Table 1, in the paper's order."""
    with TABLE1.open(encoding="utf-8") as file:
        return {row["category"]: _facts(row) for row in csv.DictReader(file)}


def _facts(row: dict[str, str]) -> CategoryFacts:
    numbers = {name: int(row[name]) for name in COUNTED if name != "grayscale"}
    return CategoryFacts(**numbers, grayscale=row["grayscale"] == "true", kind=row["kind"])

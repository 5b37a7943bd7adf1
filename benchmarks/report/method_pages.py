"""Pages about methods, made from `conf/method`, the methods' docstrings and published stores, so that they cannot go stale.

`python -m benchmarks.report.method_pages` prints the table of README.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from benchmarks.common.project import CODE
from benchmarks.config.catalogue import CONF, FAMILIES, options
from benchmarks.store.columns import rows_of
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.runs import RunStore

PUBLISHED = CODE / "results" / "published"


@cache
def _methods() -> dict[str, DictConfig]:
    return options("method")


def methods_table(links: bool = False) -> str:
    """All methods by family: what each takes, and what it costs; with links to the pages beside it."""
    rows = []
    for name, config in sorted(_methods().items(), key=lambda item: (FAMILIES.index(item[1].family), item[0])):
        title = f"[{config.title}](methods/{name}.md)" if links else config.title
        rows.append(f"| {config.family} | {title} | `{name}` | {', '.join(config.inputs)} | {_cost(name)} |")
    return "\n".join(["| family | method | `method=` | takes | cost |", "|---|---|---|---|---|", *rows])


def index_page() -> str:
    """The page that leads to all others."""
    made_from = "These pages are made from `conf/method`, the code and `results/published`."
    return f"# Methods\n\n{methods_table(links=True)}\n\n{made_from}\n"


def method_page(name: str) -> str:
    """One method: what it is, how to run it, every setting with its source, and what was measured with it."""
    config, source = _methods()[name], _conf_file(name)
    module = _module(config)
    parts = [
        f"# {config.title}",
        _docstring(module),
        f"Code: `{module.replace('.', '/')}.py`. Settings: `conf/method/{source.name}`.",
        f"```bash\n{_command(name, config)}\n```",
        "## Settings",
        "*stated*, *paper*: the paper says so; *code*: read in its public code; *ours*: published nowhere, declared here.",
        f"```yaml\n{source.read_text(encoding='utf-8').strip()}\n```",
        "## Measured",
        *_measured(name),
    ]
    return "\n\n".join(parts) + "\n"


def _conf_file(name: str) -> Path:
    return CONF / "method" / f"{name}.yaml"


def _cost(name: str) -> str:
    """The sentence after "Cost:" in the opening comment of the method's file."""
    opening = []
    for line in _conf_file(name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        opening.append(line.lstrip("# "))
    found = re.search(r"Cost( of [^:]+)?: (.+?)\.(?: |$)", " ".join(opening))
    return "" if found is None else found[2] + (found[1] or "").replace(" of ", ", at ", 1)


def _module(config: DictConfig) -> str:
    return str(config.model._target_).rpartition(".")[0]


def _docstring(module: str) -> str:
    tree = ast.parse((CODE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


def _command(name: str, config: DictConfig) -> str:
    if "object" in config.inputs:
        return f"defectbench run method={name} category=bottle budget=smoke"
    if "texture" in config.inputs:
        return f"defectbench run method={name} category=carpet budget=smoke"
    return f"defectbench run benchmark={'mnist' if 'digit' in config.inputs else 'creditcard'} method={name}"


def _measured(name: str) -> Iterator[str]:
    rows = list(_published_rows(name))
    if not rows:
        yield "No published result yet."
        return
    head = [
        "| dataset | category | budget | seeds | good | defective | image AUROC | pixel AUROC | fit, s | ms per image |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    yield "\n".join([*head, *rows])
    yield (
        "Means over the seeds, from the stores in `results/published`; *good* and *defective* are the shares of test images "
        "classified correctly. `results/README.md` tells what they mean, with intervals and the paper's values."
    )


def _published_rows(name: str) -> Iterator[str]:
    for row in _published():
        if row["method"] == name:
            numbers = [_number(row[column], digits) for column, digits in _NUMBERS.items()]
            texts = [row["dataset"], row["category"], row["budget"], str(len(str(row["seeds"]).split()))]
            yield f"| {' | '.join([*texts, *numbers])} |"


@cache
def _published() -> list[dict[str, Any]]:
    """The leaderboards of all published stores."""
    stores = sorted(path.parent for path in PUBLISHED.glob("*/runs"))
    return [row for store in stores for row in rows_of(leaderboard(RunStore(store).records()))]


_NUMBERS = {
    "normal_accuracy": 2,
    "anomalous_accuracy": 2,
    "image_auroc": 3,
    "pixel_auroc": 3,
    "fit_seconds": 0,
    "ms_per_image": 0,
}


def _number(value: Any, digits: int) -> str:
    return "-" if value is None or pd.isna(value) else f"{float(value):.{digits}f}"


if __name__ == "__main__":
    print(methods_table())

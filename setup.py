"""What setuptools cannot be told in pyproject.toml: a wheel also holds `conf/`, the facts of `results/` that the code reads, and
the revision that it was built from. They go to `benchmarks/shipped`; `benchmarks.common.project` finds them there.
"""

import shutil
from pathlib import Path
from runpy import run_path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
SHIPPED = ("conf/**/*.yaml", "results/paper/*.csv", "results/references/*.csv", "results/speed/cell_cost.csv")


def revision() -> str:
    """The commit of this checkout, or the one that a source archive was made from."""
    archived = HERE / "REVISION"
    if archived.is_file():
        return archived.read_text(encoding="utf-8").strip()
    git_revision = run_path(str(HERE / "benchmarks" / "common" / "project.py"))["git_revision"]
    return str(git_revision(HERE))


class BuildWithFacts(build_py):
    """Copies the facts beside the modules; an editable installation reads them where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "benchmarks", "shipped")
        for pattern in SHIPPED:
            for file in HERE.glob(pattern):
                place = target / file.relative_to(HERE)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
        (target / "REVISION").write_text(revision() + "\n", encoding="utf-8")


class SourceWithRevision(sdist):
    """A source archive knows its commit, too."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        Path(base_dir, "REVISION").write_text(revision() + "\n", encoding="utf-8")


setup(cmdclass={"build_py": BuildWithFacts, "sdist": SourceWithRevision})

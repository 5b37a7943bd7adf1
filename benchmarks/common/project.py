"""Where the project's own files are, in a checkout and in an installed copy, and which revision of the code this is.

A wheel has `conf/` and the facts of `results/` that the code reads inside the package, in `benchmarks/shipped` (setup.py).
"""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
"""The folder that holds `benchmarks/` and `methods/`: the checkout, or site-packages."""
RUN_FROM = ("benchmarks", "methods", "conf")
"""What a run is made from: a file there that no commit holds may be the method that was run."""
SHIPPED = CODE / "benchmarks" / "shipped"


def project_file(*parts: str) -> Path:
    """A file or folder of the project, such as `project_file("results", "paper")`."""
    return (SHIPPED if SHIPPED.is_dir() else CODE).joinpath(*parts)


def revision() -> str:
    """The git commit of the code, with "+changes" where the tree differs from it; "unknown" without git.

    An installed copy knows the commit that it was built from.
    """
    baked = SHIPPED / "REVISION"
    return baked.read_text(encoding="utf-8").strip() if baked.is_file() else git_revision(CODE)


def git_revision(checkout: Path) -> str:
    """The commit of a checkout, marked where tracked files differ from it, or where code or settings are in no commit."""
    if not (checkout / ".git").exists():  # git would answer for a repository further up
        return "unknown"
    try:
        commit = _git(checkout, "rev-parse", "HEAD")
        return commit + ("+changes" if _has_changes(checkout) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _has_changes(checkout: Path) -> bool:
    """An ignored file counts only if Python or Hydra would read it: an editor's own files decide nothing."""
    read = [f"{folder}/*{suffix}" for folder in RUN_FROM for suffix in (".py", ".yaml")]
    return bool(
        _git(checkout, "status", "--porcelain", "--untracked-files=no")
        or _git(checkout, "ls-files", "--others", "--exclude-standard", "--", *RUN_FROM)
        or _git(checkout, "ls-files", "--others", "--", *read)
    )


def _git(folder: Path, *args: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True).stdout.strip()


def version_line() -> str:
    """Version and revision, as `defectbench --version` prints them."""
    try:
        number = version("defectbench")
    except PackageNotFoundError:  # imported from a folder, never installed
        number = "not installed"
    return f"defectbench {number}, revision {revision()}"

"""`nox -s demo` installs everything and runs the main job; `nox -s tests` installs everything and passes the tests.

Environments are made by uv, which links packages from its cache: the second one costs a second.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import nox

nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

FEW_IMAGES = ("data.spec.train_good=8", "data.spec.test_good=3", "data.spec.per_defect=1")
CONSTRAINTS = "constraints.txt"  # versions that were tested together
COMPILED = {"UV_COMPILE_BYTECODE": "1"}
"""For sessions of many processes: where Python may not write beside its code, each would compile for 16 s of its own."""


def install(session: nox.Session, *extras: str, **options: Any) -> None:
    """The project, editable, with faiss for this machine: faiss-gpu where there is an NVIDIA driver, else faiss-cpu."""
    faiss = "gpu" if shutil.which("nvidia-smi") else "cpu"
    session.install("-c", CONSTRAINTS, "-e", f".[{','.join((faiss, *extras))}]", **options)


@nox.session
def demo(session: nox.Session) -> None:
    """The main job on the built-in dataset: three methods, a table, and the paths of what was written."""
    install(session)
    session.run("defectbench", "run", "experiment=quickstart", *session.posargs)
    session.run("defectbench", "report", "--results", "results/quickstart")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite, on all cores."""
    install(session, "test", env=COMPILED)
    session.run("pytest", *(session.posargs or ["-n", "auto", "-q"]))


USE_EXTRAS = (
    "tests/inspect/test_export.py",
    "tests/inspect/test_inspector.py::test_an_exported_inspector_goes_on_inspecting",
    "tests/methods/test_timm_features.py",
    "tests/protocol/test_pixel_metrics.py",
    "tests/sweep/test_launchers.py",
)


@nox.session
def extras(session: nox.Session) -> None:
    """What `tests` skips for want of ONNX, timm, adeval or submitit. OpenCV needs libGL (Debian: apt-get install libgl1)."""
    install(session, "test", "onnx", "timm", "golden", "slurm", env=COMPILED)
    session.run("python", "-c", "import adeval, cv2, onnxruntime, submitit, timm")  # or pytest skips their tests
    session.run("pytest", *(session.posargs or ["-n", "auto", "-q", *USE_EXTRAS]))


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into an empty environment, and run a cell and its report in an empty folder."""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    session.run("uv", "build", "--wheel", "--quiet", "--out-dir", str(folder), external=True)
    built = next(folder.glob("*.whl"))
    session.install("-c", CONSTRAINTS, "--reinstall-package", "defectbench", f"{built}[cpu]")
    empty = folder / "empty"
    empty.mkdir()
    session.env["PYTHONPATH"] = ""  # the wheel, nothing else
    with session.chdir(empty):
        session.run("defectbench", "--version")
        session.run("defectbench", "run", "method=variation_model", "category=bottle", "budget=smoke", *FEW_IMAGES)
        session.run("defectbench", "report", silent=True)
    session.log(f"{built}: ran and reported in {empty}")


LIBRARIES = {"scikit-learn": (), "torchmetrics": ("torch",), "anomalib": (), "adeval": ("numpy<2",)}
"""Whose metrics `conformance` asks, and what they need beside themselves."""


@nox.session
@nox.parametrize("library", list(LIBRARIES))
def conformance(session: nox.Session, library: str) -> None:
    """The answers of a library to the golden cases, in an environment of its own: results/conformance/<library>.csv."""
    install(session)
    cases = session.create_tmp()
    session.run("defectbench", "conformance", cases)
    needed = [part for name in (library, *LIBRARIES[library], "pillow") for part in ("--with", name)]
    script = ["benchmarks/conformance/answers_of.py", library, cases, f"{cases}/{library}.json"]
    session.run("uv", "run", "--isolated", "--no-project", *needed, "python", *script, external=True)
    verdicts = f"results/conformance/{library}.csv"
    session.run("defectbench", "conformance", "--check", script[-1], "--out", verdicts, success_codes=[0, 1])


@nox.session
def speed(session: nox.Session) -> None:
    """Every stage against its obvious alternative, in one table; `-- --quick` for a first look, `-- --growth` for memory."""
    install(session, "speed")
    session.run("python", "-m", "benchmarks.speed", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Our methods beside anomalib's, in an environment of their own: `nox -s peers -- --root DIR --weights FILE`."""
    session.install("-c", CONSTRAINTS, "-e", ".[cpu,test]", "anomalib==2.7.0")
    session.run("pytest", "-q", "tests/speed/test_peers.py", "tests/data/test_map_archives.py")
    if session.posargs:
        session.run("python", "-m", "benchmarks.speed.peers", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """The report page in headless Chromium, which must be installed (Debian: apt-get install chromium)."""
    install(session, "test", "browser")
    session.run("pytest", *(session.posargs or ["-q", "tests/report/test_page.py"]))


@nox.session
def clusters(session: nox.Session) -> None:
    """Sweeps under SLURM and Ray clusters that are started on this machine, in namespaces of their own, and lose parts.

    Needs root and, for SLURM, Debian's slurm-wlm and munge; slurmdbd and mariadb-server for the accounting.
    """
    install(session, "test", "ray", "slurm", env=COMPILED)
    asked = session.posargs or ["tests/clusters"]
    folder = tempfile.mkdtemp(prefix="clusters-")  # Ray takes none inside an environment, and sockets no long path
    command = ["python", "-m", "pytest", "-v", f"--basetemp={folder}/tests", *asked]
    session.run("tests/clusters/isolated", *command, env={"DEFECTBENCH_CLUSTERS": "1"}, external=True)
    shutil.rmtree(folder)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation strictly, into .nox/docs/site; `-- --serve` shows it and follows changes."""
    install(session, "docs")
    if "--serve" in session.posargs:
        session.run("mkdocs", "serve")
    else:
        session.run("mkdocs", "build", "--strict", "--site-dir", f"{session.virtualenv.location}/site")


@nox.session
def pictures(session: nox.Session) -> None:
    """Make docs/*.png from the built-in dataset in Chromium (Debian: apt-get install chromium); `-- --weights FILE` offline."""
    install(session, "browser")
    session.run("python", "docs/make_pictures.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, common mistakes, and what must not be in git: every hook of .pre-commit-config.yaml but the types."""
    session.install("-c", CONSTRAINTS, "pre-commit", "ruff")
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", env={"SKIP": "mypy"})


@nox.session
def types(session: nox.Session) -> None:
    """Types of the public parts."""
    install(session, "test", "lint")
    session.run("mypy")


@nox.session
def latex(session: nox.Session) -> None:
    """Compile the tables' LaTeX files; each must fit one page. Needs tectonic or pdflatex (Debian: texlive-latex-recommended)."""
    compiler = next((name for name in ("tectonic", "pdflatex") if shutil.which(name)), None)
    if compiler is None:
        session.skip("no tectonic and no pdflatex here")
    install(session)
    folder = session.create_tmp()
    shutil.rmtree(Path(folder) / "results", ignore_errors=True)
    write = "from pathlib import Path; from tests.report.stores import write_store; write_store(Path(__import__('sys').argv[1]))"
    session.run("python", "-c", write, f"{folder}/results")
    session.run("defectbench", "report", "--results", f"{folder}/results", silent=True)
    for file in sorted(Path(folder, "results", "report").glob("*.tex")):
        options = () if compiler == "tectonic" else ("-interaction=nonstopmode", "-halt-on-error")
        with session.chdir(file.parent):
            session.run(compiler, *options, file.name, external=True, silent=True)
        log = file.with_suffix(".log")  # tectonic keeps none
        words = log.read_text(errors="replace") if log.is_file() else "(1 page"
        if "Overfull" in words or "(1 page" not in words:
            session.error(f"{file} does not fit its page; see {log}")
        session.log(f"{file.with_suffix('.pdf')}")


@nox.session(venv_backend="none")
def clean(session: nox.Session) -> None:
    """Remove what the project made: built-in dataset, caches, runs of the quick start."""
    for folder in ("data", ".cache", "results/quickstart"):
        shutil.rmtree(Path(folder), ignore_errors=True)


@nox.session
def cases(session: nox.Session) -> None:
    """The scripts of situations that users reported, from ../shared/cases; each prints WRONG and exits 1 while its one is there."""
    scripts = sorted(Path("../shared/cases").resolve().glob("[0-9]*.sh"))
    if not scripts:
        session.skip("no ../shared/cases here")
    install(session)
    wanted = [script for script in scripts if not session.posargs or script.name.split("-")[0] in session.posargs]
    failed = [script.name for script in wanted if not _passes(session, script)]
    if failed:
        session.error(f"{len(failed)} of {len(wanted)} cases are wrong: {', '.join(failed)}")


def _passes(session: nox.Session, script: Path) -> bool:
    try:
        session.run("bash", str(script), external=True)
    except nox.command.CommandFailed:
        return False
    return True

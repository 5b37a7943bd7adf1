"""Run a session of noxfile.py with nothing but Python at hand: `python3 start.py demo`, `python3 start.py tests`.

The first call makes a small environment with nox and uv in .nox/start; `python3 start.py` alone lists the sessions. An old
Python must be able to read this file, or it could not say what is wrong.
"""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
HOME = PROJECT / ".nox" / "start"
PYTHON = HOME / "bin" / "python"
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(PROJECT / "constraints.txt"))


def check_python():
    """Exit with one sentence where this Python is too old or cannot make environments."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this message is for the older ones
        version = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"defectbench needs Python 3.11 or later, this is {version}: run the same command with python3.11 or later."
        )
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        sys.exit(
            "This Python cannot make environments: run `apt-get install python3-venv`, then re-run the same command."
        )


def has_nox():
    """Whether the environment works: the installation may have been interrupted, or its Python be gone."""
    return PYTHON.exists() and subprocess.call([str(PYTHON), "-c", "import nox, uv"], stderr=subprocess.DEVNULL) == 0


def install_nox():
    """nox and uv in an environment of their own, in place of whatever it held before."""
    import venv

    print(f"Installing nox and uv in {HOME} ...", flush=True)
    venv.create(HOME, clear=True, with_pip=True)
    subprocess.check_call([PYTHON, *PIP_INSTALL, "nox[uv]"])


def main(sessions):
    """Replace this process by nox."""
    check_python()
    if not has_nox():
        install_nox()
    os.environ["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"  # nox looks for uv there
    os.execv(PYTHON, [PYTHON, "-m", "nox", *(["-s", *sessions] if sessions else ["--list"])])


if __name__ == "__main__":
    main(sys.argv[1:])

"""Where the project's files are and which revision this is: in a checkout, in an installed copy, without git."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.cli import main
from benchmarks.common import project


def git(folder: Path, *args: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-qm", "First")
    return tmp_path


def test_a_checkout_has_its_commit_and_says_when_files_differ(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert project.git_revision(checkout) == commit
    (checkout / "code.py").write_text("2")
    assert project.git_revision(checkout) == f"{commit}+changes"


@pytest.mark.parametrize("name", ["methods/mine.py", "conf/method/mine.yaml", "benchmarks/report/templates/page.html"])
def test_code_and_settings_that_no_commit_holds_are_changes(checkout: Path, name: str) -> None:
    (checkout / name).parent.mkdir(parents=True)
    (checkout / name).touch()
    assert project.git_revision(checkout).endswith("+changes")


def test_a_method_that_git_ignores_is_a_change_and_an_ignored_leftover_is_none(checkout: Path) -> None:
    (checkout / ".git" / "info" / "exclude").write_text("mine.py\n*.pyc\n")
    for name in ("methods/mine.pyc", "results/run.json", "notes.py"):
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).touch()
    assert not project.git_revision(checkout).endswith("+changes")
    (checkout / "methods" / "mine.py").touch()
    assert project.git_revision(checkout).endswith("+changes")


def test_a_copy_inside_another_repository_does_not_take_its_commit(checkout: Path) -> None:
    site_packages = checkout / ".venv" / "site-packages"
    site_packages.mkdir(parents=True)
    assert project.git_revision(site_packages) == "unknown"


def test_an_installed_copy_reads_what_the_wheel_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "SHIPPED", tmp_path)
    (tmp_path / "REVISION").write_text("abc\n")
    assert project.project_file("conf", "config.yaml") == tmp_path / "conf" / "config.yaml"
    assert project.revision() == "abc"


def test_version_names_the_revision() -> None:
    said = CliRunner().invoke(main, ["--version"])
    assert said.exit_code == 0 and said.output.startswith("defectbench ") and project.revision() in said.output


def test_a_reader_that_stops_reading_is_no_error() -> None:
    program = 'import benchmarks.cli as cli; cli.main(["list", "categories"])'
    command = f"{sys.executable} -c '{program}' | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], cwd=project.CODE, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")

"""Every command of README, CONTRIBUTING and docs/: it runs, or it says what it needs and is understood.

A block or line with a comment `# needs ...` is only parsed. All others are run as they stand, on fewer of the built-in images.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hydra.core.global_hydra import GlobalHydra

from benchmarks.cli import main
from benchmarks.common.project import CODE
from benchmarks.config.catalogue import method_names
from benchmarks.config.compose import composed
from benchmarks.report.method_pages import index_page, method_page, methods_table

PAGES = [CODE / "README.md", CODE / "CONTRIBUTING.md", *sorted((CODE / "docs").glob("*.md"))]
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = {"mine", "mean_image", "NAME", "DIR", "FILE"}  # what a reader replaces
OTHERS = {"python3", "pip", "pytest", "eval", ".", "git", "pre-commit", "python", "apt-get", "uvx"}
FEW_IMAGES = ("data.spec.train_good=8", "data.spec.test_good=3", "data.spec.per_defect=1")


def commands(page: Path) -> Iterator[tuple[list[str], bool]]:
    """The words of each command of a page, and whether it must run here."""
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        lines = block.splitlines()
        needs = lines[0].startswith("# needs")
        for line in lines:
            command, _, comment = line.partition(" #") if not line.startswith("#") else ("", "", "")
            if command.strip():
                yield shlex.split(command), not needs and not comment.strip().startswith("needs")


def ours(page: Path) -> list[tuple[list[str], bool]]:
    return [(words[1:], run) for words, run in commands(page) if words[0] == "defectbench"]


def test_every_command_is_understood() -> None:
    noxfile = (CODE / "noxfile.py").read_text(encoding="utf-8")
    for words in {tuple(words) for page in PAGES for words, _ in commands(page)}:
        if words[:2] == ("python3", "start.py"):
            sessions = words[2 : words.index("--") if "--" in words else None]
            assert all(f"def {name}(" in noxfile for name in sessions), words
        elif words[0] == "defectbench":
            understood(list(words[1:]))
        else:
            assert words[0] in OTHERS, words


def understood(words: list[str]) -> None:
    """The command and its options exist; the configuration of a run composes, of a sweep with the first of each list."""
    if not words:
        return
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words:
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"no command {name}"
        command = found
    if command.name in ("run", "estimate"):
        overrides = [word for word in words if "=" in word and not word.startswith(("hydra", "--", "gpus"))]
        first = [word.partition(",")[0] for word in overrides]
        if not any(word.partition("=")[2] in EXAMPLES for word in first if word.startswith("method=")):
            composed(first)
    else:
        command.make_context(command.name, list(words), resilient_parsing=True)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_commands_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, in the order of the pages, in one folder: the pages share their first run."""
    monkeypatch.chdir(tmp_path)
    found = dict.fromkeys(tuple(words) for page in PAGES for words, run in ours(page) if run)
    for words in sorted(found, key=lambda words: words[:1] != ("run",)):
        GlobalHydra.instance().clear()
        ended = CliRunner().invoke(main, [*words, *FEW_IMAGES] if words[:1] == ("run",) else list(words))
        assert ended.exit_code in ((0, 1) if words == ("doctor",) else (0,)), f"{words}\n{ended.output[-2000:]}"


def test_links_between_written_pages_lead_somewhere() -> None:
    made = {"methods.md", "leaderboard.md"} | {f"methods/{name}.md" for name in method_names()}
    for page in sorted((CODE / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([\w/-]+\.(?:md|png))", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file() or target in made, f"{page.name}: {target}"


def test_readme_has_the_methods_as_they_are() -> None:
    remedy = "put the output of `python -m benchmarks.report.method_pages` into README.md"
    assert methods_table() in (CODE / "README.md").read_text(encoding="utf-8"), remedy


def test_method_pages_hold_settings_costs_and_results() -> None:
    index = index_page()
    for name in method_names():
        page = method_page(name)
        assert f"methods/{name}.md" in index and f"name: {name}" in page and "## Measured" in page
    assert "| mvtec_ad | bottle | evening | 5 | 0.98 | 0.59 |" in method_page("variation_model")
    assert "half a minute on two CPU cores" in index and "at the paper's budget" in index

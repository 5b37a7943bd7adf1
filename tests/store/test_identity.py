"""What makes a finished run stale, and what does not."""

from pathlib import Path

import pytest

from benchmarks.run.images import Defects
from benchmarks.store import identity
from benchmarks.store.identity import Identity, code_fingerprint, differences

BASE = Identity(
    config={"method": {"model": {"latent": 100}}, "seed": 0},
    train_data="a",
    code={"methods.ae": "b"},
    versions={"torch": "2.15"},
)


def stored(**changes: object) -> dict[str, object]:
    return {"config": BASE.config, "train_data": "a", "code": {"methods.ae": "b"}, "versions": BASE.versions} | changes


def test_equal_identities_have_no_changes() -> None:
    assert BASE.changes(stored()) == []


def test_changes_are_named() -> None:
    assert BASE.changes(stored(train_data="x")) == ["train_data"]
    assert BASE.changes(stored(code={"methods.ae": "x", "methods.old": "y"})) == [
        "code of methods.ae",
        "code of methods.old",
    ]
    assert BASE.changes(stored(code="one hash of all, as up to schema 2")) == ["code"]
    assert BASE.changes(stored(versions={"torch": "2.14"})) == ["torch 2.14 -> 2.15"]
    assert BASE.changes(stored(config={"method": {"model": {"latent": 50}}, "seed": 0})) == [
        "method.model.latent 50 -> 100"
    ]
    assert BASE.changes({}) != []


def test_differences_see_added_and_removed_settings() -> None:
    assert differences({"a": {"b": 1}}, {"a": {"c": 1}}) == ["a.b 1 -> None", "a.c None -> 1"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "__init__.py").write_text("")
    (tmp_path / "methods" / "mine.py").write_text('"""Doc."""\nfrom methods import block\nx = block.y + 1  # why\n')
    (tmp_path / "methods" / "block.py").write_text("y = 1\n")
    (tmp_path / "methods" / "other.py").write_text("z = 1\n")
    monkeypatch.setattr(identity, "PROJECT", tmp_path)
    return tmp_path / "methods"


def digest() -> dict[str, str]:
    identity._digest.cache_clear()
    return code_fingerprint(["methods.mine"], [])


def test_code_counts_comments_do_not(project: Path) -> None:
    before = digest()
    (project / "mine.py").write_text('"""Other words."""\nfrom methods import block\n\nx = block.y + 1\n')
    assert digest() == before
    (project / "mine.py").write_text("from methods import block\nx = block.y + 2\n")
    assert digest() != before


def test_what_a_method_imports_counts_another_method_does_not(project: Path) -> None:
    before = digest()
    (project / "other.py").write_text("z = 2\n")
    assert digest() == before
    (project / "block.py").write_text("y = 2\n")
    assert digest() != before


def test_the_real_methods_are_found() -> None:
    assert "methods.ae" in code_fingerprint(["methods.ae"], []) and "methods.blocks.ssim" in code_fingerprint(
        ["methods.ae"], []
    )


DECIDE_NO_NUMBER = {
    "benchmarks.data.fingerprint",  # what it hashes counts by its hash
    "benchmarks.data.index",
    "benchmarks.data.map_files",  # writes maps; `evaluate`, which reads them, counts it
    "benchmarks.run.contract_check",
    "benchmarks.run.kept_maps",
    "benchmarks.run.loggers",
    "benchmarks.run.memory",
    "benchmarks.run.state",
}


def test_every_module_that_a_measurement_reaches_counts_or_is_known_to_decide_nothing() -> None:
    reached, waiting = set[str](), ["benchmarks.run.measure"]
    while waiting:
        name = waiting.pop()
        source = identity._source_file(name)
        is_package = source is None or source.name == "__init__.py"
        if name in reached or is_package or name.split(".")[1] not in {"data", "protocol", "run"}:
            continue
        reached.add(name)
        waiting += [other for other in identity._digest(source)[1] if other.startswith("benchmarks.")]
    assert len(reached) > 20
    assert reached - set(Defects.modules) == DECIDE_NO_NUMBER

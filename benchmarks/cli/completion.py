"""Tab completion of `defectbench run`: config groups, what each offers, and settings. The other commands complete by click."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def complete_override(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What may follow: `me` -> `method=`, `method=va` -> `method=variation_model`, `protocol.m` -> `protocol.minimum_area=`.

    bash takes `=` for the end of a word and completes what follows alone; zsh and fish hand over the whole word.
    """
    given = (
        " ".join(context.args or context.params.get(parameter.name or "", ()) or ())
        .replace(" =", "=")
        .replace("= ", "=")
    )
    before, _, last = given.rpartition(" ")
    if "=" in incomplete:
        key, _, start = incomplete.partition("=")
        return _items(f"{key}={value}" for value in _values(key, start, given))
    if last.endswith("=") or (not incomplete and _is_group(last)):
        return _items(_values(last.removesuffix("="), incomplete, before))
    return _items(key for key in _keys() if key.startswith(incomplete))


def _items(words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words]


def _is_group(word: str) -> bool:
    from benchmarks.config.catalogue import CONF

    return bool(word) and (CONF / word).is_dir()


def _keys() -> Iterator[str]:
    """`method=` and every other config group, then the dotted settings of the default configuration."""
    from omegaconf import OmegaConf

    from benchmarks.config.catalogue import CONF
    from benchmarks.config.compose import composed
    from benchmarks.store.identity import differences

    yield from (f"{path.name}=" for path in sorted(CONF.iterdir()) if path.is_dir() and path.name != "hydra")
    yield "hydra/launcher="
    settings = OmegaConf.to_container(composed([]))
    assert isinstance(settings, dict)
    yield from (
        f"{text.split(' ')[0]}=" for text in differences({}, {str(key): value for key, value in settings.items()})
    )


def _values(group: str, start: str, given: str) -> Iterator[str]:
    """The options of a config group; for a list (`method=ae_l2,an`) those of its last item."""
    from benchmarks.config.catalogue import CONF, OWN

    done, comma, start = start.rpartition(",")
    options = {path.stem for path in (CONF / group).glob("*.yaml")}
    if group == "category":
        options = (options | {*_own_settings(given), *_categories_of(given)}) - {OWN}
    yield from (f"{done}{comma}{name}" for name in sorted(options) if name.startswith(start))


def _own_settings(given: str) -> Iterable[str]:
    """The categories whose settings belong to the dataset that was chosen."""
    from benchmarks.config.catalogue import category_set
    from benchmarks.config.compose import settings_of

    return category_set(settings_of(given.split(" ")))


def _categories_of(given: str) -> list[str]:
    """The categories of the folder that `data.root=` names, where it was given."""
    from benchmarks.data.layouts import category_names

    roots = [word.removeprefix("data.root=") for word in given.split(" ") if word.startswith("data.root=")]
    return category_names(Path(roots[-1]).expanduser()) if roots else []

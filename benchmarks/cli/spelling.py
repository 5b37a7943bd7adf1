"""What is wrong with the writing of overrides, before any of them is read: no setting, no value, no option of that name."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from benchmarks.common.errors import UserError, nearest
from benchmarks.config.catalogue import CONF

SWITCHES = {"-m", "--multirun", "--resolve", "--run", "-r", "--help", "-h", "--hydra-help", "--version"}
SWITCHES |= {"--shell-completion", "-sc"}
TAKES_A_VALUE = {
    "--cfg",
    "-c",
    "--package",
    "-p",
    "--config-path",
    "-cp",
    "--config-name",
    "-cn",
    "--config-dir",
    "-cd",
}
TAKES_A_VALUE |= {"--info", "-i", "--experimental-rerun"}
"""Hydra's own options, alone and with a value."""
KEY = re.compile(r"\+{0,2}[A-Za-z_][\w./@:-]*", re.ASCII)
GAP = re.compile(r"^,|,,|,$")


def check_spelling(arguments: Sequence[str]) -> None:
    """Refuse what is neither an option nor an override.

    Raises:
        UserError: with what was meant, as far as that can be told.
    """
    before = ""
    for text in arguments:
        if text.startswith("-") and not text.lstrip("-").isdigit():
            _check_option(text.partition("=")[0])
        elif before not in TAKES_A_VALUE:
            _check_override(text, arguments)
        before = text


def _check_option(name: str) -> None:
    if name not in SWITCHES | TAKES_A_VALUE:
        setting = name.lstrip("-") or "seed"
        raise UserError(f"There is no option {name}. Settings are written without dashes: {setting}=VALUE.")


def _check_override(text: str, arguments: Sequence[str]) -> None:
    key, equals, value = text.partition("=")
    if text.startswith("~"):
        if not any(re.match(rf"\+{re.escape(key[1:])}[.=]", other) for other in arguments):
            raise UserError(f"{text}: no setting can be taken out. Give it another value, such as null.")
        return
    if not equals:
        raise UserError(f"{text}: settings are written KEY=VALUE, such as seed=0.")
    if not KEY.fullmatch(key):
        raise UserError(f"{text}: there is no setting '{key}'. `defectbench run --cfg job` shows all.")
    if GAP.search(value):
        raise UserError(
            f"{text}: a list with a gap. Write {key}={','.join(part for part in value.split(',') if part)}."
        )


def check_choice(override: Override) -> None:
    """Refuse what is no name of an option, where one is chosen.

    Raises:
        UserError: an empty value, null, a number, or a list in brackets.
    """
    group = override.key_or_group
    if override.is_sweep_override() or not (CONF / group).is_dir():
        return
    value, known = override.value(), sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if isinstance(value, list) and value:
        raise UserError(f"{group} is one name; several are swept over: -m {group}={','.join(map(str, value))}")
    if not isinstance(value, str) or not value:
        raise UserError(
            f"{override.input_line}: say a name, {group}=NAME.{'' if group == 'category' else ' ' + nearest('', known)}"
        )
    if group == "experiment" and value not in known:  # it may be absent, so that Hydra passes over one that is
        raise UserError(f"There is no experiment={value}. {nearest(value, known)}")

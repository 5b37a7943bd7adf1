"""YAML that somebody else may have written."""

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError


def read_foreign_yaml(path: Path) -> DictConfig:
    """A file that lies in a results folder. Aliases, of which a few lines can make more than any memory holds, are refused.

    Raises:
        UserError: it has aliases, or is no YAML of keys and values.
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise UserError(f"{path} refers to parts of itself (YAML aliases), which no run writes; it is not read.")
        found = OmegaConf.create(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, DictConfig):
        raise UserError(f"{path} holds no keys with values.")
    return found

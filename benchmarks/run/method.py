"""From a configuration to the method that it describes."""

from importlib import import_module
from typing import Any

from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.config.targets import instantiated, refuse_foreign_targets
from benchmarks.store.record import Record
from methods.contract import Method


def method_class(config: DictConfig) -> type[Method]:
    """The class that the method's YAML names.

    Raises:
        UserError: there is none of this name, or it is no method.
    """
    target = config.method.model._target_
    try:
        module, _, name = str(target).rpartition(".")
        found = getattr(import_module(module), name)
    except Exception as error:  # importing a module may raise anything
        raise UserError(f"{_file(config)}: model._target_={target} cannot be loaded: {_cause(error)}") from error
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"{_file(config)}: model._target_={target} is no Method.")
    return found


def sees_held_out(record: Record) -> bool:
    """Whether the method of a stored run itself uses the held-out images; False where `conf/` does not know its class."""
    target = record.identity["config"].get("method", {}).get("model", {}).get("_target_")
    config = OmegaConf.create({"method": {"name": record.method, "model": {"_target_": target}}})
    try:
        refuse_foreign_targets(config)  # a stored run may come from anywhere
        return method_class(config).sees_held_out()
    except UserError:
        return False


def make_method(config: DictConfig, **learnt: Any) -> Method:
    """The method as configured.

    Args:
        learnt: settings that only the data tell, such as the number of channels.

    Raises:
        UserError: the class takes other arguments than the method's YAML gives it.
        MethodError: the method itself refuses them.
    """
    settled = OmegaConf.merge(config, learnt)
    try:
        method: Method = instantiated(settled.method.model)
    except TypeError as error:
        raise UserError(f"{_file(config)}: its model cannot be made: {_cause(error)}") from error
    return method


def _file(config: DictConfig) -> str:
    return f"conf/method/{config.method.name}.yaml"


def _cause(error: Exception) -> str:
    return f"{str(error.__cause__ or error).rstrip('.')}."

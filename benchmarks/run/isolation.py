"""What a cell changes in its process is put back when it ends, however it ends: no cell of a sweep harms the next."""

import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader

PATCHED = ("__init__", "__setattr__", "__delattr__")
"""What Lightning patches while it makes a loader; an exception in between leaves the patch in place."""


@contextmanager
def isolated() -> Iterator[None]:
    """Run a block so that classes, signal handlers, random state, torch's settings, environment and warning filters are afterwards
    as they were."""
    with ExitStack() as stack:
        for kept in (_environment, _signal_handlers, _random_state, _torch_settings, _loader_classes):
            stack.enter_context(kept())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(torch.random.fork_rng())
        yield


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _signal_handlers() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    optional = (getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name))
    names = (signal.SIGINT, signal.SIGTERM, *optional)
    before = {name: signal.getsignal(name) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            if handler is not None:  # None: set from C, nothing that Python could set again
                signal.signal(name, handler)


@contextmanager
def _random_state() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _torch_settings() -> Iterator[None]:
    cudnn, dtype, grad = torch.backends.cudnn, torch.get_default_dtype(), torch.is_grad_enabled()
    flags = {name: getattr(cudnn, name) for name in ("allow_tf32", "benchmark", "deterministic", "enabled")}
    precision, deterministic = torch.get_float32_matmul_precision(), torch.get_deterministic_debug_mode()
    try:
        yield
    finally:
        for name, value in flags.items():
            setattr(cudnn, name, value)
        torch.set_float32_matmul_precision(precision)
        torch.set_deterministic_debug_mode(deterministic)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)


@contextmanager
def _loader_classes() -> Iterator[None]:
    classes = [DataLoader, BatchSampler, *_subclasses(DataLoader), *_subclasses(BatchSampler)]
    before = [{name: cls.__dict__[name] for name in PATCHED if name in cls.__dict__} for cls in classes]
    try:
        yield
    finally:
        for cls, own in zip(classes, before, strict=True):
            for name in PATCHED:
                if name in own:
                    setattr(cls, name, own[name])
                elif name in cls.__dict__:
                    delattr(cls, name)
                if f"__old{name}" in cls.__dict__:
                    delattr(cls, f"__old{name}")


def _subclasses(cls: type) -> Iterator[type]:
    below: type
    for below in cls.__subclasses__():
        yield below
        yield from _subclasses(below)

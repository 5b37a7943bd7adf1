"""What every method of anomaly maps must do: fit through the Trainer, map, be independent, survive its checkpoint."""

import re
from pathlib import Path
from typing import Any

import hydra.utils
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from benchmarks.config.catalogue import CONF, method_names
from methods.contract import Method
from tests.conftest import ACCELERATORS, TORCH_DEVICE, compose, needs_gpu

PX = 128
MAP_METHODS = method_names("texture", "object")
TINY = ["budget=smoke", "method.train.batch_size=4", "method.train.epochs=1"]


def config_of(name: str) -> Any:
    """The method's own configuration, for the first kind of category that it takes, at a small size."""
    inputs = compose(f"method={name}").method.inputs
    kind = next(iter(inputs))
    overrides = [
        f"method={name}",
        f"category={'wood' if kind == 'texture' else 'bottle'}",
        f"method.inputs.{kind}.px={PX}",
    ]
    config = compose(*TINY[:1], *overrides)
    channels = 1 if inputs[kind].colour == "gray" else 3
    offline = {"method": {"weights": "random"}} if "weights" in config.method else {}
    return OmegaConf.merge(config, {"channels": channels}, offline)


def images(channels: int, count: int = 6) -> torch.Tensor:
    """A disc on a ground with a little noise: an object that can be aligned and a texture that has structure."""
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(PX), torch.arange(PX), indexing="ij")
    disc = ((y - 64).square() + 1.4 * (x - 60).square() < 40**2).float() * 0.6 + 0.2
    return (disc + 0.05 * torch.randn(count, channels, PX, PX, generator=generator)).clamp(0, 1)


def fitted(config: Any, accelerator: str = "cpu", **settings: Any) -> Method:
    pl.seed_everything(0, verbose=False)
    method: Method = hydra.utils.instantiate(config.method.model)
    trainer = pl.Trainer(
        accelerator=accelerator, devices=1, deterministic=True, max_epochs=1,
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, **settings,
    )  # fmt: skip
    train = _shaped(images(config.channels), config)
    loaders = [
        DataLoader(train, batch_size=3, collate_fn=torch.stack),
        DataLoader(train[:2], 2, collate_fn=torch.stack),
    ]
    trainer.fit(method, *loaders)
    return method.eval().to(TORCH_DEVICE[accelerator])


def _shaped(images_BCHW: torch.Tensor, config: Any) -> Any:
    """Training images at the size of the method's training patches."""
    patch = config.input.patch
    return list(images_BCHW[..., :patch, :patch] if patch else images_BCHW)


def predicted(method: Method, images_BCHW: torch.Tensor) -> list[torch.Tensor]:
    """Maps as a run makes them, on the method's device, and its own image scores if it has any."""
    with torch.no_grad():
        found = method.predict_step(images_BCHW.to(method.device))
    return [found] if isinstance(found, torch.Tensor) else list(found)


def maps(method: Method, images_BCHW: torch.Tensor) -> torch.Tensor:
    return predicted(method, images_BCHW)[0]


def same(found: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, found, others))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accelerator", ACCELERATORS)
@pytest.mark.parametrize("name", MAP_METHODS)
def test_contract(name: str, accelerator: str, tmp_path: Path) -> None:
    config = config_of(name)
    method, test = fitted(config, accelerator), images(config.channels, 3)
    found = predicted(method, test)
    assert [part.shape for part in found] == [(3, PX, PX), (3,)][: len(found)]
    assert all(part.dtype == torch.float32 and torch.isfinite(part).all() for part in found)

    alone = [predicted(method, test[index : index + 1]) for index in (2, 0)]
    for part, *parts in zip(found, *alone, strict=True):
        torch.testing.assert_close(part[[2, 0]], torch.cat(parts), atol=1e-4, rtol=1e-4, msg="depends on the batch")

    torch.save(method.state_dict(), tmp_path / "state.pt")
    reloaded: Method = hydra.utils.instantiate(config.method.model)
    reloaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(predicted(reloaded.eval().to(method.device), test), found), "a reloaded method gives other maps"

    assert same(predicted(fitted(config, accelerator), test), found), "the same seed gives other maps"
    assert all(isinstance(value, str | int | float) for value in method.facts().values())


@needs_gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MAP_METHODS)
def test_a_gpu_maps_as_the_cpu_does(name: str) -> None:
    config = config_of(name)
    method, test = fitted(config), images(config.channels, 3)
    expected = maps(method, test)
    found = maps(method.cuda(), test).cpu()
    torch.testing.assert_close(found, expected, atol=2e-4 * expected.abs().max().item(), rtol=2e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accelerator", ACCELERATORS)
@pytest.mark.parametrize("name", ["ae_l2", "ae_ssim", "anogan"])
def test_trained_in_half_precision_maps_are_still_made_in_float32(name: str, accelerator: str) -> None:
    """The same start, so maps after three steps are about alike; in bfloat16 they would have steps of 1/256."""
    if name == "anogan" and accelerator == "cpu":
        pytest.skip("AnoGAN's steps in bfloat16 take a minute on a CPU without it")
    config = config_of(name)
    half, full = (fitted(config, accelerator, precision=precision) for precision in ("bf16-mixed", "32-true"))
    test = images(config.channels, 2)
    with torch.autocast(TORCH_DEVICE[accelerator], torch.bfloat16):
        found = maps(half, test)
    assert torch.equal(found, maps(half, test)), "autocast changes maps"
    assert found.dtype == torch.float32
    assert 0 < (found - maps(full, test)).abs().mean() < 0.1 * found.mean()


MARKS = {"modern": "paper|code|ours"}  # of its own paper; else, of the paper whose table is replicated:
MARKS_ELSE = "stated|code|ours"


@pytest.mark.parametrize("name", method_names())
def test_every_value_in_the_yaml_is_marked_and_the_file_says_what_it_reproduces(name: str) -> None:
    path = CONF / "method" / f"{name}.yaml"
    lines = path.read_text().splitlines()
    head = "\n".join(line for line in lines[:4] if line.startswith("#"))
    assert f"methods/{OmegaConf.load(path).model._target_.split('.')[1]}.py" in head.splitlines()[0], (
        f"{path}: the first line is a comment that says what the method is, and the file that it lies in, methods/FILE.py"
    )
    assert "Cost" in head, (
        f"{path}: a comment in the first four lines says what it costs: `# Cost: minutes on two CPU cores.`"
    )
    marks = MARKS.get(OmegaConf.load(path).family, MARKS_ELSE)
    unmarked = [line for line in lines if _has_a_number(line) and not re.search(rf"#.*\b({marks})\b", line)]
    assert unmarked == [], f"{path}: each number says where it comes from, in a comment with one of {marks}"


def _has_a_number(line: str) -> bool:
    """Whether a line sets a value that is or holds a number; names do not count."""
    key, colon, value = line.split("#")[0].partition(":")
    return (
        bool(colon)
        and key.strip() not in {"name", "title", "_target_"}
        and any(character.isdigit() for character in value)
    )

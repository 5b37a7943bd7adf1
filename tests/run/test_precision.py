"""`trainer=cpu_fast` on processors with and without bfloat16."""

from pathlib import Path
from typing import Any

import hydra.utils
import pytest
import torch

from benchmarks.config.catalogue import options
from benchmarks.config.compose import composed
from benchmarks.run import precision
from benchmarks.run.precision import processor_has_bfloat16, settle_precision
from methods.ae import Autoencoder
from methods.anogan import AnoGAN

PLAIN, AMX = "fpu avx avx2 fma avx512f", "fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile"


def processor(path: Path, flags: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(f"processor\t: 0\nmodel name\t: bf16 Processor\nflags\t\t: {flags}\n")
    monkeypatch.setattr(precision, "CPUINFO", path)


@pytest.mark.parametrize(("flags", "expected"), [(PLAIN, "32-true"), (AMX, "bf16-mixed")])
def test_bfloat16_only_where_the_processor_computes_it(
    flags: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    processor(tmp_path / "cpuinfo", flags, monkeypatch)
    config = composed(["trainer=cpu_fast"])
    settle_precision(config)
    assert config.trainer.precision == expected
    assert ("does not compute bfloat16" in caplog.text) == (flags == PLAIN)


def test_other_trainers_stay_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "absent")
    assert not processor_has_bfloat16()
    for name, expected in (("cpu", "32-true"), ("gpu_fast", "bf16-mixed")):
        config = composed([f"trainer={name}"])
        settle_precision(config)
        assert config.trainer.precision == expected


TRAINED = [name for name, config in options("method").items() if "epochs" in config.train]
DIGITS, TABLE = ["benchmark=mnist"], ["benchmark=creditcard", "category=loans", "columns=7"]
SMALL: dict[str, tuple[list[str], tuple[int, ...]]] = {
    "ae_l2": (["category=grid", "channels=1", "method.model.latent=8"], (1, 128, 128)),
    "ae_ssim": (["category=grid", "channels=1", "method.model.latent=8"], (1, 128, 128)),
    "anogan": (["category=grid", "channels=1", "method.model.px=32", "method.model.width=4"], (1, 32, 32)),
    "conv_ae": (DIGITS, (1, 28, 28)),
    "dense_ae": (DIGITS, (1, 28, 28)),
    "tabular_ae": (TABLE, (7,)),
}
FEATURES = (["category=grid", "method.weights=random"], (3, 32, 32))


def losses(method: Any, samples: torch.Tensor) -> list[torch.Tensor]:
    if isinstance(method, AnoGAN):
        z_BD = torch.zeros(len(samples), method.latent)
        return [method.discriminator_loss(samples, z_BD), method.generator_loss(z_BD)]
    return [method.loss(samples, method(samples)) if isinstance(method, Autoencoder) else method.loss(samples)]


def scalar_types(loss: torch.Tensor) -> set[torch.dtype]:
    """Types of the loss and of all scalars that it is made of, by the graph of its gradients."""
    found, waiting, seen = {loss.dtype}, [loss.grad_fn], set[Any]()
    while waiting:
        node: Any = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found |= {made.dtype for made in node._input_metadata if made is not None and not len(made.shape)}
            waiting += [before for before, _ in node.next_functions]
    return found


@pytest.mark.filterwarnings("ignore:.*RANDOM weights")
@pytest.mark.parametrize("name", TRAINED)
def test_losses_of_a_bfloat16_network_are_float32(name: str) -> None:
    """And so are their terms: in bfloat16 a mean near 1 moves by steps of 1/256."""
    overrides, shape = SMALL.get(name, FEATURES)
    torch.manual_seed(0)
    method = hydra.utils.instantiate(composed([f"method={name}", *overrides]).method.model)
    samples = torch.rand(2, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses(method, samples)
    assert set.union(*map(scalar_types, found)) == {torch.float32}


def test_maps_under_autocast_are_float32() -> None:
    method = hydra.utils.instantiate(composed(["method=ae_l2", *SMALL["ae_l2"][0]]).method.model)
    with torch.autocast("cpu", torch.bfloat16):
        assert method.predict_step(torch.rand(1, 1, 128, 128)).dtype == torch.float32

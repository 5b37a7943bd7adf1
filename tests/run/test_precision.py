"""`trainer=cpu_fast` on processors with and without bfloat16."""

from pathlib import Path

import pytest
import torch

from benchmarks.config.compose import composed
from benchmarks.run import precision
from benchmarks.run.precision import processor_has_bfloat16, settle_precision
from methods.ae import AutoencoderL2, AutoencoderSSIM

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


@pytest.mark.parametrize("method_class", [AutoencoderL2, AutoencoderSSIM])
def test_losses_of_a_bfloat16_network_are_float32(method_class: type) -> None:
    extra = {"window": 11, "sigma": 1.5, "constants": (1e-4, 9e-4)} if method_class is AutoencoderSSIM else {}
    method = method_class(
        channels=1,
        px=128,
        latent=8,
        stride=128,
        learning_rate=1e-4,
        weight_decay=0,
        last_layer=1,
        output_start=0.5,
        **extra,
    )
    images = torch.rand(1, 1, 128, 128)
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.loss(images, images.to(torch.bfloat16))
        map_BHW = method.predict_step(images)
    assert loss.dtype == map_BHW.dtype == torch.float32

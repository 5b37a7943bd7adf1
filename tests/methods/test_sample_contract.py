"""What every method of single samples must do: fit through the Trainer, score, be independent, survive its checkpoint."""

from pathlib import Path
from typing import Any

import hydra.utils
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from benchmarks.config.catalogue import method_names
from methods.contract import SampleMethod
from tests.conftest import ACCELERATORS, TORCH_DEVICE, compose

COLUMNS = 12
BENCHMARKS = {"digit": "mnist", "table": "creditcard"}
CASES = [(name, kind) for kind in BENCHMARKS for name in method_names(kind)]


def config_of(name: str, kind: str) -> Any:
    config = compose(f"benchmark={BENCHMARKS[kind]}", f"method={name}", "budget=smoke")
    return OmegaConf.merge(config, {"columns": COLUMNS})


def samples(kind: str, count: int, seed: int = 3) -> torch.Tensor:
    """Rows or pictures that vary in a few directions only, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 28, 28) if kind == "digit" else (COLUMNS,)
    directions = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    values = torch.tensordot(torch.randn(count, 4, generator=generator), directions, 1)
    return values.sigmoid() if kind == "digit" else values


def fitted(config: Any, kind: str, accelerator: str) -> SampleMethod:
    pl.seed_everything(0, verbose=False)
    method: SampleMethod = hydra.utils.instantiate(config.method.model)
    trainer = pl.Trainer(
        accelerator=accelerator, devices=1, deterministic=True, max_epochs=1,
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(method, DataLoader(list(samples(kind, 40)), batch_size=16, collate_fn=torch.stack))
    return method.eval().to(TORCH_DEVICE[accelerator])


@torch.no_grad()
def scores(method: SampleMethod, values: torch.Tensor) -> torch.Tensor:
    return method.anomaly_score(values.to(method.device))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accelerator", ACCELERATORS)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_contract(name: str, kind: str, accelerator: str, tmp_path: Path) -> None:
    config = config_of(name, kind)
    method, test = fitted(config, kind, accelerator), samples(kind, 5, seed=4)
    found = scores(method, test)
    assert found.shape == (5,) and found.dtype == torch.float32 and torch.isfinite(found).all()
    torch.testing.assert_close(method.predict_step(test.to(method.device)), found)

    alone = torch.cat([scores(method, test[index : index + 1]) for index in (2, 0)])
    torch.testing.assert_close(found[[2, 0]], alone, atol=1e-6, rtol=1e-4, msg="a score depends on its batch")

    torch.save(method.state_dict(), tmp_path / "state.pt")
    reloaded: SampleMethod = hydra.utils.instantiate(config.method.model)
    reloaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(scores(reloaded.eval().to(method.device), test), found), "a reloaded method gives other scores"

    assert torch.equal(scores(fitted(config, kind, accelerator), test), found), "the same seed gives other scores"
    far = 10 * samples(kind, 5, seed=5) if kind == "table" else 1 - test.round()
    assert scores(method, far).mean() > found.mean(), "what is far from the training samples scores lower"

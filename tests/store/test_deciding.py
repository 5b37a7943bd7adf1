"""Each setting can change a run's numbers or cannot: this table says which, and the identity must agree."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.config.compose import composed
from benchmarks.config.overrides import is_on
from benchmarks.config.targets import refuse_foreign_overrides
from benchmarks.store.identity import Identity

AE = ["method=ae_l2", "category=bottle"]
VARIATION = ["method=variation_model", "category=bottle"]
STFPM = ["method=stfpm", "category=bottle"]
STALE, FRESH = True, False
TABLE: list[tuple[list[str], str, bool]] = [
    (AE, "seed=1", STALE),
    (AE, "method.model.latent=50", STALE),
    (AE, "method.train.epochs=3", STALE),
    (AE, "budget.epochs=3", STALE),
    (AE, "budget.samples=100", STALE),
    (AE, "category.augmentation.rotation_deg=1", STALE),
    (AE, "protocol.minimum_area=0.002", STALE),
    (AE, "protocol.validation_share=0.2", STALE),
    (AE, "protocol.aupro_limit=0.2", STALE),
    (AE, "protocol.threshold=quantile:0.9", STALE),
    (AE, "trainer.precision=bf16-mixed", STALE),
    (AE, "category.kind=texture", STALE),
    (AE, "category.augmentation.reason=other words", FRESH),
    (AE, "category.alignment.max_shift=0.3", FRESH),
    (AE, "method.title=Other", FRESH),
    (AE, "method.predict_batch_size=1", FRESH),
    (AE, "method.inputs.texture.px=256", FRESH),
    (AE, "budget.search_steps=1", FRESH),
    (AE, "budget.patches=1", FRESH),
    (AE, "budget.gan_epochs=1", FRESH),
    (AE, "budget.name=other", FRESH),
    (AE, "protocol.folds=7", FRESH),
    (AE, "channels=3", FRESH),
    (AE, "data.cache_dir=null", FRESH),
    (AE, "save_maps=true", FRESH),
    (AE, "logger=none", FRESH),
    (AE, "threads=1", FRESH),
    (AE, "force=true", FRESH),
    (STFPM, "method.model.learning_rate=0.1", STALE),
    (STFPM, "method.model.feature_cache_mib=0", FRESH),
    (VARIATION, "category.alignment.max_shift=0.3", STALE),
    (VARIATION, "method.model.deviation_floor=6", STALE),
    (VARIATION, "category.alignment.reason=other words", FRESH),
    (VARIATION, "category.augmentation.rotation_deg=1", FRESH),
    (VARIATION, "budget.epochs=1", FRESH),
    (VARIATION, "budget.samples=1", FRESH),
]


def identity(overrides: list[str]) -> Identity:
    settled = OmegaConf.merge(composed(overrides), {"channels": None, "columns": None})
    config: Any = OmegaConf.to_container(settled, resolve=True)
    return Identity(config, train_data="", code={}, versions={})


@pytest.mark.parametrize(
    ("cell", "override", "counts"), TABLE, ids=lambda part: str(part) if isinstance(part, str) else ""
)
def test_a_setting_counts_if_it_can_change_a_number(cell: list[str], override: str, counts: bool) -> None:
    before = identity(cell)
    changes = identity([*cell, override]).changes(
        {"config": before.config, "train_data": "", "code": {}, "versions": {}}
    )
    assert bool(changes) == counts, changes


def test_auto_stands_for_what_there_was_but_a_named_accelerator_does_not() -> None:
    ran = {"config": identity([*AE, "trainer=cpu"]).config, "train_data": "", "code": {}, "versions": {}}
    assert identity([*AE, "trainer=auto"]).changes(ran) == []
    assert identity([*AE, "trainer=gpu"]).changes(ran) == ["trainer.accelerator cpu -> gpu"]


@pytest.mark.parametrize(
    "override",
    ["benchmark._target_=pandas.read_pickle", "method.model._target_=os.system", "+method._target_=os.system",
     "+category.x={_target_:os.system,command:touch}", "logger._target_=benchmarks.run.images.Defects"],
)  # fmt: skip
def test_only_targets_of_conf_are_composed(override: str) -> None:
    with pytest.raises(UserError, match="no other is ever called"):
        composed([*AE, override])


def test_hydra_s_own_targets_are_refused_before_it_starts() -> None:
    for override in ("hydra.launcher._target_=os.system", "+hydra.callbacks.x={_target_:os.system}"):
        with pytest.raises(UserError, match="no other is ever called"):
            refuse_foreign_overrides([override])
    refuse_foreign_overrides(["-m", "method=ae_l2", "method.model._target_=methods.ae.AutoencoderL2"])


def test_on_and_off_are_spelt_in_any_way() -> None:
    assert all(is_on("force", value) for value in (True, 1, "yes", "True", "on"))
    assert not any(is_on("force", value) for value in (False, 0, "no", "off"))
    with pytest.raises(UserError, match="force=maybe"):
        is_on("force", "maybe")

"""Values that no run can use are refused before anything is touched."""

import pytest

from benchmarks.common.errors import UserError
from benchmarks.run.settings import check
from tests.conftest import compose

CELL = ["method=ae_l2", "data=folder", "data.root=d", "category=parts"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("method.train.batch_size=0", "method.train.batch_size=0: it must be a whole number from 1 on"),
        ("method.train.batch_size=null", "method.train.batch_size=None: it cannot be null"),
        ("category.augmentation=null", "category.augmentation=None: it cannot be null"),
        ("category.kind=objects", "category.kind=objects: it is one of texture, object, digit, table"),
        ("method.inputs.object.patch=big", "input.patch=big: it must be a whole number from 1 on"),
        ("method.predict_batch_size=-3", "method.predict_batch_size=-3: it must be a whole number from 1 on"),
        ("method.train.epochs=2.5", "method.train.epochs=2.5: it must be a whole number from 1 on"),
        ("budget.epochs=-1", "budget.epochs=-1: it must be"),
        ("input.px=0", "input.px=0: it must be"),
        ("input.fit=stretch", "input.fit=stretch: it is one of squash, pad, crop"),
        ("input.colour=blue", "input.colour=blue: it is one of gray, rgb, as_file"),
        ("input.bits=99", "input.bits=99: it is a number of bits from 1 to 16"),
        ("protocol.validation_share=1", "protocol.validation_share=1: it is a share of the good images"),
        ("protocol.validation_share=nan", "protocol.validation_share=nan: it must be a finite number"),
        ("protocol.aupro_limit=inf", "protocol.aupro_limit=inf: it must be a finite number"),
        ("protocol.folds=1", "protocol.folds=1: it must be a whole number from 2 on"),
        ("data.layout.test_share=2", "data.layout.test_share=2: it is a share"),
        ("data.layout.test_seed=-1", "data.layout.test_seed=-1: it must be a whole number from 0 on"),
        ("score_at_epochs=[0]", "score_at_epochs: 0 is no epoch"),
        ("trainer.accelerator=tpu", "trainer.accelerator=tpu: it is one of auto, cpu, gpu"),
        (
            "category.augmentation.mirror=[horizontal,left_right]",
            "category.augmentation.mirror.1=left_right: it is one of horizontal, vertical",
        ),
        ("category.augmentation.mirror=null", "category.augmentation.mirror=None: it is one of horizontal, vertical"),
        (
            "category.augmentation.border=wrap",
            "category.augmentation.border=wrap: it is one of border, reflection, zeros",
        ),
        ("category.augmentation.border=null", "category.augmentation.border=None: it is one of border"),
        (
            "category.augmentation.rotation_deg=abc",
            "category.augmentation.rotation_deg=abc: it is an angle in degrees, from 0 to 180",
        ),
        ("category.augmentation.rotation_deg=-5", "category.augmentation.rotation_deg=-5: it is an angle"),
        ("category.augmentation.translation=2", "category.augmentation.translation=2: it is a share of the image side"),
        ("category.alignment.max_angle_deg=true", "category.alignment.max_angle_deg=True: it is an angle"),
        ("category.alignment.max_shift=-0.1", "category.alignment.max_shift=-0.1: it is a share of the image side"),
        ("results.dir=null", "results.dir=None: it must name a folder"),
        ("results.dir=''", "results.dir=: it must name a folder"),
        ("data.root=''", "data.root=: it must name a folder"),
        ("data.cache_dir=5", "data.cache_dir=5: it must name a folder. Quote a number"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_it_takes(override: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        check(compose(*CELL, override))
    assert str(refused.value).startswith(words)

"""bfloat16 on a CPU: only a processor that computes it trains faster with it, another one trains several times slower."""

import logging
from pathlib import Path

from omegaconf import DictConfig

log = logging.getLogger(__name__)

CPUINFO = Path("/proc/cpuinfo")
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # Intel and AMD; ARM
FLOAT32 = "32-true"


def settle_precision(config: DictConfig) -> None:
    """Train in float32 on a processor without bfloat16, and say so; the record then says float32, too."""
    trainer = config.trainer
    if trainer.accelerator == "cpu" and trainer.precision == "bf16-mixed" and not processor_has_bfloat16():
        log.warning(
            "trainer.precision=bf16-mixed: this processor does not compute bfloat16 (no avx512_bf16, amx_bf16), so it trains in "
            "float32, as with trainer=cpu."
        )
        trainer.precision = FLOAT32


def processor_has_bfloat16() -> bool:
    """Whether the system says that the processor multiplies bfloat16 numbers; False where it says nothing."""
    try:
        text = CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return False
    return any(
        not FLAGS.isdisjoint(line.split())
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
    )

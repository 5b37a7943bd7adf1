"""The methods that were run on a folder, each with what its scores say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.choose.auroc import same_auroc_p, wins
from benchmarks.protocol.decision import Share
from benchmarks.protocol.paired import SignTest, sign_test
from benchmarks.store.record import SCORES, Record, Result
from benchmarks.store.runs import RunStore
from benchmarks.store.scores import deciding_column


@dataclass(frozen=True)
class StandInResult:
    """Whether one drawn defect was found."""

    kind: str
    size: float
    contrast: float
    found: bool
    score: float


@dataclass(frozen=True)
class Contender:
    """One method on this folder. Without bad parts `found` is of drawn defects, a stand-in."""

    method: str
    title: str
    record: Record
    folder: Path
    scores: pd.DataFrame
    """Of held-out and test images, as in scores.csv."""
    stand_ins: tuple[StandInResult, ...] = ()
    inspect_ms: float | None = None
    """What its inspector takes for an image, from file to verdict."""

    @property
    def result(self) -> Result:
        """What was measured; only finished runs become contenders."""
        assert self.record.result is not None
        return self.record.result

    @property
    def milliseconds(self) -> float:
        """Per image: of its inspector, or of its maps alone where no inspector was asked."""
        return self.inspect_ms if self.inspect_ms is not None else self.result.ms_per_image or 0.0

    @property
    def threshold(self) -> float:
        """Of the score that decides."""
        return self.result.deciding_threshold

    @property
    def sees_held_out(self) -> bool:
        """Whether it uses the held-out images itself, so that its threshold promises nothing."""
        from benchmarks.run.method import sees_held_out  # torch, which a mistyped folder is spared

        return sees_held_out(self.record)

    @property
    def test(self) -> pd.DataFrame:
        """The test images: path, defect_type, defective and the deciding `score`."""
        table = self.scores[self.scores["split"] == "test"]
        return table.assign(score=table[deciding_column(self.result)].astype(float))

    @property
    def false_alarms(self) -> Share | None:
        """Good test images that raise an alarm; None without any."""
        good = self.test[~self.test["defective"]]
        return Share.of(int((good["score"] > self.threshold).sum()), len(good)) if len(good) else None

    @property
    def found(self) -> Share | None:
        """Bad parts that are found, or drawn defects where there are none; None without either."""
        bad = self.test[self.test["defective"]]
        if len(bad):
            return Share.of(int((bad["score"] > self.threshold).sum()), len(bad))
        return Share.of(sum(r.found for r in self.stand_ins), len(self.stand_ins)) if self.stand_ins else None

    @property
    def is_faultless(self) -> bool:
        """Whether it finds all and raises no false alarm, so that no other method can do better on these images."""
        found, alarms = self.found, self.false_alarms
        return bool(found and alarms and found.correct == found.total and not alarms.correct)

    def found_by_kind(self) -> dict[str, Share]:
        """The same for each kind of defect."""
        bad = self.test[self.test["defective"]]
        if not len(bad):
            kinds = dict.fromkeys(result.kind for result in self.stand_ins)
            parts = {kind: [r.found for r in self.stand_ins if r.kind == kind] for kind in kinds}
        else:
            parts = {str(kind): list(part["score"] > self.threshold) for kind, part in bad.groupby("defect_type")}
        return {kind: Share.of(int(sum(found)), len(found)) for kind, found in parts.items()}

    @property
    def right_N(self) -> NDArray[np.bool_]:
        """Whether each test image was decided correctly."""
        test = self.test
        return ((test["score"] > self.threshold) == test["defective"]).to_numpy(dtype=bool)

    @property
    def wins_DG(self) -> NDArray[np.float64]:
        """Whether each drawn defect scores above each good test image."""
        good = self.test[~self.test["defective"]]
        return wins(good["score"].to_numpy(float), np.array([result.score for result in self.stand_ins]))

    @property
    def auroc(self) -> float | None:
        """Of bad parts against good test images, or of drawn defects where there are none; None without either."""
        if self.stand_ins:
            return float(self.wins_DG.mean())
        return self.result.image.auroc if self.result.image else None

    @property
    def quality(self) -> tuple[float, float, float]:
        """What contenders are ranked by: found minus false alarms, then AUROC, then speed.

        By drawn defects the AUROC comes first: its order agrees with that on real defects, that of the shares found does not
        (results/README.md).
        """
        found, alarms, auroc = self.found, self.false_alarms, self.auroc or 0.0
        balance = (found.ratio if found else 0.0) - (alarms.ratio if alarms else 0.0)
        return (auroc, balance, -self.milliseconds) if self.stand_ins else (balance, auroc, -self.milliseconds)


def contender(store: RunStore, record: Record, title: str, stand_ins: Sequence[StandInResult] = ()) -> Contender:
    """What a finished run of the store says."""
    folder = store.folder(record.cell)
    scores = pd.read_csv(folder / SCORES, dtype={"path": str, "defect_type": str}, keep_default_na=False)
    return Contender(record.method, title, record, folder, scores, tuple(stand_ins))


def ranked(contenders: Sequence[Contender]) -> list[Contender]:
    """Best first."""
    return sorted(contenders, key=lambda one: one.quality, reverse=True)


def paired(best: Contender, other: Contender) -> SignTest:
    """Exact test over the images that both decided, `other` against `best`."""
    return sign_test(other.right_N[None], best.right_N[None])


def p_of_alike(best: Contender, other: Contender) -> float:
    """Probability of their difference by chance, in what they are ranked by: decisions, or the AUROC of drawn defects."""
    return same_auroc_p(best.wins_DG, other.wins_DG) if best.stand_ins else paired(best, other).p

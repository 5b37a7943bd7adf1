"""The answer in plain words: which method, how sure that is, what it promises, and what it misses."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.choose.contenders import Contender, p_of_alike, paired, ranked
from benchmarks.protocol.decision import Share

SIGNIFICANCE = 0.05
USABLE = 0.5
"""Ours: a method that finds fewer than half of the bad parts is not called good enough."""
DRAWN = (
    "Many of the drawn defects are tiny or faint on purpose, so the share that is found says little about real ones; "
    "the order of the methods, by the AUROC of their scores of drawn defects against good test images, says more."
)
ONLY = "It is the only method that ran: give it more --minutes to compare it with others."
LIGHT = "The good test images differ from the training images: look at their light, position and focus."


@dataclass(frozen=True)
class Promise:
    """What the thresholds promise about false alarms, but for methods that use the held-out images themselves."""

    alpha: float
    """The threshold's level."""
    asked: float
    """What was asked for; lower than `alpha` where there are too few good images for it."""
    bound: float
    """The proven bound on the false-alarm rate of a new good part."""
    held_out: int


@dataclass(frozen=True)
class Answer:
    """What `choose` says. `best` is None where no method is good enough."""

    ranking: tuple[Contender, ...]
    best: Contender | None
    """The first of the ranking that is good enough."""
    equals: tuple[Contender, ...]
    """Those below the shown one that cannot be told apart from it."""
    promise: Promise
    stand_in: bool
    sentences: tuple[str, ...]

    @property
    def shown(self) -> Contender:
        """The method that the sentences and the page are of: the best, or the first of the ranking where none is good enough."""
        return self.best or self.ranking[0]


def answer(contenders: Sequence[Contender], promise: Promise, stand_in: bool) -> Answer:
    """Rank what has been run and say it.

    Args:
        stand_in: there was no bad part, so that defects were drawn into good images.
    """
    ranking = ranked(contenders)
    usable = [place for place, one in enumerate(ranking) if not _fault(one, stand_in, promise)]
    place = usable[0] if usable else 0
    passed_over, shown, rest = ranking[:place], ranking[place], ranking[place + 1 :]
    best = shown if usable else None
    equals = tuple(one for one in rest if p_of_alike(shown, one) > SIGNIFICANCE)
    sentences = [_verdict(shown, best, stand_in, promise)]
    sentences += _comparison(shown, rest, equals) if len(ranking) > 1 else [ONLY]
    sentences += [f"Passed over: {one.title}, which {_fault(one, stand_in, promise)}." for one in passed_over]
    sentences += [DRAWN] if stand_in else []
    sentences += [_false_alarms(shown, promise), *_kinds(shown, stand_in), _speed(shown)]
    return Answer(tuple(ranking), best, equals, promise, stand_in, tuple(sentences))


def _fault(one: Contender, stand_in: bool, promise: Promise) -> str:
    """Why a method is not good enough; empty if it is."""
    if one.found is None:
        return "has nothing to find"
    if not _finds_enough(one.found, stand_in, promise):
        return f"finds only {_share(one.found)} of the {_things(stand_in)}"
    if one.false_alarms is None or one.false_alarms.interval[0] <= promise.bound:  # no more than chance explains
        return ""
    allowed = "is allowed" if one.sees_held_out else "its threshold promises"
    return (
        f"raises false alarms on {_share(one.false_alarms)} of the good test images, more than the {percent(promise.bound)} "
        f"that {allowed}"
    )


def _finds_enough(found: Share, stand_in: bool, promise: Promise) -> bool:
    """At least half of the bad parts; of drawn defects, more than its false alarms explain."""
    return found.interval[0] > promise.bound if stand_in else found.ratio >= USABLE


def _things(stand_in: bool) -> str:
    return "drawn defects (a stand-in, not real ones)" if stand_in else "bad parts"


def _verdict(shown: Contender, best: Contender | None, stand_in: bool, promise: Promise) -> str:
    if shown.found is None:
        return f"{shown.title} ran, but there is neither a bad part nor a drawn defect to judge it by."
    if best is not None:
        return f"Use {best.title}: it finds {_share(shown.found)} of the {_things(stand_in)}."
    said = f"None is good enough: the best, {shown.title}, {_fault(shown, stand_in, promise)}."
    return f"{said} {LIGHT}" if _finds_enough(shown.found, stand_in, promise) else said


def _comparison(shown: Contender, rest: Sequence[Contender], equals: Sequence[Contender]) -> list[str]:
    said = []
    if equals:
        names = ", ".join(one.title for one in equals)
        said.append(f"It cannot be told apart from {names}: {_within_chance(shown)}.")
    if rest and rest[0] not in equals:
        said.append(f"Runner-up: {rest[0].title}, {_behind(shown, rest[0])}.")
    return said


def _within_chance(shown: Contender) -> str:
    if shown.stand_ins:
        drawn, good = shown.wins_DG.shape
        return (
            f"on the scores of {drawn} drawn defects and {good} good test images the differences of AUROC are within chance "
            "(DeLong's test)"
        )
    return f"on {len(shown.right_N)} decided images their differences are within chance (paired sign test)"


def _behind(shown: Contender, runner_up: Contender) -> str:
    if shown.stand_ins:
        return (
            f"with an AUROC of {runner_up.auroc:.3f} on drawn defects, not {shown.auroc:.3f} "
            f"(DeLong's test, p = {p_of_alike(shown, runner_up):.2g})"
        )
    test = paired(shown, runner_up)
    return f"which decides {test.better} images worse and {test.worse} better (paired sign test, p = {test.p:.2g})"


def _false_alarms(shown: Contender, promise: Promise) -> str:
    asked = (
        f", not the {percent(promise.asked)} that was asked for, which takes more good images"
        if promise.alpha > promise.asked
        else ""
    )
    proven = (
        "nothing is proven, as the method uses the held-out images itself"
        if shown.sees_held_out
        else f"proven from {promise.held_out} good images is at most {percent(promise.bound)}"
    )
    said = f"False-alarm rate: the threshold is set for {percent(promise.alpha)} of new good parts{asked}; {proven}"
    measured = shown.false_alarms
    if measured is None:
        return f"{said}. Not measured, as no good image was left for testing."
    return f"{said}. Measured on the good test images: {_share(measured)}."


def _kinds(shown: Contender, stand_in: bool) -> list[str]:
    kinds = shown.found_by_kind()
    if len(kinds) < 2:
        return []
    listed = "; ".join(f"{kind} {share.correct} of {share.total}" for kind, share in kinds.items())
    return [f"Found by kind{' of drawn defect' if stand_in else ''}: {listed}."]


def _speed(shown: Contender) -> str:
    result = shown.result
    memory = f", {result.peak_memory_mib / 1024:.1f} GiB of memory" if result.peak_memory_mib else ""
    return f"Cost here: {shown.milliseconds:.0f} ms per image{memory}, fitted in {result.fit_seconds or 0:.0f} s."


def percent(rate: float) -> str:
    """With three digits: 1 in 49 is not 2 %."""
    return f"{100 * rate:.3g}\u00a0%"


def _share(share: Share) -> str:
    low, high = share.interval
    return (
        f"{share.correct} of {share.total} ({_whole(share.ratio)}, 95\u00a0% interval {_whole(low)} to {_whole(high)})"
    )


def _whole(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"

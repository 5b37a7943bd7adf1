"""The answer in plain words: which method, how sure that is, what it promises, and what it misses."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.choose.contenders import Contender, paired, ranked
from benchmarks.protocol.decision import Share

SIGNIFICANCE = 0.05
USABLE = 0.5
"""Ours: a method that finds fewer than half of the bad parts is not called good enough."""
DRAWN = (
    "Many of the drawn defects are tiny or faint on purpose, so the share that is found says little about real ones; "
    "the order of the methods says more."
)


@dataclass(frozen=True)
class Promise:
    """What the thresholds promise about false alarms."""

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
    equals: tuple[Contender, ...]
    """Those that cannot be told apart from the first of the ranking."""
    promise: Promise
    stand_in: bool
    sentences: tuple[str, ...]


def answer(contenders: Sequence[Contender], promise: Promise, stand_in: bool) -> Answer:
    """Rank what has been run and say it.

    Args:
        stand_in: there was no bad part, so that defects were drawn into good images.
    """
    ranking = ranked(contenders)
    first, rest = ranking[0], ranking[1:]
    equals = tuple(one for one in rest if paired(first, one).p > SIGNIFICANCE)
    best = first if _finds_enough(first, stand_in, promise) and _keeps(first, promise) else None
    sentences = [_verdict(first, best, stand_in, promise), *_comparison(first, rest, equals)]
    sentences += [DRAWN] if stand_in else []
    sentences += [_false_alarms(first, promise), *_kinds(first, stand_in), _speed(first)]
    return Answer(tuple(ranking), best, equals, promise, stand_in, tuple(sentences))


def _finds_enough(one: Contender, stand_in: bool, promise: Promise) -> bool:
    """At least half of the bad parts; of drawn defects, more than its false alarms explain."""
    if one.found is None:
        return False
    return one.found.interval[0] > promise.bound if stand_in else one.found.ratio >= USABLE


def _keeps(one: Contender, promise: Promise) -> bool:
    """Whether it breaks its promise no more than chance explains."""
    return one.false_alarms is None or one.false_alarms.interval[0] <= promise.bound


def _verdict(first: Contender, best: Contender | None, stand_in: bool, promise: Promise) -> str:
    things = "drawn defects (a stand-in, not real ones)" if stand_in else "bad parts"
    if first.found is None:
        return f"{first.title} ran, but there is neither a bad part nor a drawn defect to judge it by."
    if best is not None:
        return f"Use {best.title}: it finds {_share(first.found)} of the {things}."
    if not _finds_enough(first, stand_in, promise):
        return f"None is good enough: the best, {first.title}, finds only {_share(first.found)} of the {things}."
    assert first.false_alarms is not None
    return (
        f"None is good enough: the best, {first.title}, raises false alarms on {_share(first.false_alarms)} of the "
        f"good test images, "
        f"more than the {percent(promise.bound)} that its threshold promises. The good test images differ from the "
        f"training images: look at "
        "their light, position and focus."
    )


def _comparison(first: Contender, rest: Sequence[Contender], equals: Sequence[Contender]) -> list[str]:
    if not rest:
        return ["It is the only method that ran: give it more --minutes to compare it with others."]
    runner_up = rest[0]
    if runner_up in equals:
        count = f"{len(first.right_N)} decided images"
        names = ", ".join(one.title for one in equals)
        return [
            f"It cannot be told apart from {names}: on {count} their differences are within chance (paired sign test)."
        ]
    test = paired(first, runner_up)
    return [
        f"Runner-up: {runner_up.title}, which decides {test.better} images worse and {test.worse} better "
        f"(paired sign test, p = {test.p:.2g})."
    ]


def _false_alarms(first: Contender, promise: Promise) -> str:
    asked = (
        f", not the {percent(promise.asked)} that was asked for, which takes more good images"
        if promise.alpha > promise.asked
        else ""
    )
    said = (
        f"False-alarm rate: the threshold is set for {percent(promise.alpha)} of new good parts{asked}; proven from "
        f"{promise.held_out} good images is at most {percent(promise.bound)}"
    )
    measured = first.false_alarms
    if measured is None:
        return f"{said}. Not measured, as no good image was left for testing."
    return f"{said}. Measured on the good test images: {_share(measured)}."


def _kinds(first: Contender, stand_in: bool) -> list[str]:
    kinds = first.found_by_kind()
    if len(kinds) < 2:
        return []
    listed = "; ".join(f"{kind} {share.correct} of {share.total}" for kind, share in kinds.items())
    return [f"Found by kind{' of drawn defect' if stand_in else ''}: {listed}."]


def _speed(first: Contender) -> str:
    result = first.result
    memory = f", {result.peak_memory_mib / 1024:.1f} GiB of memory" if result.peak_memory_mib else ""
    return f"Cost here: {first.milliseconds:.0f} ms per image{memory}, fitted in {result.fit_seconds or 0:.0f} s."


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

"""Run the candidates within the minutes, cheapest first, and gather what the answer and the page need."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.choose.answer import Answer, Promise, answer, percent
from benchmarks.choose.asking import decoded, drawn, milliseconds
from benchmarks.choose.candidates import UNKNOWN_LOOK_MS, Candidate, candidates, training_minutes
from benchmarks.choose.contenders import Contender, contender
from benchmarks.choose.light import Light, light
from benchmarks.choose.remembered import BATCH, remembered
from benchmarks.choose.robustness import Move, moves
from benchmarks.common.errors import UserError
from benchmarks.config.compose import as_asked
from benchmarks.config.overrides import quoted
from benchmarks.data.index import Category, ImageFile
from benchmarks.inspect.specification import INSPECTOR
from benchmarks.protocol.cross import cross_promise
from benchmarks.protocol.decision import Share
from benchmarks.protocol.thresholds import images_for
from benchmarks.store.runs import RunStore

if TYPE_CHECKING:
    from benchmarks.inspect import Inspector

FOLDS = 5
"""Or as many as there are good images, if they are fewer."""
CURVE = (5, 10, 20, 50)


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    category: Category
    kind: str
    alpha: float
    minutes: float
    out: Path
    overrides: tuple[str, ...]
    """How `run` reads the same images: data=..., data.root=..., category=..."""
    weights: str | None = None


@dataclass(frozen=True)
class CurvePoint:
    """The best method, fitted to fewer good images."""

    images: int
    found: Share
    alarms: Share | None


@dataclass
class Findings:
    """Everything that was found out."""

    answer: Answer
    light: Light | None = None
    moves: list[Move] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


Say = Callable[[str], None]


def choose(request: Request, say: Say) -> Findings:
    """Try the methods and answer. Finished cells are skipped, so the same command resumes after a kill.

    Args:
        say: takes progress, a line at a time.

    Raises:
        UserError: too few good images, or no method could be run.
    """
    start = time.perf_counter()
    promise = promise_of(len(request.category.train), request.alpha)
    if promise.alpha > promise.asked:
        say(
            f"{len(request.category.train)} good images to learn from cannot promise a false-alarm rate of "
            f"{percent(promise.asked)}: that takes "
            f"{images_for(promise.asked)}. Going on with {percent(promise.alpha)}."
        )
    stand_in = not any(image.is_defective for image in request.category.test)
    tried, skipped = _try_all(request, promise, stand_in, say, start)
    findings = Findings(answer(tried, promise, stand_in), light(request.category), skipped=skipped)
    _ask_about(findings, request, say, start)
    return findings


def _try_all(
    request: Request, promise: Promise, stand_in: bool, say: Say, start: float
) -> tuple[list[Contender], list[str]]:
    """The methods for which there is time, and what is to be said of the others."""
    tried: list[Contender] = []
    skipped: list[str] = []
    no_time: list[str] = []
    needless: list[str] = []
    last_minutes = 0.0
    for candidate in candidates(request.kind):
        if candidate.is_trained and any(one.is_faultless for one in tried):
            needless.append(candidate.title)
            continue
        minutes_left = request.minutes - (time.perf_counter() - start) / 60
        expected = _minutes_of_all_folds(candidate, request, tried) if candidate.is_trained else last_minutes
        if tried and minutes_left < expected:
            no_time.append(candidate.title)
            continue
        before = time.perf_counter()
        say(f"{candidate.title} ..." + (f" about {max(1, round(expected))} min" if candidate.is_trained else ""))
        try:
            tried.append(_tried(candidate, request, promise, stand_in, say))
            last_minutes = (time.perf_counter() - before) / 60
        except UserError as error:
            skipped.append(f"{candidate.title} could not be run: {_first_line(error)}")
            say(skipped[-1])
    if not tried:
        raise UserError("No method could be run:\n" + "\n".join(skipped))
    left_out = []
    if needless:
        faultless = next(one.title for one in tried if one.is_faultless)
        left_out.append(f"Not trained, as {faultless} finds all without a false alarm: {', '.join(needless)}.")
    if no_time:
        left_out.append(
            f"Not tried in {request.minutes:g} minutes: {', '.join(no_time)}. Re-run the same command with more to try them."
        )
    for line in left_out:
        say(line)
    return tried, skipped + left_out


def _folds(images: int) -> int:
    return min(FOLDS, images)


def _minutes_of_all_folds(candidate: Candidate, request: Request, tried: Sequence[Contender]) -> float:
    """What a trained method will take, by what DFM took to look at an image."""
    train = as_asked(_overrides(candidate, request, request.out)).method.train
    images = len(request.category.train)
    folds = _folds(images)
    in_a_fold = images * (folds - 1) / folds
    scored = images / folds + len(request.category.test)
    look_ms = next((one.milliseconds for one in tried if one.method == "dfm"), UNKNOWN_LOOK_MS)
    shown = train.epochs * train.get("samples", in_a_fold)
    return folds * training_minutes(candidate.method, shown, round(scored), look_ms)


def promise_of(images: int, alpha: float) -> Promise:
    """The lowest false-alarm rate that can be promised from so many good images, if the wanted one cannot."""
    possible = max(alpha, math.ceil(1e6 / (images + 1)) / 1e6)
    return Promise(possible, alpha, cross_promise(possible, images, _folds(images)), images)


def _tried(candidate: Candidate, request: Request, promise: Promise, stand_in: bool, say: Say) -> Contender:
    start = time.perf_counter()
    folds, rule = _folds(promise.held_out), f"conformal:{promise.alpha!r}"
    crossed = ["protocol.held_out=cross", f"protocol.folds={folds}", f"protocol.threshold={rule}"]
    found = _run(candidate, request, request.out, crossed, stand_in)
    say(f"{candidate.title}: {_in_short(found, stand_in)}, {time.perf_counter() - start:.0f} s")
    return found


def _run(candidate: Candidate, request: Request, results: Path, protocol: list[str], stand_in: bool) -> Contender:
    """One cell, run or looked up, with the drawn defects that its inspector finds."""
    from benchmarks.run.cell import run

    with remembered():
        record = run(as_asked([*_overrides(candidate, request, results), *protocol]))
    found = contender(RunStore(results), record, candidate.title)
    inspector, good = _inspector(found), _good_test_images(request.category)
    return replace(
        found,
        inspect_ms=milliseconds(inspector, good or request.category.train),
        stand_ins=tuple(drawn(inspector, good)) if stand_in else (),
    )


def _overrides(candidate: Candidate, request: Request, results: Path) -> list[str]:
    weights = [quoted("method.weights", request.weights)] if candidate.needs_weights and request.weights else []
    return [
        f"method={candidate.method}",
        *request.overrides,
        *weights,
        *([BATCH] if candidate.needs_weights and not candidate.is_trained else []),
        f"category.kind={request.kind}",
        "budget=short",
        "save_inspector=true",
        "logger=none",
        "progress=false",
        quoted("results.dir", str(results)),
    ]


def _inspector(one: Contender) -> "Inspector":
    from benchmarks.inspect import Inspector

    return Inspector.load(one.folder / INSPECTOR)


def _good_test_images(category: Category) -> list[ImageFile]:
    return [image for image in category.test if not image.is_defective]


def _ask_about(findings: Findings, request: Request, say: Say, start: float) -> None:
    """Fill in what only the method that is shown is asked: about light, focus and position, and about fewer good images."""
    shown = findings.answer.shown
    if good := _good_test_images(request.category):
        say(f"{shown.title}: light, focus and position ...")
        inspector = _inspector(shown)
        findings.moves = moves(inspector, decoded(inspector, good))
    else:  # most members were fitted to any other good image, and would hardly raise an alarm on it
        findings.skipped.append(
            "What light, focus and position do was not measured: no good image was left for testing."
        )
        say(findings.skipped[-1])
    try:
        _follow_curve(findings, request, say, start)
    except (UserError, OSError) as error:  # the answer stands without the curve
        findings.skipped.append(f"How many good images it takes was not measured to the end: {_first_line(error)}")
        say(findings.skipped[-1])
    if findings.curve and shown.found is not None:
        findings.curve.append(CurvePoint(len(request.category.train), shown.found, shown.false_alarms))


def _follow_curve(findings: Findings, request: Request, say: Say, start: float) -> None:
    shown = findings.answer.shown
    candidate = next(one for one in candidates(request.kind) if one.method == shown.method)
    points = iter([]) if candidate.is_trained else _curve(candidate, findings.answer, request)
    while (in_time := (time.perf_counter() - start) / 60 < request.minutes) and (point := next(points, None)):
        findings.curve.append(point)
        say(f"{shown.title} fitted to {point.images} good images: {point.found.correct} of {point.found.total} found")
    if not in_time:
        findings.skipped.append("How many good images it takes was not measured to the end: the minutes were over.")


def _curve(candidate: Candidate, answered: Answer, request: Request) -> Iterator[CurvePoint]:
    """The method fitted to fewer good images; all the others are held out for the threshold, by the same rule if they suffice."""
    total, alpha = len(request.category.train), answered.promise.alpha
    for images in [count for count in CURVE if count < total]:
        enough = total - images >= images_for(alpha)
        protocol = [
            f"protocol.validation_share={(total - images) / total!r}",
            f"protocol.threshold={f'conformal:{alpha!r}' if enough else 'maximum'}",
        ]
        found = _run(candidate, request, request.out / "fewer" / str(images), protocol, answered.stand_in)
        if found.found is not None:
            yield CurvePoint(images, found.found, found.false_alarms)


def _in_short(one: Contender, stand_in: bool) -> str:
    found, alarms = one.found, one.false_alarms
    parts = [f"{found.correct} of {found.total} {'drawn defects' if stand_in else 'bad parts'} found"] if found else []
    parts += [f"{alarms.correct} false alarms on {alarms.total} good images"] if alarms else []
    return ", ".join(parts)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

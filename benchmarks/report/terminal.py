"""Results in words, for the terminal."""

from benchmarks.protocol.decision import Share
from benchmarks.store.record import Record


def run_in_words(record: Record) -> str:
    """One finished run in one line."""
    assert record.result is not None
    result = record.result
    auroc = "-" if result.image is None else f"{result.image.auroc:.3f}"
    costs = ""  # not known of maps that another program made
    if result.fit_seconds is not None and result.ms_per_image is not None:
        costs = f"; fitted in {result.fit_seconds:.1f} s, {result.ms_per_image:.0f} ms per image"
    return (
        f"{record.cell} ({record.dataset}, budget {record.budget}): good {share_in_words(result.good)}"
        f"{_false_alarms(result.good)}, defective {share_in_words(result.defective)}, image AUROC {auroc}{costs}"
    )


def _false_alarms(good: Share | None) -> str:
    return "" if good is None else f" (false-alarm rate {1 - good.ratio:.2f})"


def share_in_words(share: Share | None) -> str:
    """`19/20 = 0.95 [0.76, 0.99]`, or a dash."""
    if share is None:
        return "-"
    low, high = share.interval
    return f"{share.correct}/{share.total} = {share.ratio:.2f} [{low:.2f}, {high:.2f}]"

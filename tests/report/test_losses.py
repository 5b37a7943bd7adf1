"""Losses by epoch from what a logger leaves."""

import numpy as np
import pytest

from benchmarks.report.losses import read_losses


def test_losses_of_an_epoch_may_be_spread_over_rows_and_lack_values() -> None:
    text = "epoch,step,loss,late\n0,9,4.0,\n0,19,2.0,\n1,29,,\n2,39,1.0,7\n2,39,nan,\n,,3.0,\n"
    found = read_losses(text)
    assert found is not None and found.epoch_E.tolist() == [0, 1, 2]
    assert np.array_equal(found.of["loss"], [3, np.nan, 1], equal_nan=True)
    assert np.array_equal(found.of["late"], [np.nan, np.nan, 7], equal_nan=True)


def test_a_table_without_losses_has_none() -> None:
    assert read_losses("epoch,step\n0,9\n") is None and read_losses("epoch,step,loss\n0,9,inf\n") is None
    with pytest.raises(ValueError, match="no column epoch"):
        read_losses("step,loss\n1,2\n")
    with pytest.raises(ValueError, match="could not convert"):
        read_losses("epoch,loss\n1,low\n")

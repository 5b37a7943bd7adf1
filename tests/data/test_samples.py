"""Samples in memory: what is fitted to, held out, standardised and hashed."""

from dataclasses import replace

import numpy as np
import torch

from benchmarks.data.samples import SampleData, Samples
from benchmarks.data.split import hold_out


def rows(seed: int = 0, count: int = 50) -> Samples:
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 3, (count, 4))
    values[:, 2] = 7.0  # a column that never changes
    return Samples(
        values, values[:8] + 1, [f"line {i}" for i in range(count)], list("abcdefgh"), ["good"] * 5 + ["x"] * 3
    )


def data(samples: Samples, seed: int = 0, limit: int | None = None, standardise: bool = True) -> SampleData:
    return SampleData(
        samples,
        standardise=standardise,
        batch_size=8,
        predict_batch_size=16,
        limit=limit,
        validation_share=0.2,
        seed=seed,
    )


def test_held_out_samples_are_not_fitted_to() -> None:
    module = data(rows())
    assert sorted([*module.fitted_to, *module.held_out]) == list(range(50)) and len(module.held_out) == 10
    fit = torch.cat(list(module.train_dataloader()))
    assert fit.shape == (40, 4) and sum(map(len, module.val_dataloader())) == 10
    torch.testing.assert_close(
        fit.sort(dim=0).values, module.prepared(rows().train[module.fitted_to]).sort(dim=0).values
    )


def test_the_first_held_out_samples_come_in_one_batch_whatever_that_of_prediction_is() -> None:
    module = data(rows())
    module.predict_batch_size = 1
    assert [len(batch) for batch in module.val_dataloader(2)] == [2]


def test_columns_are_standardised_by_what_is_fitted_to_alone() -> None:
    samples = rows()
    module = data(samples)
    fit = torch.cat(list(module.train_dataloader())).double()
    torch.testing.assert_close(fit.mean(dim=0), torch.zeros(4).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(fit.std(dim=0, unbiased=False)[[0, 1, 3]], torch.ones(3).double(), atol=1e-5, rtol=0)
    assert (fit[:, 2] == 0).all()
    moved = samples.train.copy()
    moved[module.held_out] += 1000
    other = data(replace(samples, train=moved, test=samples.test * 50))
    assert (other.mean == module.mean).all() and (other.scale == module.scale).all()


def test_without_standardising_values_stay() -> None:
    samples = rows()
    torch.testing.assert_close(data(samples, standardise=False).test, torch.from_numpy(samples.test).float())


def test_a_limit_takes_fewer() -> None:
    assert len(data(rows(), limit=7).fitted_to) == 7


def test_the_seed_decides_split_and_order() -> None:
    first, same, other = data(rows(), 1), data(rows(), 1), data(rows(), 2)
    assert first.held_out == same.held_out != other.held_out
    assert all(torch.equal(a, b) for a, b in zip(first.train_dataloader(), same.train_dataloader(), strict=True))
    loader = first.train_dataloader()
    assert not torch.equal(next(iter(loader)), next(iter(loader)))  # another order in each epoch


def test_the_hold_out_is_a_share_and_always_the_same() -> None:
    assert hold_out(50, 0.2, 0).sum() == 10
    assert (hold_out(50, 0.2, 0) == hold_out(50, 0.2, 0)).all() and (hold_out(50, 0.2, 0) != hold_out(50, 0.2, 1)).any()


def test_fingerprints_follow_the_content() -> None:
    samples, changed = rows(), rows().train.copy()
    changed[3, 1] += 1e-9
    other = replace(samples, train=changed)
    assert other.train_fingerprint() != samples.train_fingerprint() == rows().train_fingerprint()
    assert other.test_fingerprint() == samples.test_fingerprint()
    assert replace(samples, test_types=["good"] * 8).test_fingerprint() != samples.test_fingerprint()

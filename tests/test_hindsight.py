"""Judgements in hindsight: against their definition, against the optimal policy, and that they don't look ahead."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlearn.algorithms.paging import hindsight_bits, opt

from tests.naive import hindsight as naive


def requests(*, most: int = 120) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 12), max_size=most)


@settings(max_examples=300, deadline=None)
@given(requests(), st.integers(1, 6), st.none() | st.integers(1, 40))
def test_bits_are_those_of_the_definition(pages: list[int], k: int, window: int | None) -> None:
    bits, known = hindsight_bits(pages, k, window)
    expected_bits, expected_known = naive.hindsight_bits(pages, k, window)
    assert bits.tolist() == expected_bits
    assert known.tolist() == expected_known


@settings(max_examples=300, deadline=None)
@given(requests(), st.integers(1, 6))
def test_as_many_pages_are_kept_as_the_optimal_policy_hits(pages: list[int], k: int) -> None:
    assert np.count_nonzero(hindsight_bits(pages, k).bits == 0) == np.count_nonzero(opt(pages, k).hits)


@settings(deadline=None)
@given(requests(), st.integers(1, 6), st.integers(1, 40), st.integers(0, 120))
def test_nothing_later_is_looked_at(pages: list[int], k: int, window: int, end: int) -> None:
    whole, known = hindsight_bits(pages, k, window)
    start = pages[:end]
    part = hindsight_bits(start, k, window).bits
    certain = known[: len(start)] < len(start)
    assert np.array_equal(part[certain], whole[: len(start)][certain])


@pytest.mark.parametrize(("file", "k", "instance"), [("citi", 100, 0), ("cloudphysics_w106_2m", 1000, None)])
def test_real_traces(file: str, k: int, instance: int | None) -> None:
    import pyarrow.parquet as pq

    path = Path(os.environ.get("STREAMLEARN_DATA", "")).parent / "paging" / f"{file}.parquet"
    if "STREAMLEARN_DATA" not in os.environ or not path.is_file():
        pytest.skip("STREAMLEARN_DATA has no paging traces beside it")
    table = pq.read_table(path)
    pages = table["object_id"].to_numpy()
    if instance is not None:
        instances = np.asarray(table["instance"].to_pylist())
        pages = pages[instances == instances[0]]
    assert np.count_nonzero(hindsight_bits(pages, k).bits == 0) == np.count_nonzero(opt(pages, k).hits)

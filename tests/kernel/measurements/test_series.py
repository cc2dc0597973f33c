from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kernel.measurements.packing import packed, unpacked
from kernel.measurements.quantiles import quantile
from kernel.measurements.series import Reading, increases, key_of, merged, parts_of

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, math.inf)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)


@given(name=names, labels=st.dictionaries(names, st.text(max_size=20), max_size=4))
def test_a_key_gives_back_the_name_and_the_labels(name: str, labels: dict[str, str]) -> None:
    assert parts_of(key_of(name, labels)) == (name, tuple(sorted(labels.items())))


def test_counters_that_stood_still_are_left_out() -> None:
    assert increases({"a_total": 3, "b_total": 4}, {"a_total": 3, "b_total": 9, "c_total": 2}) == {
        "b_total": 5,
        "c_total": 2,
    }


def test_a_histogram_that_grew_keeps_its_empty_buckets() -> None:
    low, high, count = (key_of("s_bucket", {"le": "0.1"}), key_of("s_bucket", {"le": "+Inf"}), "s_count")
    before = {low: 4.0, high: 4.0, count: 4.0}
    assert increases(before, {low: 4.0, high: 6.0, count: 6.0}) == {low: 0.0, high: 2.0, count: 2.0}
    assert increases(before, before) == {}


def test_after_a_new_beginning_all_counters_grew_by_what_they_show() -> None:
    # b is above what it was, and yet all of it is new: a shows that the processes began anew.
    assert increases({"a": 10, "b": 3}, {"a": 4, "b": 5}) == {"a": 4, "b": 5}
    assert increases({"a": 10, "b": 3}, {"b": 5}) == {"b": 5}


increments = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 1000), max_size=3), min_size=1, max_size=20
)


@given(steps=increments, restarts=st.sets(st.integers(1, 19)))
def test_the_growths_put_together_are_the_whole_through_restarts_that_show(
    steps: list[dict[str, int]], restarts: set[int]
) -> None:
    total: Counter[str] = Counter(a=1, b=1, c=1)
    before = dict(total)
    grown: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    readings = []
    for place, step in enumerate(steps):
        if place in restarts:
            # A restart is seen by a total that fell or is gone.
            step = dict.fromkeys(step, 0)
            total = Counter()
        total.update(step)
        growth = increases(before, dict(total))
        before = dict(total)
        counted.update({name: number for name, number in step.items() if number})
        readings.append(Reading("s", AT + timedelta(seconds=15 * place), 15, growth, {}))
        grown.update(growth)
    whole = merged(readings, source="s", at=AT)
    assert {name: number for name, number in whole.counters.items() if number} == dict(counted)
    assert whole.seconds == 15 * len(steps)


@given(samples=st.lists(st.dictionaries(st.sampled_from("ab"), st.floats(-1e6, 1e6), min_size=1), min_size=1))
def test_of_each_gauge_the_highest_stays(samples: list[dict[str, float]]) -> None:
    whole = merged([Reading("s", AT, 15, {}, gauges) for gauges in samples], source="s", at=AT)
    assert whole.gauges == {
        name: max(gauges[name] for gauges in samples if name in gauges)
        for name in set().union(*(gauges.keys() for gauges in samples))
    }


def buckets_of(values: list[float]) -> dict[float, float]:
    return {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS}


@given(values=st.lists(st.floats(0.0001, 5), min_size=1, max_size=200), share=st.floats(0.01, 1))
def test_the_true_percentile_lies_within_the_bounds(values: list[float], share: float) -> None:
    estimate = quantile(share, buckets_of(values))
    assert estimate is not None
    true = sorted(values)[max(math.ceil(share * len(values) - 1e-9), 1) - 1]
    assert estimate.lower < true <= estimate.upper
    assert estimate.lower <= estimate.value <= estimate.upper


@given(values=st.lists(st.floats(0.0001, 5), min_size=1), low=st.floats(0.01, 1), high=st.floats(0.01, 1))
def test_a_higher_percentile_is_never_below_a_lower_one(values: list[float], low: float, high: float) -> None:
    low, high = sorted((low, high))
    below, above = quantile(low, buckets_of(values)), quantile(high, buckets_of(values))
    assert below is not None
    assert above is not None
    assert below.value <= above.value


def test_past_the_last_bound_only_the_bound_is_known() -> None:
    estimate = quantile(0.99, {0.1: 1, 1.0: 1, math.inf: 10})
    assert estimate is not None
    assert (estimate.value, estimate.lower, estimate.upper) == (1.0, 1.0, math.inf)


def test_without_observations_there_is_no_percentile() -> None:
    assert quantile(0.5, {}) is None
    assert quantile(0.5, {0.1: 0, math.inf: 0}) is None
    assert quantile(0.5, {0.1: 3}) is None


labels_of_one = st.dictionaries(names.filter(lambda name: name != "le"), st.text(max_size=8), max_size=2)
histograms = st.dictionaries(st.sampled_from(["0.1", "1.0", "2.5", "+Inf"]), st.integers(0, 99), min_size=1)


@given(
    plain=st.dictionaries(names, st.integers(0, 99), max_size=4),
    buckets=st.lists(st.tuples(names, labels_of_one, histograms), max_size=3),
)
def test_what_is_packed_for_the_table_comes_back_as_it_was(
    plain: dict[str, int], buckets: list[tuple[str, dict[str, str], dict[str, int]]]
) -> None:
    counters: dict[str, float] = {f"{name}_total": number for name, number in plain.items()}
    for name, labels, counts in buckets:
        for bound, count in counts.items():
            counters[key_of(f"{name}_bucket", {**labels, "le": bound})] = count
    stored = packed(counters)
    assert unpacked(stored) == counters
    assert not any('"le"' in key for key in stored)

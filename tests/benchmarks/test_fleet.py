import random
import re

import pytest

from app.settings import Settings
from benchmarks.fleet import (
    BALANCERS,
    PLACES,
    Autoscaler,
    Pod,
    arrivals,
    follow,
    least_outstanding,
    round_robin,
    share_out,
    work_s,
)
from benchmarks.measurement import percentile
from tests.deploy.kubernetes.chart import CHART, KUBERNETES, values


def test_a_pod_does_two_at_a_time_and_refuses_what_has_no_place() -> None:
    pod = Pod()
    assert [pod.serve(0, 1) for _ in range(4)] == [1, 1, 2, 2]
    assert (pod.depth(0.5), pod.depth(1.5), pod.depth(2)) == (4, 2, 0)
    assert [pod.serve(5, 1) for _ in range(PLACES + 1)][-1] is None


def test_the_mean_of_the_work_is_what_the_capacity_allows() -> None:
    chance = random.Random(1)
    mean = sum(work_s(10, chance) for _ in range(20_000)) / 20_000
    assert mean == pytest.approx(2 / 10, rel=0.03)


def test_arrivals_follow_the_rate() -> None:
    times = list(arrivals(lambda now: 50 if now < 50 else 10, 50, 100, random.Random(1)))
    early = sum(time < 50 for time in times)
    assert early == pytest.approx(2500, rel=0.1)
    assert len(times) - early == pytest.approx(500, rel=0.2)


def test_least_outstanding_waits_shorter_than_round_robin_and_both_shorter_than_connections() -> None:
    p99 = {name: sorted(share_out(make(), 8, 10, 0.8, 200).waits_s)[-100] for name, make in BALANCERS.items()}
    assert p99["least outstanding"] < p99["round robin"] < p99["by connection"]


def test_a_fleet_refuses_what_is_above_its_capacity_and_nothing_far_below() -> None:
    assert share_out(least_outstanding(), 4, 10, 0.5, 100).refused == 0
    assert share_out(round_robin(), 4, 10, 1.5, 300).refused == pytest.approx(1 / 3, abs=0.05)


def test_the_autoscaler_goes_up_with_the_load_and_down_without_refusals() -> None:
    scaler = Autoscaler(target=2, least=2, most=20, start_s=20)
    seen = follow(scaler, lambda now: 80 if 200 <= now < 1200 else 12, 80, 10, 4000)
    sizes = dict(seen.pods)
    assert sizes[195] <= 4
    assert max(size for at, size in seen.pods if at < 1200) >= 8
    assert seen.pods[-1][1] <= 4
    assert all(at < 600 for at in seen.refused)


def test_it_keeps_within_its_limits() -> None:
    scaler = Autoscaler(target=1, least=3, most=5, start_s=10)
    sizes = {size for _, size in follow(scaler, lambda now: 200 if now < 300 else 0.1, 200, 10, 3000).pods}
    assert min(sizes) == 3
    assert max(sizes) == 5


def test_what_is_simulated_is_the_service_and_the_chart() -> None:
    assert Settings().concurrency + Settings().queue_length == PLACES
    own, chart = Autoscaler(2, 2, 10, start_s=20), values()["autoscaling"]
    assert (own.target, own.least, own.most) == tuple(
        chart[name] for name in ("targetQueueDepth", "minReplicas", "maxReplicas")
    )
    assert own.stabilization_s == chart["scaleDownStabilizationSeconds"]
    template = (CHART / "templates/horizontalpodautoscaler.yaml").read_text()
    rise = template.partition("scaleUp:")[2].partition("scaleDown:")[0]
    assert {float(seconds) for seconds in re.findall(r"periodSeconds: (\d+)", rise)} == {own.rise_s}


def test_the_page_shows_what_is_simulated() -> None:
    page = (KUBERNETES.parents[1] / "docs/scaling.md").read_text()
    for name in ("round robin", "least outstanding"):
        seen = share_out(BALANCERS[name](), 16, 11.3, 0.8)
        p50, p99 = (1000 * percentile(seen.waits_s, percent) for percent in (50, 99))
        row = f"| {name} | 80% | {seen.depth:.1f} | {p50:.0f} | {p99:.0f} | {seen.refused:.1%} |"
        assert row in page

import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from prometheus_client.multiprocess import mark_process_dead

from app import __version__
from app.observability.metrics import Metrics
from app.problems import PROBLEMS
from tests.app.observability.exposition import Exposition

CPU = torch.device("cpu")

WORKER = """
import sys, time, torch
from app.observability.metrics import Metrics
metrics = Metrics()
metrics.loaded(sha256=sys.argv[1], precision="float32", device=torch.device("cpu"))
metrics.requests.labels("POST", "/segment", 200).inc(3)
metrics.unfinished.set(2)
metrics.observe_stages({"decode": 0.5})
print("counted", flush=True)
sys.stdin.read()
"""

SCRAPED = "from app.observability.metrics import Metrics; print(Metrics().exposition().decode())"


def exposition(metrics: Metrics) -> Exposition:
    return Exposition(metrics.exposition())


def test_applications_in_one_process_are_counted_apart() -> None:
    one, other = Metrics(), Metrics()
    one.pixels.inc(5)
    assert exposition(one).value("fcn_pixels_total") == 5
    assert exposition(other).value("fcn_pixels_total") == 0


def test_what_may_be_counted_begins_at_zero() -> None:
    told = exposition(Metrics())
    refusals = {sample.labels["reason"]: sample.value for sample in told.series("fcn_refusals_total")}
    assert refusals == dict.fromkeys(PROBLEMS, 0)
    for queue in ("small", "large"):
        assert told.value("fcn_waiting_requests", queue=queue) == told.value("fcn_waiting_seconds", queue=queue) == 0
    assert told.value("fcn_reloads_total", result="failure") == 0
    assert told.value("fcn_decoder_failures_total", kind="crashed") == 0


def test_the_weights_that_are_served_are_told_after_a_reload_too() -> None:
    metrics = Metrics()
    metrics.loaded(sha256="old", precision="float32", device=CPU)
    metrics.loaded(sha256="new", precision="bfloat16", device=CPU)
    told = exposition(metrics)
    assert told.value("fcn_info", sha256="old") == 0
    assert told.value("fcn_info", sha256="new", precision="bfloat16", device="cpu", version=__version__) == 1


def test_weights_that_are_loaded_again_are_served_still() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.loaded(sha256="same", precision="float32", device=CPU)
    assert exposition(metrics).value("fcn_info") == 1


def test_memory_of_a_gpu_is_told_where_one_is_used() -> None:
    with_gpu, without = Metrics(), Metrics()
    with_gpu.loaded(sha256="same", precision="float32", device=torch.device("cuda"))
    without.loaded(sha256="same", precision="float32", device=CPU)
    told = exposition(with_gpu)
    for kind in ("allocated", "reserved"):
        assert told.value("fcn_device_memory_bytes", kind=kind) >= 0
    assert exposition(without).series("fcn_device_memory_bytes") == []


def test_memory_and_start_are_told() -> None:
    told = exposition(Metrics())
    assert 50e6 < told.value("fcn_resident_bytes") < 50e9
    assert time.time() - 60 < told.value("fcn_last_start_timestamp_seconds") <= time.time()
    assert told.value("process_open_fds") > 0


def test_each_worker_tells_of_all_and_of_what_the_dead_have_counted(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, digest],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for digest in ("old", "new")
    ]

    def scrape() -> Exposition:
        command = [sys.executable, "-c", SCRAPED]
        return Exposition(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "counted\n"
    before = scrape()
    workers[0].kill()
    workers[0].wait()
    mark_process_dead(workers[0].pid, str(tmp_path))  # type: ignore[no-untyped-call]
    after = scrape()
    workers[1].communicate()
    workers[0].communicate()
    for told, alive in ((before, 2), (after, 1)):
        assert told.value("fcn_requests_total", method="POST", route="/segment", status="200") == 6
        assert told.value("fcn_stage_seconds_count", stage="decode") == 2
        assert told.value("fcn_stage_seconds_bucket", stage="decode", le="0.5") == 2
        assert told.value("fcn_unfinished_requests") == 2 * alive
        assert told.value("fcn_info") == alive
    assert not any(sample.name.startswith("process_") for sample in before.samples)

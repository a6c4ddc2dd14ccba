"""Malformed request bodies: no response is a 5xx, nothing ends the service, no memory leaks.

    python -m benchmarks.reliability.fuzz --count 10000

The bodies are damaged files of every format, noise, forms and near-forms, for all output formats; a quarter use the
Open Inference Protocol. The service is limited to images of a million pixels: larger ones would be valid and take the
time of other requests. Its memory is compared with that after whole images of many sizes, because what it keeps of them
is bounded. Requests with a wrong response and requests that ended a decoder are kept in a folder, to be sent again.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.connection import Connection
from benchmarks.findings import Finding, at_most, none_of
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.fuzzed_answers import Answers, Incident, send
from benchmarks.reliability.fuzzed_requests import draw_requests, largest_requests
from benchmarks.reliability.resident import resident_bytes
from benchmarks.reliability.seeds import seeds
from benchmarks.service import OURS, started

_SERVICE = OURS.with_environment(FCN_MAX_PIXELS="1000000", FCN_MAX_UPLOAD_BYTES=str(1 << 16), FCN_LOG_LEVEL="error")

_SETTLING_S = 20.0
"""Seconds after the last response within which memory must be released."""

_GROWTH_SHARE = 0.05
"""Relative growth that is not a leak: heap fragmentation and what decoders keep vary by chance."""

_METRICS = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def prove(count: int, warm_up: int, clients: int, seed: int) -> list[Finding]:
    """Start the service, send all requests, and check the responses, the processes and the memory.

    Args:
        count: number of requests.
        warm_up: number of other requests, sent before memory is first measured. Whole images precede them, so that the
            service has taken the memory that it keeps.
        clients: concurrent clients.
        seed: seed of the requests.
    """
    files = list(seeds().values())
    with started(_SERVICE, sys.executable, files[0]) as service:
        process = service.process
        largest = list(largest_requests())
        filled = asyncio.run(send(service.port, iter(largest), clients))
        asyncio.run(send(service.port, draw_requests(files, warm_up, f"{seed}-warm-up"), clients))
        before_bytes = resident_bytes(process.pid)
        start = time.perf_counter()
        answers = asyncio.run(send(service.port, draw_requests(files, count, str(seed)), clients))
        elapsed_s = time.perf_counter() - start
        bound_bytes = before_bytes * (1 + _GROWTH_SHARE)
        after_bytes = _settled_bytes(process.pid, bound_bytes)
        ended = asyncio.run(_decoder_ends(service.port)) if process.poll() is None else "the service ended"
        is_alive = process.poll() is None
    _keep([*answers.faults, *answers.decoder_ends], seed)
    return [
        Finding("bodies sent", f"{count} of seed {seed}, {clients} at a time, in {elapsed_s:.0f} s"),
        *_told(answers),
        Finding("process at the end", "the same" if is_alive else "ended", "the same", is_alive),
        Finding("decoders that ended over a body, and were replaced", ended),
        none_of(f"of {len(largest)} whole images before, not segmented", len(largest) - filled.counts["200"]),
        Finding("resident memory before", f"{before_bytes / 1e6:.0f} MB, after these and {warm_up} other bodies"),
        at_most("resident memory after", after_bytes / 1e6, bound_bytes / 1e6, "{:.0f} MB"),
    ]


def _told(answers: Answers) -> list[Finding]:
    kinds = ", ".join(f"{kind} {times}" for kind, times in sorted(answers.counts.items()))
    examples = [f"body {fault.number}: {fault.what}" for fault in answers.faults]
    return [
        Finding("answers", kinds),
        none_of("5xx, no problem document, half an answer or none", len(answers.faults), examples),
    ]


def _settled_bytes(process: int, bound_bytes: float) -> int:
    """Wait until resident memory is within its bound or the time is up, and return it."""
    deadline = time.monotonic() + _SETTLING_S
    while (found := resident_bytes(process)) > bound_bytes and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


async def _decoder_ends(port: int) -> str:
    """Number of decoders that have ended, by kind, from the service's metrics."""
    async with Connection(port) as connection:
        text = (await connection.exchange(_METRICS)).body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["fcn_decoder_failures"].samples
    return ", ".join(f"{one.value:.0f} {one.labels['kind']}" for one in samples if one.name.endswith("_total"))


def _keep(incidents: Sequence[Incident], seed: int) -> None:
    """Write requests to a folder and print their paths."""
    if not incidents:
        return
    folder = Path(mkdtemp(prefix=f"fuzz-{seed}-"))
    for incident in incidents:
        (folder / f"{incident.number}.http").write_bytes(incident.request)
        print(f"{folder}/{incident.number}.http: {incident.what}", file=sys.stderr)


def main() -> int:
    arguments = parser("fuzz", __doc__)
    arguments.add_argument("--count", type=int, default=10_000, help="number of bodies (10000)")
    arguments.add_argument("--warm-up", type=int, default=2000, help="number of other bodies sent before (2000)")
    arguments.add_argument("--clients", type=int, default=8, help="concurrent clients (8)")
    arguments.add_argument("--seed", type=int, default=1, help="seed of the bodies (1)")
    options = arguments.parse_args()
    return conclude(prove(options.count, options.warm_up, options.clients, options.seed))


if __name__ == "__main__":
    sys.exit(main())

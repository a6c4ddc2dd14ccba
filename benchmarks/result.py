"""Results of ``benchmarks.http``: the numbers of each round, their medians, and tables of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.findings import Finding, at_least, at_most
from benchmarks.measurement import Measurement

OURS, DEFAULT = "ours-float32", "ours-default"
_OWN_PREFIX = "ours-"

_PERCENTS = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Round:
    """Measurements of one start of one service.

    Attributes:
        sequential: one client.
        closed: closed loop, several clients that wait for their responses.
        open: share of the closed loop's throughput -> open loop at that rate.
    """

    sequential: Measurement
    closed: Measurement
    open: dict[float, Measurement]


@dataclass(frozen=True, slots=True)
class Result:
    """All measurements of a run.

    Attributes:
        machine: property of the machine -> value.
        in_process: the reference, by round: the bare network as we run it, in float32.
        naive_in_process: the bare network as tutorials run it, by round.
        services: service -> its rounds.
        equal: peer -> share of pixels in which its masks equal ours; includes refused peers.
        refused: peer that was not timed -> reason.
    """

    machine: dict[str, str]
    in_process: list[Measurement]
    naive_in_process: list[Measurement]
    services: dict[str, list[Round]]
    equal: dict[str, float]
    refused: dict[str, str]


def medians(result: Result) -> dict[str, dict[str, float]]:
    """Median over the rounds of each number of each service; percentiles in ms, throughputs in requests per second."""
    table = {}
    for name, rounds in result.services.items():
        numbers = {
            **_percentiles("sequential", [one.sequential for one in rounds]),
            "closed throughput": median(one.closed.throughput for one in rounds),
            **_percentiles("closed", [one.closed for one in rounds]),
            "failures": float(sum(_failures(one) for one in rounds)),
        }
        for share in rounds[0].open:
            numbers |= _percentiles(_open_name(share), [one.open[share] for one in rounds])
        table[name] = numbers
    return table


def ratios(result: Result) -> dict[str, float]:
    """Compare our service with the bare network, and its throughput with that of other services."""
    found = medians(result)
    ours = found[OURS]
    reference = _in_process(result.in_process)
    table = {
        "our p50 / in-process p50": ours["sequential p50"] / reference["p50"],
        "our throughput / in-process throughput": ours["closed throughput"] / reference["throughput"],
    }
    own = {name: numbers for name, numbers in found.items() if name.startswith(_OWN_PREFIX)}
    for name, theirs in found.items():
        for our_name, numbers in own.items():
            if name not in own or (our_name == OURS != name):
                throughputs = numbers["closed throughput"], theirs["closed throughput"]
                table[f"{our_name} / {name}: throughput"] = _quotient(*throughputs)
    return table


def goals(result: Result) -> list[Finding]:
    """Goals for the service's default settings, or for float32 if the defaults were not measured."""
    found = medians(result)
    whose = DEFAULT if DEFAULT in found else OURS
    ours = found[whose]
    naive_p50 = _in_process(result.naive_in_process)["p50"]
    table = [at_most(f"{whose}: p50 / naive forward in process", ours["sequential p50"] / naive_p50, 0.5, "{:.2f}")]
    for name, theirs in found.items():
        if not name.startswith(_OWN_PREFIX):
            ratio = _quotient(ours["closed throughput"], theirs["closed throughput"])
            table.append(at_least(f"{whose}: throughput / {name}'s", ratio, 2.5 if name == "naive" else 1.5, "{:.2f}"))
    return table


def as_markdown(result: Result) -> str:
    """Render three Markdown tables: the machine, the services, the ratios."""
    found = medians(result)
    columns = list(found[OURS])
    alone = {"in process": result.in_process, "in process, naive": result.naive_in_process}
    rows = [*((name, _row(columns, measured)) for name, measured in alone.items()), *found.items()]
    services = _table(
        ("service", *columns, "equal pixels"),
        [(name, *(_number(row[column]) for column in columns), _equal(result, name)) for name, row in rows],
    )
    machine = _table(("what", "value"), list(result.machine.items()))
    compared = _table(("ratio", "value"), [(name, f"{value:.2f}") for name, value in ratios(result).items()])
    refusals = "".join(f"\nNot timed: {name}: {why}\n" for name, why in result.refused.items())
    return (
        f"{machine}\n\nMedians of {len(result.in_process)} rounds; latencies in ms, throughputs in 1/s.\n\n"
        f"{services}\n\n{compared}\n{refusals}"
    )


def _percentiles(name: str, measurements: Sequence[Measurement]) -> dict[str, float]:
    return {
        f"{name} p{percent}": median(measurement.percentile(percent) for measurement in measurements)
        for percent in _PERCENTS
    }


def _in_process(measured: Sequence[Measurement]) -> dict[str, float]:
    return {
        **{f"p{percent}": median(one.percentile(percent) for one in measured) for percent in _PERCENTS},
        "throughput": median(one.throughput for one in measured),
    }


def _row(columns: Sequence[str], measured: Sequence[Measurement]) -> dict[str, float]:
    found = _in_process(measured)
    return dict.fromkeys(columns, math.nan) | {
        **{f"sequential p{percent}": found[f"p{percent}"] for percent in _PERCENTS},
        "closed throughput": found["throughput"],
    }


def _open_name(share: float) -> str:
    return f"open {share:.0%}"


def _failures(one: Round) -> int:
    return sum(measurement.failures for measurement in (one.sequential, one.closed, *one.open.values()))


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def _equal(result: Result, name: str) -> str:
    return f"{result.equal[name]:.3%}" if name in result.equal else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

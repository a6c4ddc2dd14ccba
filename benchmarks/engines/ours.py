"""The service's engine: the network as a program of fused convolutions, in each precision."""

import torch

from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError
from benchmarks.engines.eager import require_bfloat16
from model.capabilities import available_precisions
from model.precision import Precision
from model.streaming import Program, fuse, measure_ranges, quantize, run, trace_scores


def candidates() -> list[Candidate]:
    return [
        Candidate("ours float32", _float32),
        Candidate("ours bfloat16", _bfloat16),
        Candidate("ours int8", _int8),
    ]


def _engine(program: Program, dtype: torch.dtype = torch.float32) -> Engine:
    return lambda images: run(program, images.to(dtype)).float()


def _float32(body: Body) -> Engine:
    return _engine(fuse(trace_scores(body.network)))


def _bfloat16(body: Body) -> Engine:
    require_bfloat16()
    return _engine(fuse(trace_scores(body.copy().bfloat16())), torch.bfloat16)


def _int8(body: Body) -> Engine:
    if Precision.INT8 not in available_precisions(torch.device("cpu")):
        raise UnavailableError("the CPU has no 8-bit dot products (VNNI)")
    program = trace_scores(body.network)
    return _engine(fuse(quantize(program, measure_ranges(program, body.calibration))))

"""torch.compile: generates fused C++ and compiles it for this CPU."""

import shutil

import torch

from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError


def candidates() -> list[Candidate]:
    return [Candidate("torch.compile float32, frozen", _compiled)]


def _compiled(body: Body) -> Engine:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        raise UnavailableError("there is no C++ compiler")
    # dynamic: one program for images of any size, as a service needs.
    compiled: Engine = torch.compile(body.copy().scores, dynamic=True, options={"freezing": True})
    return compiled

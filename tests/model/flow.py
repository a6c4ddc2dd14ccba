"""Streaming images through a program."""

from itertools import pairwise

from torch import Tensor

from model.streaming import Program, Stream


def flow(program: Program, images: Tensor, cuts: list[int]) -> list[Tensor]:
    """Feed images to a stream in parts, split at rows ``cuts``, and return the outputs."""
    stream = Stream(program, images.shape[2])
    edges = [0, *cuts, images.shape[2]]
    parts = []
    for top, bottom in pairwise(edges):
        stream.feed(images[:, :, top:bottom])
        while stream.advance():
            if (part := stream.take()) is not None:
                parts.append(part)
    return parts

"""Runs a network over an image from top to bottom, band by band, computing everything once.

A convolution of the whole image needs only a few rows at a time: each layer keeps the rows that its next outputs depend
on and passes on the rows it has finished. Results equal those of the whole image; memory grows with the image's width,
not with its height. Tiles, in contrast, would compute the pixels around each tile again: the receptive field reaches
1,000 pixels.
"""

from model.streaming.calibration import measure_ranges
from model.streaming.cudnn import fuse_cudnn
from model.streaming.fusion import fuse
from model.streaming.operations import Upsample
from model.streaming.program import Program
from model.streaming.quantization import Range, quantize
from model.streaming.rows import Rows
from model.streaming.step import Step
from model.streaming.stream import Stream, run
from model.streaming.tracing import Scores, trace_scores

__all__ = [
    "Program",
    "Range",
    "Rows",
    "Scores",
    "Step",
    "Stream",
    "Upsample",
    "fuse",
    "fuse_cudnn",
    "measure_ranges",
    "quantize",
    "run",
    "trace_scores",
]

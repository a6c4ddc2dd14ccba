"""The values that parameters of ``POST /segment`` take, as the client and the command line name them.

As ``OutputFormat``, ``MaskEncoding`` and ``Tiling``, which import what encodes and computes.
"""

from typing import Literal, TypeAlias

FormatName: TypeAlias = Literal["png", "json", "overlay", "confidence"]
MaskName: TypeAlias = Literal["rows", "rle", "png", "none"]
TilingName: TypeAlias = Literal["auto", "whole", "exact", "overlap"]

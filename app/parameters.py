"""Values of the parameters of ``POST /segment``, for the client and the command line.

The same as ``OutputFormat``, ``MaskEncoding`` and ``Tiling``, whose modules import the encoders and the network.
"""

from typing import Literal, TypeAlias

FormatName: TypeAlias = Literal["png", "json", "overlay", "confidence"]
MaskName: TypeAlias = Literal["rows", "rle", "png", "none"]
TilingName: TypeAlias = Literal["auto", "whole", "exact", "overlap"]

"""How images of any size are cut for a network whose input sides are multiples of 32."""

from model.tiling.averaging import ScoreMap, mean_logits
from model.tiling.rectangle import Rectangle
from model.tiling.sliding_windows import sliding_windows
from model.tiling.tiling import Tiling, TilingLimits

__all__ = ["Rectangle", "ScoreMap", "Tiling", "TilingLimits", "mean_logits", "sliding_windows"]

"""How an image of any size is predicted by a network that reads sides that are multiples of 32."""

from model.tiling.executor import compute_scores
from model.tiling.halo import Halo, network_halo
from model.tiling.plan import Tiling, TilingLimits, plan_tiles
from model.tiling.score_map import ScoreMap

__all__ = ["Halo", "ScoreMap", "Tiling", "TilingLimits", "compute_scores", "network_halo", "plan_tiles"]

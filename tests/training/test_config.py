import pytest

from training.config import TrainConfig
from training.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("crop_size", 0),
        ("crop_size", 100),
        ("min_scale", 0.0),
        ("min_scale", 2.0),
        ("color_jitter", 1.0),
        ("color_jitter", -0.1),
        ("ema_decay", 1.0),
        ("ema_decay", -0.1),
        ("frozen_stages", 6),
        ("frozen_stages", -1),
        ("log_every", 0),
        ("save_every", 0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match="scales" if "scale" in name else name):
        TrainConfig(**{name: value})  # type: ignore[arg-type]

"""NumPy: pixels of each class: ``python -m examples.masks.with_numpy``."""

import numpy as np

from app.client import Client

with Client("http://127.0.0.1:8000") as client:
    mask = client.segment("examples/cat.jpg").mask  # (300, 451) uint8
histogram = np.bincount(mask.ravel(), minlength=21)
print({index: pixels for index, pixels in enumerate(histogram.tolist()) if pixels})

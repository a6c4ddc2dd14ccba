"""A mask by Triton's client: ``python examples/triton_client.py PHOTOGRAPH [HOST:PORT]``; needs tritonclient[http]."""

import sys
from pathlib import Path

import numpy as np
import tritonclient.http as triton

with triton.InferenceServerClient(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:8000") as client:
    image = triton.InferInput("image", [1], "BYTES")
    file = Path(sys.argv[1]).read_bytes()
    image.set_data_from_numpy(np.array([file], dtype=np.object_))
    mask = client.infer("segmentation", [image]).as_numpy("mask")

print(mask.shape, mask.dtype)
for index, pixels in zip(*np.unique(mask, return_counts=True), strict=True):
    print(f"class {index}: {pixels / mask.size:.1%}")

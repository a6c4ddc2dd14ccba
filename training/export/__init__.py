"""From a run to the exported files: weights, ONNX, model card."""

"""From a run to the files that serve: weights, ONNX, model card."""

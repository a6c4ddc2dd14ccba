"""The Open Inference Protocol, version 2: the same service, in the form that clients of inference servers speak."""

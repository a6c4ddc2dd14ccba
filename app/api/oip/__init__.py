"""The Open Inference Protocol, version 2: the same service for clients of inference servers."""

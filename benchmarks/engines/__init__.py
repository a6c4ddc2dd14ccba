"""Comparison of engines that can run a network's body on a CPU, in speed and predictions."""

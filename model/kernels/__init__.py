"""Kernels of our own, in C: compiled when the package is installed, once for each instruction set."""

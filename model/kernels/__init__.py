"""The package's own kernels, in C: compiled when the package is installed, once per instruction set."""

"""Engines that could run a network's body on a CPU, compared in speed and in what they predict."""

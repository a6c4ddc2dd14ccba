"""Evaluation of weights: scores, benchmarks, figures."""

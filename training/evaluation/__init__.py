"""How good weights are: scores, benchmarks, figures."""

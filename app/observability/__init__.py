"""Observability of the service: metrics, log, traces."""

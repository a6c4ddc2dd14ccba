"""The service's routes, one group per file."""

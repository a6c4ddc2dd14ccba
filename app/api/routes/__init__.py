"""The service's routes, one group a file."""

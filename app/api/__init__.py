"""The HTTP interface: routes, schemas, errors and middleware."""

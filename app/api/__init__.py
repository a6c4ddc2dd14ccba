"""The HTTP interface: routes, schemas, errors, and what stands around them."""

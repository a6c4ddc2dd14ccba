"""From an upload to its response: what is admitted, and what is computed when, by which thread."""

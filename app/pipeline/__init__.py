"""From an upload to its answer: what is admitted, and what is computed when, by which thread."""

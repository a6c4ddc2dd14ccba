"""From an upload to its answer: what is admitted, and what is done when, by which thread."""

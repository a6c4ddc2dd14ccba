"""From an upload to its response: which requests are admitted, and which thread computes what, and when."""

"""Decodes image files in separate processes."""

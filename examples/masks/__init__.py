"""Masks in common libraries, in a few lines each. The examples use the service on port 8000."""

"""Masks in the libraries that people use, a few lines each. They ask the service on port 8000."""

"""Small programs that use the service."""

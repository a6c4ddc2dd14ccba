"""The server processes and their connections."""

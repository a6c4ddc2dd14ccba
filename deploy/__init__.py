"""Deployment of the service, and checks of its image."""

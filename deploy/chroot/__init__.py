"""Carries out the Dockerfile's steps without a Docker engine, and tries and measures what they make."""

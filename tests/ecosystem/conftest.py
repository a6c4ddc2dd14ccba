"""The real service and a photograph: fixtures of the service's own tests."""

from tests.app.conftest import cat, server, start_server

__all__ = ["cat", "server", "start_server"]

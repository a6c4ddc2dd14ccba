"""The real service and a photograph, as the service's own tests have them."""

from tests.app.conftest import cat, server, start_server

__all__ = ["cat", "server", "start_server"]

"""What runs around the service, and checks of it."""

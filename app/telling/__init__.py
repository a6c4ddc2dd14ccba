"""What the service says of itself: measures, log, traces."""

"""What the service tells those who run it: metrics, log, spans."""

"""The command line. It imports PyTorch only to compute in this process; the service does not import it."""

"""The command line. It imports PyTorch only where it computes, and nothing of it is part of the service."""

"""The command line. It is not part of the service, and imports PyTorch only to compute in this process."""

"""The network, and prediction for images of any size. Handles tensors, images and files, not HTTP."""

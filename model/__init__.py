"""The network, and how an image of any size is predicted. Knows tensors, images and files; nothing of HTTP."""

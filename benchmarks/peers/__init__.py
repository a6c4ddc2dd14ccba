"""The same network behind other servers, each in its own file, as that server's documentation does it best.

Each takes the bytes of a JPEG and gives a PNG. None has our limits, queue, formats, metrics or orderly end.
"""

"""The same network behind other servers, one per file, following the best practice of that server's documentation.

Each takes the bytes of a JPEG and returns a PNG. None has our limits, queue, formats, metrics or graceful shutdown.
"""

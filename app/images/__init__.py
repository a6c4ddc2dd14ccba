"""From the bytes of an image file to its pixels, in processes of their own."""

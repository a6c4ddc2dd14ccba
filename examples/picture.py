"""Photograph | mask | overlay, made by a running service: ``python -m examples.picture PHOTOGRAPH OUT [URL]``."""

import sys
import urllib.request
from io import BytesIO
from pathlib import Path

from PIL import Image

_GAP = 8


def ask(url: str, photograph: bytes, output: str) -> Image.Image:
    """Post a photograph and return the service's picture in the format ``output``."""
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{url}/segment?format={output}", photograph, headers)
    with urllib.request.urlopen(request) as response:
        return Image.open(BytesIO(response.read())).convert("RGB")


def main(photograph: Path, out: Path, url: str) -> None:
    """Write photograph, mask and overlay side by side."""
    data = photograph.read_bytes()
    panels = [Image.open(BytesIO(data)).convert("RGB"), ask(url, data, "png"), ask(url, data, "overlay")]
    width, height = panels[0].size
    sheet = Image.new("RGB", (len(panels) * (width + _GAP) - _GAP, height), "white")
    for number, panel in enumerate(panels):
        sheet.paste(panel, (number * (width + _GAP), 0))
    sheet.save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "http://127.0.0.1:8000")

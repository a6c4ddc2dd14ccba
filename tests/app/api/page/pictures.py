"""Pictures on the page, and the service's responses for the same images."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.app.server_process import ServerProcess

WORK_MS = 600_000
"""Milliseconds that the service may take for an image on a busy machine."""


class Reference:
    """Asks the service directly, not through the page."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server

    def indices(self, image: Path) -> NDArray[np.uint8]:
        """Class of every pixel, (height, width) uint8."""
        return decoded(self._ask(image, "png"))

    def overlay(self, image: Path, alpha: float) -> NDArray[np.uint8]:
        """Overlay, (height, width, 3) uint8."""
        return decoded(self._ask(image, f"overlay&alpha={alpha}"))

    def classes(self, image: Path) -> list[dict[str, Any]]:
        with self._server.client() as client:
            answer = client.post("/segment?format=json&mask=none", content=image.read_bytes())
        classes: list[dict[str, Any]] = answer.json()["classes"]
        return classes

    def _ask(self, image: Path, query: str) -> bytes:
        with self._server.client() as client:
            answer = client.post(f"/segment?format={query}", content=image.read_bytes())
        assert answer.status_code == 200
        return answer.content


def decoded(picture: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(picture)) as opened:
        return np.array(opened)


def open_image(page: Page, image: Path) -> None:
    """Choose an image and wait for its mask."""
    page.set_input_files("#file", image)
    expect_size(page, image)


def expect_size(page: Page, image: Path) -> None:
    with Image.open(image) as picture:
        size = f"{picture.width} × {picture.height} pixels"
    expect(page.locator("#status")).to_contain_text(size, timeout=WORK_MS)


def canvas(page: Page, name: str) -> NDArray[np.uint8]:
    """Content of one of the page's canvases, "photo" or "mask": (height, width, 4) uint8 RGBA."""
    address: str = page.evaluate("(name) => document.getElementById(name).toDataURL('image/png')", name)
    return decoded(base64.b64decode(address.partition(",")[2]))


def stage(page: Page) -> NDArray[np.uint8]:
    """Screenshot of the stage, (height, width, 3) uint8."""
    return decoded(page.locator("#stage").screenshot())[..., :3]

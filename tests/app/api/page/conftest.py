import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.app.api.page.pictures import Reference
from tests.app.browser import CHROMIUM, open_browser, open_page
from tests.app.server_process import ForkedServer, ServerProcess

KEY = "my-key"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: install the package chromium")
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """The service's page, opened in the browser."""
    options = {"permissions": ["clipboard-read", "clipboard-write"]}
    with open_page(browser, server.url, **options) as page:
        page.goto("/")
        yield page


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A service that requires an API key."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"me {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    with ForkedServer(api_keys_file=keys) as server:
        yield server


@pytest.fixture(scope="session")
def cat_file(examples: Path) -> Path:
    return examples / "cat.jpg"


@pytest.fixture(scope="session")
def astronaut_file(examples: Path) -> Path:
    return examples / "astronaut.jpg"


@pytest.fixture(scope="session")
def tiff_file(astronaut_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut in a format that browsers do not show."""
    path = tmp_path_factory.mktemp("tiff") / "astronaut.tif"
    with Image.open(astronaut_file) as picture:
        picture.save(path)
    return path


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 60 megapixels, which keeps the service busy for long, but not the browser, which cannot show it."""
    path = tmp_path_factory.mktemp("big") / "big.tif"
    Image.new("RGB", (8000, 7500), "teal").save(path, compression="tiff_deflate")
    return path


@pytest.fixture(scope="session")
def wide_file(astronaut_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, 8400 x 100: wider than the page's canvases, and quickly segmented."""
    path = tmp_path_factory.mktemp("wide") / "wide.jpg"
    with Image.open(astronaut_file) as picture:
        picture.resize((8400, 100)).save(path)
    return path


@pytest.fixture(scope="session")
def reference(server: ServerProcess) -> Reference:
    """The service's responses without the page."""
    return Reference(server)

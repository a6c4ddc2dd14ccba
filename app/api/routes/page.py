"""``GET /``: the web page."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

_STATIC = Path(__file__).parent.parent / "static"

# Otherwise a browser could mix modules of the page from before and after an upgrade.
_ASK_AGAIN = {"Cache-Control": "no-cache"}

router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """The page's static files."""

    def __init__(self) -> None:
        super().__init__(directory=_STATIC)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_ASK_AGAIN)
        return response


@router.get("/")
async def page() -> FileResponse:
    """The page, which sends an image and shows its mask."""
    return FileResponse(_STATIC / "index.html", media_type="text/html", headers=_ASK_AGAIN)

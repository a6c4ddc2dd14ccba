"""``GET /``: the page for people."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

STATIC = Path(__file__).parent.parent / "static"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    """A form that sends an image and shows its mask."""
    return FileResponse(STATIC / "index.html", media_type="text/html")

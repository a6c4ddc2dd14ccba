"""``GET /docs`` and ``/redoc``: the HTTP reference, without files from other servers."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

FILES_PATH = "/static-offline-docs"

# Relative, so that they work behind a proxy with any path prefix.
_FILES = FILES_PATH.removeprefix("/")
_DOCUMENT = "openapi.json"
_ICON = f"{_FILES}/favicon.png"

router = APIRouter(include_in_schema=False)


class ReferenceFiles(StaticFiles):
    """The pages' static files."""

    def __init__(self) -> None:
        super().__init__(packages=[("fastapi_offline", "static")])


@router.get("/docs")
async def swagger(request: Request) -> HTMLResponse:
    """Swagger UI, to try requests."""
    return get_swagger_ui_html(
        openapi_url=_DOCUMENT,
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FILES}/swagger-ui.css",
        swagger_favicon_url=_ICON,
    )


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """ReDoc, to read."""
    return get_redoc_html(
        openapi_url=_DOCUMENT,
        title=f"{request.app.title} - ReDoc",
        redoc_js_url=f"{_FILES}/redoc.standalone.js",
        redoc_favicon_url=_ICON,
        with_google_fonts=False,
    )

"""The web page: built files, served beside the API. Without them, a page that says how to make them."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
_HINT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Suanwang 算網</title>
<h1>Suanwang 算網</h1><p>The brain is running. Its web page is not built in this installation: run <code>make web</code>,
then load this page again.</p><p>API: <a href="v1/openapi.json">v1/openapi.json</a></p></html>"""


class _Hashed(StaticFiles):
    """Built files carry a hash in their names, so they may be kept for ever."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer

    async def check_config(self) -> None:
        if not Path(str(self.directory)).is_dir():
            raise HTTPException(404)  # the page is not built
        await super().check_config()


def install(app: FastAPI, static: Path = STATIC) -> None:
    """Serve the page at `/`, its files at `/assets`."""

    def index(_: object) -> Response:
        page = static / "index.html"
        headers = {"Cache-Control": "no-cache"}
        return FileResponse(page, headers=headers) if page.is_file() else HTMLResponse(_HINT, headers=headers)

    def mark(_: object) -> Response:
        path = static / "favicon.svg"
        return FileResponse(path) if path.is_file() else Response(status_code=204)

    app.router.routes.append(Route("/", index))
    app.router.routes.append(Route("/favicon.svg", mark))
    app.router.routes.append(Mount("/assets", _Hashed(directory=static / "assets", check_dir=False)))

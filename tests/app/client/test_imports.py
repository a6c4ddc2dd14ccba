import subprocess
import sys

from tests.app.conftest import EXAMPLES
from tests.app.server_process import ServerProcess

_WITHOUT_SERVICE = """
import sys

FORBIDDEN = {"torch", "torchvision", "fastapi", "starlette", "pydantic", "uvicorn", "orjson", "model"}


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"the client imports {name}")


sys.meta_path.insert(0, Finder())

import asyncio
from app.client import AsyncClient, Client

url, image = sys.argv[1:]
with Client(url) as client:
    found = client.segment(image)
    assert found.overlay().size == (451, 300)


async def main():
    async with AsyncClient(url) as client:
        return await client.segment(image)

assert (asyncio.run(main()).mask == found.mask).all()
assert not FORBIDDEN & set(sys.modules)
print(*(share.name for share in found.classes))
"""


def test_neither_torch_nor_the_service_s_libraries_are_needed(server: ServerProcess) -> None:
    command = [sys.executable, "-c", _WITHOUT_SERVICE, server.url, str(EXAMPLES / "cat.jpg")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "cat" in ended.stdout.split()

import socket
import subprocess
import sys
from pathlib import Path

from app.environment import WORKERS_FOLDER
from app.server.channel import Message
from tests.app.server_process import Upload, environment


def test_a_worker_without_its_supervisor_finishes_what_it_has_accepted_and_ends(tmp_path: Path, cat: bytes) -> None:
    measures = tmp_path / "measures"
    measures.mkdir()
    supervisor, channel = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    descriptors = [listener.fileno(), channel.fileno()]
    worker = subprocess.Popen(
        [sys.executable, "-m", "app.server.worker", *map(str, descriptors)],
        env=environment({"workers": 2}) | {"PROMETHEUS_MULTIPROC_DIR": str(measures), WORKERS_FOLDER: str(measures)},
        pass_fds=descriptors,
        cwd=Path(__file__).parents[3],
    )
    listener.close()
    channel.close()
    with supervisor:
        supervisor.settimeout(60)
        assert Message(supervisor.recv(1)) is Message.READY
        upload = Upload(port, cat, sent=1000)
        assert Message(supervisor.recv(1)) is Message.HEARTBEAT
        assert _is_listening(port)
    response = upload.finish()
    assert response.startswith(b"HTTP/1.1 200")
    assert worker.wait(timeout=20) == 0
    assert not _is_listening(port)
    assert not measures.exists()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

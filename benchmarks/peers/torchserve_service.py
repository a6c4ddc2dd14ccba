"""TorchServe, archived by its authors in 2025; needs a Java runtime.

    python -m benchmarks.peers.torchserve_service PORT

Builds the model archive and starts TorchServe with it: HTTP in Java, one Python worker per core and no batching, the
defaults.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

_ROOT = Path(__file__).parents[2]
_SCRIPTS = Path(sysconfig.get_path("scripts"))

_PROPERTIES = """\
inference_address=http://127.0.0.1:{port}
management_address=http://127.0.0.1:0
metrics_address=http://127.0.0.1:0
enable_grpc=false
disable_system_metrics=true
"""


def main() -> None:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "PATH": f"{_SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    with TemporaryDirectory() as folder:
        properties = Path(folder) / "config.properties"
        properties.write_text(_PROPERTIES.format(port=sys.argv[1]))
        handler = _ROOT / "benchmarks" / "peers" / "torchserve_handler.py"
        archive = ("--model-name", "segment", "--version", "1.0", "--handler", str(handler), "--export-path", folder)
        subprocess.run([_SCRIPTS / "torch-model-archiver", *archive], check=True, env=environment)
        models = ("--model-store", folder, "--models", "segment=segment.mar", "--ts-config", str(properties))
        start = ("--start", "--foreground", "--ncs", "--disable-token-auth", *models)
        # TorchServe writes its logs to the working directory.
        subprocess.run([_SCRIPTS / "torchserve", *start], check=True, env=environment, cwd=folder)


if __name__ == "__main__":
    main()

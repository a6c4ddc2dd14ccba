import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from app import problems
from app.api.application import create_app
from app.settings import Settings
from model.checkpoint import Checkpoint, Summary
from tests.app.problems import require_problem
from tests.model.random_checkpoint import random_checkpoint
from training.export.export import export

ADMIN = {"Authorization": "Bearer admin-key"}


def line_of(name: str, key: str, scopes: str) -> str:
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()} {scopes}\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(line_of("operator", "admin-key", "admin,segment") + line_of("camera", "camera-key", "segment"))
    return path


@pytest.fixture
def weights(tmp_path: Path, small_weights: Path) -> Path:
    return Path(shutil.copy(small_weights, tmp_path / "weights.safetensors"))


@pytest.fixture
def guarded(keys: Path, weights: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(threads=1, api_keys_file=keys, weights=weights))) as client:
        yield client


def test_without_keys_nobody_may_and_the_answer_says_how(client: TestClient) -> None:
    document = require_problem(client.post("/admin/reload"), problems.FORBIDDEN)
    assert "FCN_API_KEYS_FILE" in document["detail"]
    require_problem(client.post("/admin/reload", headers=ADMIN), problems.FORBIDDEN)


def test_only_keys_with_the_scope_may(guarded: TestClient) -> None:
    require_problem(guarded.post("/admin/reload"), problems.UNAUTHORIZED)
    document = require_problem(guarded.post("/admin/reload", headers={"X-API-Key": "camera-key"}), problems.FORBIDDEN)
    assert document["detail"] == "the key of camera lacks the scope admin"


def test_new_weights_and_keys_serve_after_a_reload(guarded: TestClient, keys: Path, weights: Path) -> None:
    before = guarded.get("/model", headers=ADMIN).json()["sha256"]
    export(random_checkpoint(seed=1), np.zeros((32, 32, 3), np.uint8), Summary(name="new"), weights)
    keys.write_text(line_of("operator", "admin-key", "admin,segment"))
    answer = guarded.post("/admin/reload", headers=ADMIN)
    assert answer.status_code == 200
    assert answer.json() == {"sha256": Checkpoint.load(weights).digest, "keys": 1}
    assert guarded.get("/model", headers=ADMIN).json()["sha256"] == answer.json()["sha256"] != before
    require_problem(guarded.get("/model", headers={"X-API-Key": "camera-key"}), problems.UNAUTHORIZED)


def test_bad_weights_are_refused_and_the_old_ones_serve(guarded: TestClient, weights: Path, cat: bytes) -> None:
    weights.write_bytes(weights.read_bytes()[:1000])
    document = require_problem(guarded.post("/admin/reload", headers=ADMIN), problems.RELOAD_FAILED)
    assert str(weights) in document["detail"]
    assert guarded.post("/segment", content=cat, headers=ADMIN).status_code == 200


def test_bad_keys_are_refused_and_the_old_ones_hold(guarded: TestClient, keys: Path) -> None:
    keys.write_text("nonsense\n")
    document = require_problem(guarded.post("/admin/reload", headers=ADMIN), problems.RELOAD_FAILED)
    assert "line 1" in document["detail"]
    assert guarded.get("/model", headers={"X-API-Key": "camera-key"}).status_code == 200

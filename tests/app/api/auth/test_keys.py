import hashlib
import hmac
import subprocess
import sys
from pathlib import Path

import pytest

from app.api.auth.keys import Key, Keys, KeyScope, KeysError, main, parse_keys

HASH = hashlib.sha256(b"secret").hexdigest()
OTHER_HASH = hashlib.sha256(b"other").hexdigest()


def keys_of(path: Path, text: str) -> Keys:
    path.write_text(text)
    keys = Keys(path)
    keys.reload()
    return keys


def test_a_line_is_a_name_a_hash_and_scopes() -> None:
    text = f"# who may\n\ncamera-1  {HASH.upper()}\ngrafana\t{OTHER_HASH} metrics,admin  # until summer\n"
    camera, grafana = parse_keys(text)
    assert camera == Key("camera-1", bytes.fromhex(HASH), frozenset({KeyScope.SEGMENT}))
    assert grafana == Key("grafana", bytes.fromhex(OTHER_HASH), frozenset({KeyScope.METRICS, KeyScope.ADMIN}))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("camera", "line 2: a key has a name, a hash"),
        (f"camera {HASH} segment, metrics", "line 2: a key has a name, a hash"),
        (f"camera {HASH[1:]}", "line 2: after the name camera comes the SHA-256"),
        (f"cam\x1bera {HASH}", "line 2: a name has 1 to 64 letters"),
        (f"{'c' * 65} {HASH}", "line 2: a name has 1 to 64 letters"),
        (f"camera {HASH} everything", "line 2: the scopes of camera are not all of segment, metrics, admin"),
        (f"camera {HASH} segment,", "line 2: the scopes of camera"),
        (f"camera {OTHER_HASH}", "line 2: camera has the same key as first"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, reason: str) -> None:
    with pytest.raises(KeysError, match=reason):
        parse_keys(f"first {OTHER_HASH}\n{line}\n")


@pytest.mark.parametrize("text", ["", "# nobody yet\n\n"])
def test_a_file_without_keys_is_a_mistake(text: str) -> None:
    with pytest.raises(KeysError, match="there are none"):
        parse_keys(text)


def test_a_key_in_the_place_of_its_hash_is_not_told() -> None:
    with pytest.raises(KeysError) as raised:
        parse_keys("camera a-key-that-somebody-pasted")
    assert "pasted" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"missing\.txt cannot be read: No such file"):
        Keys(tmp_path / "missing.txt").reload()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeysError, match="binary cannot be read: it is not text"):
        Keys(tmp_path / "binary").reload()


def test_nothing_is_open_before_the_file_was_read(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"camera {HASH}")
    assert Keys(tmp_path / "keys").find("secret") is None


def test_the_right_key_is_found_among_many_and_no_other(tmp_path: Path) -> None:
    lines = [f"client-{number} {hashlib.sha256(b'%d' % number).hexdigest()}" for number in range(50)]
    keys = keys_of(tmp_path / "keys", "\n".join(lines))
    assert len(keys) == 50
    for number in range(50):
        found = keys.find(str(number))
        assert found is not None
        assert found.name == f"client-{number}"
    for wrong in ("50", "", " 1", hashlib.sha256(b"1").hexdigest(), "1" * 10_000_000):
        assert keys.find(wrong) is None


@pytest.mark.parametrize("presented", ["0", "49", "unknown"])
def test_every_hash_is_compared_whichever_key_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, presented: str
) -> None:
    lines = [f"client-{number} {hashlib.sha256(b'%d' % number).hexdigest()}" for number in range(50)]
    keys = keys_of(tmp_path / "keys", "\n".join(lines))
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys.find(presented)
    assert len(compared) == 50


def test_a_key_may_be_any_text_that_a_header_carries(tmp_path: Path) -> None:
    keys = keys_of(tmp_path / "keys", f"camera {hashlib.sha256('schlüssel'.encode()).hexdigest()}")
    assert keys.find("schlüssel".encode().decode("latin-1")) is not None


def test_reloading_rotates(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keys = keys_of(path, f"camera {HASH}")
    path.write_text(f"camera {HASH}\ncamera {OTHER_HASH}\n")
    keys.reload()
    assert keys.find("secret") is not None
    assert keys.find("other") is not None
    path.write_text(f"camera {OTHER_HASH}\n")
    keys.reload()
    assert keys.find("secret") is None
    assert keys.find("other") is not None


def test_a_malformed_file_leaves_the_old_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keys = keys_of(path, f"camera {HASH}")
    path.write_text(f"camera {OTHER_HASH}\nnonsense\n")
    with pytest.raises(KeysError, match="keys cannot be used: line 2"):
        keys.reload()
    assert keys.find("secret") is not None
    assert keys.find("other") is None


def test_the_command_makes_a_key_that_its_line_knows(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.api.auth.keys", "grafana", "--scopes", "segment,metrics"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    key = made.stderr.split()[-1]
    assert len(key) == 43
    assert key not in made.stdout
    found = keys_of(tmp_path / "keys", made.stdout).find(key)
    assert found is not None
    assert found.name == "grafana"
    assert found.scopes == frozenset({KeyScope.SEGMENT, KeyScope.METRICS})


@pytest.mark.parametrize("arguments", [["two words"], ["camera", "--scopes", "everything"]])
def test_the_command_makes_no_line_that_could_not_be_read(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    said = capsys.readouterr()
    assert not said.out
    assert "error: " in said.err

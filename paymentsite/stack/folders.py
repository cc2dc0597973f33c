"""Where one running instance keeps its state, and the secrets that an instance makes for itself."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from paymentsite.stack.children import CannotStart

# A unix socket's path must fit sockaddr_un (108 bytes with its final NUL); the longest name below the folder is
# PostgreSQL's lock file.
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"


class StateFolder:
    """The layout below PAYMENTSITE_STATE: data of the embedded servers, logs, sockets, secrets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.postgres_data = path / "postgres"
        self.valkey_data = path / "valkey"
        self.log_folder = path / "log"
        self.secret_folder = path / "secrets"
        self.static_folder = path / "static"
        self.metrics_folder = path / "metrics"
        self.lock_file = path / "run.lock"
        self.staff_password_file = self.secret_folder / "staff_password"
        self.demo_webhook_secret_file = self.secret_folder / "demo_webhook_secret"
        self.demo_api_key_file = self.secret_folder / "demo_api_key"
        self.demo_approver_key_file = self.secret_folder / "demo_approver_key"
        # There while the demo data is still to be loaded.
        self.demo_wanted_file = path / "demo.wanted"

    @property
    def run_folder(self) -> Path:
        """Sockets and addresses of what runs now. A deep checkout gets a short folder below the temporary one."""
        folder = self.path / "run"
        if len(str(folder).encode()) + len(LONGEST_SOCKET_NAME) <= SOCKET_PATH_LIMIT:
            return folder
        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"paymentsite-{os.getuid()}-{digest}"

    def make(self) -> None:
        """Makes the folders that only this user may enter.

        Raises CannotStart when one of them cannot be made, or when somebody else was first to make the run folder,
        whose short name below the temporary folder anybody can guess.
        """
        for folder in (self.path, self.run_folder, self.log_folder, self.secret_folder, self.metrics_folder):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise CannotStart(f"The folder {folder} cannot be made: {error.strerror}.") from error
        found = self.run_folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise CannotStart(f"{self.run_folder} belongs to somebody else: set PAYMENTSITE_STATE to a shorter path.")
        # Whichever process was first made the folders with its own mask; what is below is for this user alone.
        for folder in (self.path, self.run_folder):
            folder.chmod(0o700)

    @property
    def postgres_socket_folder(self) -> Path:
        return self.run_folder

    @property
    def valkey_socket(self) -> Path:
        return self.run_folder / "valkey.sock"

    @property
    def kafka_address_file(self) -> Path:
        return self.run_folder / "kafka.address"

    @property
    def simulators_address_file(self) -> Path:
        return self.run_folder / "simulators.json"


def secret_from(state: StateFolder, name: str, *, mode: str) -> str:
    """The secret kept under this name, made on first use: 32 random bytes as URL-safe base64.

    In production a secret must come from the environment, because several machines must agree on it; then this ends
    the process with one line that names the variable.
    """
    if mode == "production":
        variable = {"secret_key": "SECRET_KEY", "field_encryption_key": "FIELD_ENCRYPTION_KEYS"}[name]
        raise SystemExit(f"{variable} is not set: with NODE_ENV=production it must be, and be the same everywhere.")
    path = state.secret_folder / name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    state.secret_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    try:
        # link() fails when another process was first, and then both read the same secret.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()

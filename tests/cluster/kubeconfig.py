"""The files that tell a client where the API server is and who it is. `control_plane.py` writes one for each user a test asks for."""

import json
from pathlib import Path
from typing import Any


def write_kubeconfig(file: Path, *, url: str, certificate_authority: dict[str, Any], token: str) -> Path:
    """`certificate_authority` holds the fields by which a cluster's entry says whom to trust."""
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": url, **certificate_authority}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
        "current-context": "tests",
    }
    file.write_text(json.dumps(whole, indent=1))
    file.chmod(0o600)
    return file

"""Reads a kubeconfig: which API server, how it is trusted, and who asks."""

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from suanwang.agent.adapters.kubernetes.api import Connection
from suanwang.model.error import Fault, FaultsError

IN_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def find_kubeconfig(named: str) -> Path | None:
    """The operator's, else the first that KUBECONFIG names, else ~/.kube/config; None inside a pod, which has its own way."""
    if named:
        return Path(named)
    for word in os.environ.get("KUBECONFIG", "").split(":"):
        if word:
            return Path(word)
    path = Path.home() / ".kube/config"
    return None if not path.exists() and (IN_POD / "token").exists() else path


def connect(named: str, context: str | None = None) -> Connection:
    """How the API server is reached. Raises FaultsError."""
    path = find_kubeconfig(named)
    return _in_pod() if path is None else read_kubeconfig(path, context)


def _in_pod() -> Connection:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    name = f"[{host}]" if ":" in host else host
    return Connection(
        server=f"https://{name}:{port}",
        verify=ssl.create_default_context(cafile=str(IN_POD / "ca.crt")),
        token_file=str(IN_POD / "token"),
        namespace=(IN_POD / "namespace").read_text().strip(),
    )


def read_kubeconfig(path: Path, context: str | None = None) -> Connection:
    """One context of the file, the current one where none is named. Raises FaultsError with what is wrong."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise _fault("kubeconfig_unread", path, detail=fault.strerror or "") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise _fault("kubeconfig_form", path, detail=" ".join(str(fault).split())[:200]) from fault
    if not isinstance(found, dict):
        raise _fault("kubeconfig_form", path, detail="no mapping")
    name = context or str(found.get("current-context") or "")
    chosen = _named(found, "contexts", name, "context", path)
    cluster = _named(found, "clusters", str(chosen.get("cluster") or ""), "cluster", path)
    user = _named(found, "users", str(chosen.get("user") or ""), "user", path)
    if not str(cluster.get("server", "")).startswith(("https://", "http://")):
        raise _fault("kubeconfig_form", path, detail=f"the cluster of context {name} has no server")
    if "exec" in user or "auth-provider" in user:
        raise _fault("kubeconfig_exec", path, context=name)
    try:
        return Connection(
            server=str(cluster["server"]).rstrip("/"),
            verify=_trust(cluster, user, path.parent),
            headers=_headers(user),
            token_file=_beside(path.parent, user["tokenFile"]) if user.get("tokenFile") else None,
            namespace=str(chosen.get("namespace") or "default"),
        )
    except (OSError, ssl.SSLError, binascii.Error, ValueError) as fault:
        raise _fault("kubeconfig_form", path, detail=str(fault)[:200]) from fault


def _named(found: Mapping[str, Any], kind: str, name: str, inner: str, path: Path) -> Mapping[str, Any]:
    entries = [one for one in found.get(kind) or [] if isinstance(one, dict)]
    for one in entries:
        if one.get("name") == name and isinstance(one.get(inner), dict):
            return dict(one[inner])
    known = ", ".join(str(one.get("name")) for one in entries) or "-"
    raise _fault("kubeconfig_lacks", path, kind=kind, name=name or "-", known=known)


def _headers(user: Mapping[str, Any]) -> dict[str, str]:
    if user.get("token"):
        return {"Authorization": f"Bearer {user['token']}"}
    if user.get("username"):
        text = f"{user['username']}:{user.get('password', '')}"
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
    return {}


def _trust(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    if cluster.get("certificate-authority-data"):
        out = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    elif cluster.get("certificate-authority"):
        out = ssl.create_default_context(cafile=_beside(folder, cluster["certificate-authority"]))
    else:
        out = ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):  # the operator's own word, in the operator's own file
        out.check_hostname = False
        out.verify_mode = ssl.CERT_NONE
    _show_certificate(out, user, folder)
    return out


def _show_certificate(out: ssl.SSLContext, user: Mapping[str, Any], folder: Path) -> None:
    """The client's own certificate. The library reads files alone, so what is in the kubeconfig goes through one."""
    if user.get("client-certificate"):
        out.load_cert_chain(_beside(folder, user["client-certificate"]), _beside(folder, user["client-key"]))
    elif user.get("client-certificate-data"):
        with tempfile.NamedTemporaryFile() as both:
            both.write(base64.b64decode(user["client-certificate-data"]) + b"\n")
            both.write(base64.b64decode(user["client-key-data"]))
            both.flush()
            out.load_cert_chain(both.name)


def _beside(folder: Path, path: object) -> str:
    """Paths in the file are relative to it."""
    return str(folder / str(path))


def _fault(code: str, path: Path, **params: str) -> FaultsError:
    return FaultsError([Fault(code, "kubeconfig", str(path), None, dict(params))], "agent")

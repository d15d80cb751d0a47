"""What a NATS server of the brain's own needs on disk: identities, a certificate, one configuration file.

Everything is below `<home>/nats`, readable by its owner alone, and made again where it is missing or about to run out.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from suanwang.bus.nkeys import KeyPair, Kind, account_jwt, operator_jwt
from suanwang.runtime.ids import new_seed_bytes
from suanwang.runtime.private import write_private

AUTHORITY_DAYS: Final = 3_650
CERTIFICATE_DAYS: Final = 397
RENEW_DAYS: Final = 30
DISK_BYTES: Final = 8 * 1024**3  # what the streams of the account may hold
MEMORY_BYTES: Final = 256 * 1024**2
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True)
class Identities:
    """Operator, account, system account. The account signs the users that the brain lets in."""

    operator: KeyPair
    account: KeyPair
    system: KeyPair


def identities(folder: Path) -> Identities:
    """Of this home; made once."""
    path = folder / "identities.json"
    if not path.exists():
        made = {
            name: KeyPair(kind, new_seed_bytes()).seed
            for name, kind in (("operator", Kind.OPERATOR), ("account", Kind.ACCOUNT), ("system", Kind.ACCOUNT))
        }
        write_private(path, json.dumps(made))
    held = json.loads(path.read_text())
    return Identities(*(KeyPair.of_seed(held[name]) for name in ("operator", "account", "system")))


# -- certificate -------------------------------------------------------------------------------------------------


def authority(folder: Path) -> str:
    """PEM of the authority that signs the server's certificate: what agents pin."""
    return (folder / "authority.pem").read_text()


def certify(folder: Path, hosts: tuple[str, ...], now_us: int) -> bool:
    """See to a certificate for these hosts that does not run out soon. True where a new one was made."""
    now = datetime.fromtimestamp(now_us / 1_000_000, UTC)
    if _holds(folder / "server.pem", hosts, now):
        return False
    signer_key, signer = _authority(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    names = [_general(host) for host in hosts]
    made = (
        x509.CertificateBuilder()
        .subject_name(_name("Suanwang NATS server"))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), critical=False)
        .sign(signer_key, hashes.SHA256())
    )
    write_private(folder / "server.key", _pem_of(key))
    write_private(folder / "server.pem", made.public_bytes(_PEM).decode())
    return True


def _holds(path: Path, hosts: tuple[str, ...], now: datetime) -> bool:
    if not path.exists():
        return False
    held = x509.load_pem_x509_certificate(path.read_bytes())
    names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = held.not_valid_before_utc <= now < held.not_valid_after_utc - timedelta(days=RENEW_DAYS)
    return lasts and list(names) == [_general(host) for host in hosts]


def _authority(folder: Path, now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_path, path = folder / "authority.key", folder / "authority.pem"
    if key_path.exists() and path.exists():
        held = serialization.load_pem_private_key(key_path.read_bytes(), None)
        assert isinstance(held, ec.EllipticCurvePrivateKey), "the authority's key is ours"
        return held, x509.load_pem_x509_certificate(path.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Suanwang bus authority")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _pem_of(key))
    write_private(path, made.public_bytes(_PEM).decode())
    return key, made


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain).decode()


# -- configuration -----------------------------------------------------------------------------------------------


def configure(folder: Path, host: str, port: int, hosts: tuple[str, ...], now_us: int) -> bool:
    """Write the server's configuration with all that it names. True where a server that runs must be started again."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = identities(folder)
    changed = certify(folder, hosts, now_us)
    path = folder / "server.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    issued_s = now_us // 1_000_000
    wanted = {
        "host": host,
        "port": port,
        "server_name": "suanwang",
        "pid_file": str(folder / "server.pid"),
        "log_file": str(folder / "server.log"),
        "logfile_size_limit": 4 * 1024**2,
        "logfile_max_num": 3,
        "jetstream": {
            "store_dir": str(folder / "store"),
            "max_file_store": DISK_BYTES,
            "max_memory_store": MEMORY_BYTES,
        },
        "tls": {"cert_file": str(folder / "server.pem"), "key_file": str(folder / "server.key"), "timeout": 10},
        "operator": operator_jwt(own.operator, "suanwang", own.system.public, issued_s),
        "system_account": own.system.public,
        "resolver": "MEMORY",
        "resolver_preload": {
            own.system.public: account_jwt(own.operator, own.system.public, "system", issued_s),
            own.account.public: account_jwt(
                own.operator, own.account.public, "suanwang", issued_s, DISK_BYTES, MEMORY_BYTES
            ),
        },
    }
    if _plain(before) == _plain(wanted) and not changed:
        return False
    write_private(path, json.dumps(wanted, indent=1))
    return True


def _plain(config: dict[str, object]) -> dict[str, object]:
    """Without what only says when it was written."""
    return {name: value for name, value in config.items() if name not in ("operator", "resolver_preload")}


def remember_port(folder: Path, choose: int) -> int:
    """The port of a home that asked for any: the same one after every start."""
    path = folder / "port"
    if path.exists():
        return int(path.read_text())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, str(choose))
    return choose

"""A real Ray head on this host, in a network and a process namespace of its own, and a way in to its dashboard.

Ray listens on all addresses for several ports and cannot be told not to, so nothing of it is in the host's network. A relay
holds the network namespace and takes connections on a port of 127.0.0.1; the head inside can be killed and started again while
the address stays. Ray comes from `tools/ray.sh`, which keeps it outside the checkout.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

TOOL = Path(__file__).parents[2] / "tools/ray.sh"
PORT = 8265
WAIT_S = 180.0
CPUS, GPUS = 8, 2
NEWNET = 0x40000000  # clone(2)
PDEATHSIG = 1  # prctl(2)


def lacking() -> str | None:
    """Why no head can run here, or None. Ray itself may still have to be installed."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "needs unshare and nsenter"
    return None


class RayHead:
    """Of one session of tests. Tests may kill it, as long as it is back at their end."""

    def __init__(self) -> None:
        self.bin = Path(subprocess.run([TOOL], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
        self.folder = Path(tempfile.mkdtemp(prefix="swray"))  # short: Ray makes sockets below it
        self.folder.chmod(0o755)
        self._head: subprocess.Popen[bytes] | None = None
        self._starts = 0
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self._relay = subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno())],
                pass_fds=[listener.fileno()],
                stdout=subprocess.PIPE,
                preexec_fn=_end_with_the_tests,
            )
        assert self._relay.stdout is not None
        assert self._relay.stdout.readline() == b"ready\n", "the relay has its namespace"
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """A head that knows nothing of an earlier one."""
        self._starts += 1
        ray = [
            self.bin / "ray", "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--port=6379",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={PORT}", f"--num-cpus={CPUS}", f"--num-gpus={GPUS}",
            '--resources={"accelerator_type:A100": 1}', "--object-store-memory=100000000", "--disable-usage-stats",
            f"--temp-dir={self.folder}/{self._starts}",
        ]  # fmt: skip
        inside = ["nsenter", "-t", str(self._relay.pid), "-n", "unshare", "-p", "-f", "--kill-child", "--mount-proc"]
        with (self.folder / "ray.log").open("ab") as log:
            self._head = subprocess.Popen(
                [*inside, *ray],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=_end_with_the_tests,
                env={"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder), "RAY_USAGE_STATS_ENABLED": "0"},
            )
        gives_up_s = time.monotonic() + WAIT_S
        while not self._answers():
            assert time.monotonic() < gives_up_s and self._head.poll() is None, (self.folder / "ray.log").read_text()
            time.sleep(0.2)

    def _answers(self) -> bool:
        """The dashboard is up before the nodes that it tells of."""
        try:
            return bool(self.ask("GET", "/api/v0/nodes")["data"]["result"]["result"])
        except (httpx.HTTPError, KeyError, TypeError):
            return False

    @property
    def alive(self) -> bool:
        return self._head is not None

    def kill(self) -> None:
        """As a power cut does: the whole namespace at once."""
        if self._head is not None:
            self._head.kill()
            self._head.wait()
            self._head = None
            shutil.rmtree(self.folder / str(self._starts), ignore_errors=True)

    def restart(self) -> None:
        self.kill()
        self.start()

    def ask(self, method: str, path: str, **rest: Any) -> Any:
        """The dashboard's own answer, beside the adapter."""
        answer = httpx.request(method, self.url + path, timeout=20, **rest)
        answer.raise_for_status()
        return answer.json()

    def jobs(self, name: str) -> list[dict]:
        """Those whose submission has `name` in front."""
        return [one for one in self.ask("GET", "/api/jobs/") if str(one.get("submission_id")).startswith(name)]

    def close(self) -> None:
        self.kill()
        self._relay.kill()
        self._relay.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


def _end_with_the_tests() -> None:
    """In the child: killed when the process of the tests is, however that ends."""
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _serve(listener: socket.socket) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await asyncio.open_connection("127.0.0.1", PORT)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, inner[1]), _carry(inner[0], writer))

    server = await asyncio.start_server(take, sock=listener)
    print("ready", flush=True)
    await server.serve_forever()


def relay(descriptor: int) -> None:
    """A socket stays in the network that it was made in, so this one is the host's, and what is made from here on is not."""
    listener = socket.socket(fileno=descriptor)
    if ctypes.CDLL(None, use_errno=True).unshare(NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    asyncio.run(_serve(listener))


if __name__ == "__main__":
    relay(int(sys.argv[1]))

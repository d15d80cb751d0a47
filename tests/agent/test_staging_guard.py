"""HTTP inputs: what an address may be, and that no trick gets around the judgement."""

import ipaddress
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from suanwang.agent.guard import Downloads, is_allowed, is_public
from suanwang.agent.rules import HttpRules
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("64:ff9b::5db8:d822", True),  # NAT64 of a public address
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),  # metadata of one provider, in the carriers' range
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),  # 6to4 of 127.0.0.1
        ("2001:0:7f00:1:0:0:80ff:fffe", False),  # Teredo with a loopback in it
        ("fe80::1", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(ipaddress.ip_address(address)) is public


def test_a_mapped_public_address_is_judged_as_what_it_maps():
    assert is_public(ipaddress.ip_address("::ffff:93.184.216.34"))


def test_the_operator_opens_by_network_or_by_name():
    rules = HttpRules(allowed_hosts=frozenset({"data.lab"}), allowed_networks=LOOPBACK)
    here, lab = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("10.1.2.3")
    assert is_allowed("x", here, rules)
    assert is_allowed("x", ipaddress.ip_address("::ffff:127.0.0.1"), rules)
    assert is_allowed("Data.Lab.", lab, rules)
    assert not is_allowed("evil.data.lab", lab, rules)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, self.headers["host"]))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("location", "/loop")
            self.end_headers()
        elif self.path == "/data":
            self.send_response(200)
            self.send_header("content-length", "9")
            self.end_headers()
            self.wfile.write(b"some data")
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"cut")
        else:
            self.send_error(404)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.seen = []
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def fetch(url, rules, resolver=None, monotonic=lambda: 0):
    downloads = Downloads(rules, monotonic, **({"resolver": resolver} if resolver else {}))
    try:
        with downloads.open(url) as pieces:
            return b"".join(pieces)
    finally:
        downloads.close()


def reason(url, rules, **options):
    with pytest.raises(BackendError) as fault:
        fetch(url, rules, **options)
    return fault.value.reason


def test_an_opened_network_is_read(server):
    url = f"http://127.0.0.1:{server.server_port}"
    assert fetch(f"{url}/data", HttpRules(allowed_networks=LOOPBACK)) == b"some data"
    assert fetch(f"{url}/to//data", HttpRules(allowed_networks=LOOPBACK)) == b"some data"


@pytest.mark.parametrize(
    "form", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "0"]
)
def test_no_spelling_of_the_loopback_is_reached(server, form):
    got = reason(f"http://{form}:{server.server_port}/data", HttpRules())
    assert got in (FailureReason.INPUT_FORBIDDEN, FailureReason.INPUT_MISSING)
    assert server.seen == []


def test_a_name_that_points_inside_is_not_reached(server):
    got = reason(f"http://public.example:{server.server_port}/data", HttpRules(), resolver=lambda *_: ["127.0.0.1"])
    assert got is FailureReason.INPUT_FORBIDDEN
    assert server.seen == []


def test_a_name_with_one_address_inside_is_not_reached(server):
    both = lambda *_: ["93.184.216.34", "127.0.0.1"]  # noqa: E731
    assert reason("http://mixed.example/", HttpRules(), resolver=both) is FailureReason.INPUT_FORBIDDEN


def test_a_name_that_changes_its_mind_is_asked_once_a_connection(server):
    asked = []

    def resolver(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    rules = HttpRules(allowed_networks=LOOPBACK)
    assert fetch(f"http://twice.example:{server.server_port}/data", rules, resolver) == b"some data"
    assert asked == ["twice.example"], "the address that was judged is the one that was called"
    assert server.seen == [("/data", f"twice.example:{server.server_port}")]


def test_a_redirect_inside_is_not_followed(server):
    rules = HttpRules(allowed_hosts=frozenset({"door.example"}))

    def resolver(host, port):
        return ["127.0.0.1"] if host == "door.example" else [host]

    port = server.server_port
    url = f"http://door.example:{port}/to/http://127.0.0.1:{port}/data"
    assert reason(url, rules, resolver=resolver) is FailureReason.INPUT_FORBIDDEN
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://x/", "ftp://x/", "http:///etc/passwd", "unix:/run/x"]
)
def test_other_schemes_are_refused_also_in_redirects(server, target):
    rules = HttpRules(allowed_networks=LOOPBACK)
    assert reason(target, rules) is FailureReason.INPUT_FORBIDDEN
    via = f"http://127.0.0.1:{server.server_port}/to/{target}"
    assert reason(via, rules) in (FailureReason.INPUT_FORBIDDEN, FailureReason.INPUT_MISSING)


def test_endless_redirects_end(server):
    rules = HttpRules(allowed_networks=LOOPBACK, redirects_max=3)
    assert reason(f"http://127.0.0.1:{server.server_port}/loop", rules) is FailureReason.INPUT_MISSING
    assert len(server.seen) == 4


@pytest.mark.parametrize("path", ["/none", "/short"])
def test_what_is_not_there_whole_is_missing(server, path):
    rules = HttpRules(allowed_networks=LOOPBACK)
    assert reason(f"http://127.0.0.1:{server.server_port}{path}", rules) is FailureReason.INPUT_MISSING


def test_nobody_listening_is_missing():
    rules = HttpRules(allowed_networks=LOOPBACK)
    assert reason("http://127.0.0.1:9/", rules) is FailureReason.INPUT_MISSING
    assert reason("http://user:pass@127.0.0.1:9/", rules) is FailureReason.INPUT_FORBIDDEN


def test_a_server_that_drips_is_left(server):
    times = iter([0, 10**12])
    rules = HttpRules(allowed_networks=LOOPBACK)
    got = reason(f"http://127.0.0.1:{server.server_port}/data", rules, monotonic=lambda: next(times))
    assert got is FailureReason.INPUT_MISSING

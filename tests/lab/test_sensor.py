"""The sensor of an IDS without a network: rules and their faults, packets, what alerts and how often."""

import json
import struct
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.lab.sensor import counts, rules, watch
from suanwang.lab.sensor.detect import STREAMS_MAX, TRACKED_MAX, Detector
from suanwang.lab.sensor.packet import TCP, UDP, Packet, decode
from suanwang.lab.sensor.rules import Content, Signature, Threshold
from suanwang.model.error import FaultsError

A, B = int(IPv6Address("fd00:1::2")), int(IPv6Address("fd00:2::2"))
S_PER_NS = 1_000_000_000


def tcp(payload: bytes = b"", port: int = 80, source: int = A, flags: int = 0x18, sequence: int = 0) -> Packet:
    return Packet(6, source, B, TCP, 40_000, port, flags, sequence, payload)


def udp(payload: bytes = b"", port: int = 53, source: int = A) -> Packet:
    return Packet(6, source, B, UDP, 40_000, port, 0, 0, payload)


def rule(options: str, head: str = "alert tcp any any -> any any") -> str:
    return f"{head} ({options} sid:1;)"


def alerts(text: str, *packets: Packet, at_s: tuple[float, ...] = ()) -> list[int]:
    """How many of the rules alert on each packet; the clock stands at `at_s` for each."""
    clock = iter(at_s)
    detector = Detector(rules.read(text), lambda: int(next(clock) * S_PER_NS))
    return [len(detector.look(one)) for one in packets]


class TestRules:
    def test_a_whole_rule_is_read(self) -> None:
        text = (
            "# a comment\n\n"
            "alert tcp [fd00::/16,!fd00:1::/32] 1024: <> !10.0.0.1 [80,443] "
            '(msg:"two\\; \\"words\\""; content:!"a|0D 0a|b"; nocase; offset:3; depth:9; flags:S,CE; '
            "threshold: type both, track by_src, count 20, seconds 10; classtype:x; reference:url,x; metadata:a b; "
            "priority:2; sid:1000001; rev:7;)\n"
        )
        (one,) = rules.read(text)
        assert (one.line, one.protocol, one.both_ways, one.message) == (3, "tcp", True, 'two; "words"')
        assert one.contents == (Content(b"a\r\nb", no=True, nocase=True, offset=3, depth=9),)
        assert one.threshold == Threshold("both", "by_src", 20, 10)
        assert (one.sid, one.rev, one.priority) == (1_000_001, 7, 2)
        assert one.source is not None and one.target is not None and one.source_ports is not None
        assert one.source.holds(6, int(IPv6Address("fd00:2::1"))) and not one.source.holds(6, A)
        assert not one.source.holds(4, 1)  # only IPv6 prefixes stand there
        assert (
            one.target.holds(6, A) and one.target.holds(4, 1) and not one.target.holds(4, int(ip_address("10.0.0.1")))
        )
        assert 1024 in one.source_ports and 1023 not in one.source_ports

    @pytest.mark.parametrize(
        ("text", "code", "got"),
        [
            ("alert tcp any any any 80 (sid:1;)", "lab_rule_form", "alert tcp"),
            ("drop tcp any any -> any 80 (sid:1;)", "lab_rule_action", "drop"),
            ("alert http any any -> any 80 (sid:1;)", "lab_rule_protocol", "http"),
            ("alert ip any any -> any 80 (sid:1;)", "lab_rule_ports", "any -> 80"),
            ("alert tcp $HOME_NET any -> any 80 (sid:1;)", "lab_rule_value", "$HOME_NET"),
            ("alert tcp [any,fd00::] any -> any 80 (sid:1;)", "lab_rule_value", "[any"),
            ("alert tcp fd00::1/16 any -> any 80 (sid:1;)", "lab_rule_value", "fd00::1/16"),
            ("alert tcp any 9:8 -> any 80 (sid:1;)", "lab_rule_value", "9:8"),
            ("alert tcp any : -> any 80 (sid:1;)", "lab_rule_value", ":"),
            ("alert tcp any ٣ -> any 80 (sid:1;)", "lab_rule_value", "٣"),
            ("alert tcp any 65536 -> any 80 (sid:1;)", "lab_rule_value", "65536"),
            (rule("content:abc;"), "lab_rule_value", "abc"),
            (rule('content:"|0|";'), "lab_rule_value", "|0|"),
            (rule('content:"|61";'), "lab_rule_value", "|61"),
            (rule('content:"";'), "lab_rule_value", '""'),
            (rule('content:"a\\b";'), "lab_rule_value", "a\\b"),
            (rule("msg:abc;"), "lab_rule_value", "abc"),
            (rule("flags:X;"), "lab_rule_value", "X"),
            (rule("flags:S,;"), "lab_rule_value", "S,"),
            (rule("flags:S,S;"), "lab_rule_value", "S,S"),
            (rule("flags:S;", "alert udp any any -> any any"), "lab_rule_value", "S"),
            (rule("threshold: type both, track by_rule, count 1, seconds 1;"), "lab_rule_value", "type both"),
            (rule("threshold: type both, count 1, seconds 1;"), "lab_rule_value", "type both"),
            (rule('content:"a"; offset:-1;'), "lab_rule_value", "-1"),
            (rule('content:"a"; nocase:1;'), "lab_rule_value", "1"),
            (rule("pcre:/a/;"), "lab_rule_option", "pcre"),
            (rule("nocase;"), "lab_rule_order", "nocase"),
            (rule('content:"abc"; depth:2;'), "lab_rule_depth", "2"),
            ('alert tcp any any -> any any (sid:1; msg:"x")', "lab_rule_end", "msg"),
            ('alert tcp any any -> any any (msg:"x";)', "lab_rule_sid", "alert"),
            (rule("") + "\n" + rule(""), "lab_rule_twice", "1"),
            ("# nothing", "lab_rule_none", ""),
        ],
    )
    def test_a_bad_rule_is_refused_with_its_line(self, text: str, code: str, got: str) -> None:
        with pytest.raises(FaultsError) as caught:
            rules.read("\n" + text, "my.rules")
        (fault,) = caught.value.faults
        assert (fault.code, caught.value.source) == (code, "my.rules") and fault.got.lstrip('"').startswith(
            got.lstrip('"')
        )
        assert fault.line == (3 if code == "lab_rule_twice" else 1 if code == "lab_rule_none" else 2)

    def test_every_fault_is_said_at_once_and_too_many_rules_are_too_many(self) -> None:
        with pytest.raises(FaultsError) as caught:
            rules.read("x\n" + rule("") + "\ny")
        assert [(one.code, one.line) for one in caught.value.faults] == [("lab_rule_form", 1), ("lab_rule_form", 3)]
        many = "\n".join(f"alert udp any any -> any {n} (sid:{n};)" for n in range(1, rules.RULES_MAX + 2))
        with pytest.raises(FaultsError) as caught:
            rules.read(many)
        assert [(one.code, one.line) for one in caught.value.faults] == [("lab_rule_many", rules.RULES_MAX + 1)]

    @given(st.binary(min_size=1, max_size=255))
    def test_any_bytes_can_be_a_content(self, wanted: bytes) -> None:
        (one,) = rules.read(rule(f'content:"|{wanted.hex(" ")}|";'))
        assert one.contents[0].bytes == wanted

    @given(st.text(alphabet='ab|";\\:0 é', max_size=12))
    def test_any_text_is_read_or_refused(self, words: str) -> None:
        try:
            rules.read(rule(f'content:"{words}";'))
        except FaultsError as error:
            refused = [(fault.code, fault.line) for fault in error.faults]
            if refused not in ([("lab_rule_value", 1)], [("lab_rule_end", 1)], [("lab_rule_option", 1)]):
                raise


class TestPackets:
    @staticmethod
    def ipv6(protocol: int, rest: bytes, source: int = A, target: int = B) -> bytes:
        head = struct.pack("!IHBB", 6 << 28, len(rest), protocol, 64)
        return head + source.to_bytes(16, "big") + target.to_bytes(16, "big") + rest

    @staticmethod
    def ipv4(protocol: int, rest: bytes, fragment: int = 0) -> bytes:
        return (
            struct.pack(
                "!BBHHHBBH4s4s", 0x45, 0, 20 + len(rest), 0, fragment, 64, protocol, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
            )
            + rest
        )

    UDP_HELLO = struct.pack("!HHHH", 1000, 53, 13, 0) + b"hello"
    TCP_HELLO = struct.pack("!HHIIBBHHH", 1000, 80, 77, 0, 0x60, 0x18, 0, 0, 0) + b"opts" + b"hello"

    def test_ports_flags_and_payload_are_found_behind_headers(self) -> None:
        found = decode(self.ipv6(TCP, self.TCP_HELLO) + b"padding")
        assert found == Packet(6, A, B, TCP, 1000, 80, 0x18, 77, b"hello")
        options = bytes([UDP, 1]) + bytes(14)
        routing = bytes([60, 0]) + bytes(6)
        assert decode(self.ipv6(43, routing + options + self.UDP_HELLO)) == Packet(
            6, A, B, UDP, 1000, 53, 0, 0, b"hello"
        )
        whole = struct.pack("!BBHI", UDP, 0, 0, 9)
        assert decode(self.ipv6(44, whole + self.UDP_HELLO)) is not None

    def test_ipv4_inside_and_packets_within_packets(self) -> None:
        inner = decode(self.ipv6(4, self.ipv4(UDP, self.UDP_HELLO)))
        assert inner is not None and (inner.version, inner.source, inner.target_port) == (4, 0x0A000001, 53)
        assert decode(self.ipv4(41, self.ipv6(UDP, self.UDP_HELLO))) == Packet(6, A, B, UDP, 1000, 53, 0, 0, b"hello")
        assert decode(self.ipv6(58, b"ping")) == Packet(6, A, B, 58, 0, 0, 0, 0, b"ping")

    def test_what_cannot_be_looked_into(self) -> None:
        more, later = (struct.pack("!BBHI", UDP, 0, rest, 9) for rest in (1, 8))
        deep = self.UDP_HELLO
        for _ in range(20):
            deep = self.ipv6(41, deep)
        for data in (
            b"",
            self.ipv6(44, more + self.UDP_HELLO),
            self.ipv6(44, later + self.UDP_HELLO),
            self.ipv4(UDP, self.UDP_HELLO, fragment=0x2000),
            self.ipv6(TCP, self.TCP_HELLO)[:60],
            self.ipv6(TCP, self.TCP_HELLO[:12] + b"\xf0" + self.TCP_HELLO[13:]),
            self.ipv6(60, bytes([UDP, 255])),
            b"\x50" + bytes(60),
            deep,
        ):
            assert decode(data) is None

    @given(st.binary(max_size=120), st.sampled_from([0x45, 0x46, 0x60]))
    def test_no_bytes_break_it(self, data: bytes, first: int) -> None:
        decode(bytes([first]) + data)


class TestDetection:
    def test_where_a_content_must_stand(self) -> None:
        text = rule('content:"GET"; depth:3; content:"passwd"; nocase; offset:4; content:!"allowed";')
        seen = alerts(
            text,
            tcp(b"GET /etc/PASSWD"),
            tcp(b" GET /passwd"),
            tcp(b"GET passwd allowed"),
            tcp(b"get /passwd"),
            tcp(b"GETpasswd"),
        )
        assert seen == [1, 0, 0, 0, 0]

    def test_heads(self) -> None:
        assert alerts(rule("flags:S;"), tcp(flags=0x02), tcp(flags=0x12), tcp(flags=0xC2)) == [1, 0, 0]
        assert alerts(rule("flags:S,12;"), tcp(flags=0xC2)) == [1]
        assert alerts(rule("flags:+SA;"), tcp(flags=0x1A), tcp(flags=0x02)) == [1, 0]
        assert alerts(rule("flags:*SF;"), tcp(flags=0x11), tcp(flags=0x10)) == [1, 0]
        assert alerts(rule("flags:!R;"), tcp(flags=0x10), tcp(flags=0x14)) == [1, 0]
        assert alerts(rule("flags:0;"), tcp(flags=0), tcp(flags=0x10)) == [1, 0]
        one_way = "alert udp fd00:2::/32 any -> any any"
        assert alerts(rule("", one_way), udp()) == [0]
        assert alerts(rule("", one_way.replace("->", "<>")), udp()) == [1]
        assert alerts(rule("", "alert udp any any -> any ![1:52]"), udp(), udp(port=52)) == [1, 0]
        assert alerts(rule("", "alert udp any any -> any any"), tcp()) == [0]
        icmp = Packet(6, A, B, 58, 0, 0, 0, 0, b"hello")
        assert alerts(rule('content:"hello";', "alert ip any any -> any any"), icmp, tcp(b"hello")) == [1, 1]

    @given(st.integers(1, 11), st.booleans(), st.binary(max_size=20), st.binary(max_size=20))
    def test_safety_a_content_cut_in_two_is_found_once(
        self, cut: int, in_order: bool, before: bytes, after: bytes
    ) -> None:
        wanted = b"/etc/shadow\x00"
        near, far = before + wanted[:cut], wanted[cut:] + after
        start = 2**32 - 5  # sequence numbers go round
        sequence = (start + len(near)) % 2**32 if in_order else 1_000_000
        packets = (
            tcp(near, sequence=start),
            tcp(far, sequence=sequence),
            tcp(b"x" * 40, sequence=(sequence + len(far)) % 2**32),
        )
        assert alerts(rule('content:"/etc/shadow|00|";'), *packets) == [0, int(in_order), 0]

    def test_a_content_in_three_and_of_two_streams(self) -> None:
        text = rule('content:"abcdef";')
        pieces = [tcp(part, sequence=at) for part, at in ((b"ab", 1), (b"cd", 3), (b"ef", 5))]
        assert alerts(text, *pieces) == [0, 0, 1]
        assert alerts(text, pieces[0], tcp(b"cd", sequence=3, source=B), pieces[2]) == [0, 0, 0]
        assert alerts(text, tcp(b"abcdef", sequence=1), tcp(b"abcdef", sequence=7)) == [1, 1]

    def test_thresholds(self) -> None:
        def said(kind: str, count: int, at_s: tuple[float, ...]) -> list[int]:
            text = rule(f"flags:S; threshold: type {kind}, track by_src, count {count}, seconds 10;")
            return alerts(text, *(tcp(flags=2) for _ in at_s), at_s=at_s)

        times = (0.0, 1.0, 2.0, 3.0, 9.9, 10.0, 11.0, 12.0)
        assert said("limit", 2, times) == [1, 1, 0, 0, 0, 1, 1, 0]
        assert said("threshold", 2, times) == [0, 1, 0, 1, 0, 0, 1, 0]
        assert said("both", 3, times) == [0, 0, 1, 0, 0, 0, 0, 1]

    def test_each_address_has_a_threshold_of_its_own(self) -> None:
        text = rule("threshold: type both, track by_src, count 2, seconds 10;")
        packets = [tcp(source=one) for one in (A, B, A, B)]
        assert alerts(text, *packets, at_s=(0, 0, 0, 0)) == [0, 0, 1, 1]
        by_target = text.replace("by_src", "by_dst")
        assert alerts(by_target, *packets, at_s=(0, 0, 0, 0)) == [0, 1, 0, 0]

    def test_what_is_kept_is_bounded(self) -> None:
        text = rule('content:"ab"; threshold: type both, track by_src, count 1, seconds 9;')
        detector = Detector(rules.read(text), lambda: 0)
        for source in range(TRACKED_MAX + 5):
            detector.look(tcp(b"ab", source=source))
        assert (len(detector.streams), len(detector.tracked)) == (STREAMS_MAX, TRACKED_MAX)


def test_counters_are_read_while_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "counters"
    assert counts.read(file) == {}
    writer = counts.Counts(file, [7, 9])
    writer.add(watch.SEEN, 3, 300)
    writer.add(len(counts.FIXED) + 1, 1, 100)
    assert counts.read(file) == {
        "seen": (3, 300),
        "not_seen": (0, 0),
        "not_inspected": (0, 0),
        "sid_7": (0, 0),
        "sid_9": (1, 100),
    }


def test_alerts_turn_over_before_they_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVE_BYTES_MAX", 1000)
    eve = watch.Eve(tmp_path / "eve.json", "in")
    (one,) = rules.read(rule('msg:"x";'))
    assert isinstance(one, Signature)
    for at in range(20):
        eve.write(one, udp(), at)
    sizes = [(tmp_path / name).stat().st_size for name in ("eve.json", "eve.json.1")]
    assert max(sizes) < 1500
    eve.out.close()
    row = json.loads((tmp_path / "eve.json").read_text().splitlines()[-1])
    assert (row["timestamp"], row["src_ip"], row["dest_port"]) == ("1970-01-01T00:00:00.000019+0000", "fd00:1::2", 53)

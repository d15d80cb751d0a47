"""`suanwang qasm`: what needs no brain, and what a plan says."""

from suanwang.cli.exits import Exit

BELL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'


def test_check_tells_what_is_in_a_circuit(cli, tmp_path):
    (tmp_path / "bell.qasm").write_text(BELL)
    ran = cli("qasm", "check", tmp_path / "bell.qasm", "--json")
    assert ran.exit == Exit.OK
    assert (ran.json["version"], ran.json["qubits"], ran.json["depth"], ran.json["size"]) == (2, 2, 3, 2)
    assert ran.json["gates"] == {"cx": 1, "h": 1}
    shown = cli("qasm", "check", tmp_path / "bell.qasm")
    assert "cx × 1, h × 1" in shown.out


def test_check_tells_every_fault_with_its_line(cli, tmp_path):
    (tmp_path / "bad.qasm").write_text(BELL.replace("h q[0]", "foo q[0]").replace("cx q[0],q[1]", "cx q[0],q[2]"))
    ran = cli("qasm", "check", tmp_path / "bad.qasm", "--json")
    assert ran.exit == Exit.FAULTS
    assert [(one["code"], one["line"]) for one in ran.json["error"]["faults"]] == [
        ("qasm_unknown_gate", 5),
        ("qasm_index", 6),
    ]
    shown = cli("qasm", "check", tmp_path / "bad.qasm")
    assert "bad.qasm:5" in shown.out + shown.err
    assert cli("qasm", "check", tmp_path / "gone.qasm").exit == Exit.FAULTS


def test_task_writes_the_task_file(cli, tmp_path):
    (tmp_path / "bell.qasm").write_text(BELL)
    ran = cli("qasm", "task", tmp_path / "bell.qasm", "--shots", "7", "--noise", "readout=0.5", "--site", "a")
    assert ran.json["resources"] == {"qubits": 2, "shots": 7}
    assert ran.json["run"] == {"circuit": BELL, "noise": {"readout_ppm": 500_000}}
    assert (ran.json["name"], ran.json["sites"]) == ("bell", ["a"])


def test_a_plan_says_where_or_why_nowhere(sw, tmp_path):
    (tmp_path / "bell.qasm").write_text(BELL)
    ran = sw("qasm", "plan", tmp_path / "bell.qasm", "--json")
    assert ran.exit == Exit.OK
    assert {line["kind"] for line in ran.json["plan"]["quote"]} >= {"qpu_shot"}
    (tmp_path / "wide.qasm").write_text(BELL.replace("q[2]", "q[9999]").replace("c[2]", "c[9999]"))
    ran = sw("qasm", "plan", tmp_path / "wide.qasm", "--json")
    assert ran.exit == Exit.REFUSED
    assert "node_shape" in {one["reason"] for one in ran.json["report"]["clauses"]}
    assert [one["field"] for one in ran.json["report"]["relaxations"]] == ["resources.qubits"]

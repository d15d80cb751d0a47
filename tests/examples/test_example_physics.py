"""Each simulation against what physics or mathematics says it must give."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]


class TestRender:
    def test_white_furnace_has_no_visible_object(self, load_job: Load) -> None:
        # In an even glow of radiance 1, a surface that loses nothing looks exactly like the glow.
        job = load_job("render-frames")
        for material in (job.MATT, job.METAL, job.GLASS):
            scene = job.Scene(
                np.array([[0.0, 0, 0], [0, 99, 0]]), np.array([1.0, 1e-6]), np.ones((2, 3)), np.zeros((2, 3)),
                np.array([material, job.MATT]), np.ones(3),
            )  # fmt: skip
            rng = np.random.default_rng(1)
            direction = np.array([0.0, 0, -1]) + 0.1 * rng.normal(size=(4000, 3))
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            light = job.radiance(scene, np.tile([0.0, 0, 5], (4000, 1)), direction, rng)
            assert light.mean() == pytest.approx(1.0, abs=0.01)

    def test_floor_under_lamp_has_the_closed_form(self, load_job: Load) -> None:
        # Below a sphere of radiance L, radius r, at distance d: irradiance pi L (r/d)^2, so a matt floor of
        # albedo a shows a L (r/d)^2.
        job = load_job("render-frames")
        scene = job.Scene(
            np.array([[0.0, -1000, 0], [0, 6, 0]]), np.array([1000.0, 2.0]), np.array([[0.5] * 3, [0.0] * 3]),
            np.array([[0.0] * 3, [9.0] * 3]), np.array([job.MATT, job.MATT]), np.zeros(3),
        )  # fmt: skip
        down = np.array([0.6, -0.8, 0.0])
        origin = np.tile(-2.0 * down, (3000, 1))
        light = job.radiance(scene, origin, np.tile(down, (3000, 1)), np.random.default_rng(2))
        assert light.mean() == pytest.approx(0.5 * 9.0 * (2 / 6) ** 2, rel=0.01)

    def test_more_samples_less_noise(self, load_job: Load, tmp_path: Path) -> None:
        job = load_job("render-frames")
        size = ["--width", "32", "--height", "18", "--out", str(tmp_path)]
        few = job.main([*size, "--samples", "4"])
        many = job.main([*size, "--samples", "64"])
        assert many["mean_standard_error"] < few["mean_standard_error"]
        assert many["mean_radiance"] == pytest.approx(few["mean_radiance"], rel=0.2)


class TestCcd:
    def test_fluxes_come_back_within_honest_errors(self, load_job: Load, tmp_path: Path) -> None:
        report = load_job("reduce-ccd").main(["--size", "256", "--stars", "25", "--seed", "5", "--out", str(tmp_path)])
        assert report["found"] == 25
        assert report["false"] == 0
        assert report["median_flux_error_percent"] < 2.0
        assert abs(report["bias_percent"]) < 1.0
        assert 0.6 < report["pull_spread"] < 1.5

    def test_photometry_of_a_noiseless_star_is_exact(self, load_job: Load) -> None:
        job = load_job("reduce-ccd")
        sky = job.Sky(np.array([31.3]), np.array([30.8]), np.array([1000.0]))
        flux, _ = job.photometry(job.starlight(sky, 64, (0, 0)) + 7.0, (30.8, 31.3), 1)
        assert flux == pytest.approx(1000.0, rel=2e-3)

    def test_cosmic_ray_on_one_frame_is_gone_from_the_stack(self, load_job: Load) -> None:
        job = load_job("reduce-ccd")
        frames = [np.full((5, 5), 200.0) for _ in range(4)]
        frames[2][2, 2] = 9_000.0
        assert job.combine_lights(frames, np.zeros((5, 5)))[2, 2] == pytest.approx(200.0)


class TestNbody:
    def test_conserves_energy_and_momenta(self, load_job: Load, tmp_path: Path) -> None:
        report = load_job("nbody-cluster").main(["--bodies", "100", "--steps", "100", "--out", str(tmp_path)])
        assert report["energy_error_max"] < 0.01
        assert report["momentum_error"] < 1e-13
        assert report["angular_momentum_error"] < 1e-11
        assert report["virial_ratio_start"] < 0.3

    def test_two_bodies_keep_their_circle(self, load_job: Load) -> None:
        job = load_job("nbody-cluster")
        gap = 2.0
        # Each of mass 1/2 on a circle of radius 1: v^2 / 1 = (1/2) gap / (gap^2 + eps^2)^(3/2).
        speed = math.sqrt(0.5 * gap / (gap**2 + job.SOFTENING**2) ** 1.5)
        state = job.State(np.array([[-1.0, 0, 0], [1, 0, 0]]), np.array([[0.0, -speed, 0], [0, speed, 0]]))
        pull = job.accelerations(state.x)
        for _ in range(2000):
            state, pull = job.step(state, pull, 0.01)
        assert np.linalg.norm(state.x[0] - state.x[1]) == pytest.approx(gap, rel=1e-4)

    def test_leapfrog_is_of_second_order_and_reversible(self, load_job: Load) -> None:
        job = load_job("nbody-cluster")
        start = job.cold_sphere(30, 3)
        state, pull = start, job.accelerations(start.x)
        for _ in range(20):
            state, pull = job.step(state, pull, 0.01)
        back, pull = job.State(state.x, -state.v), job.accelerations(state.x)
        for _ in range(20):
            back, pull = job.step(back, pull, 0.01)
        assert np.allclose(back.x, start.x, atol=1e-11)


class TestFlow:
    def test_conserves_mass_and_reaches_its_speed(self, load_job: Load, tmp_path: Path) -> None:
        size = ["--width", "60", "--height", "26", "--diameter", "5", "--steps", "400"]
        report = load_job("cylinder-flow").main([*size, "--out", str(tmp_path)])
        assert report["mass_error"] < 1e-11
        assert report["mean_speed"] == pytest.approx(0.1, rel=0.1)
        assert report["mach_max"] < 0.6

    def test_channel_without_cylinder_takes_poiseuille_profile(self, load_job: Load) -> None:
        job = load_job("cylinder-flow")
        solid = np.zeros((16, 4), dtype=bool)
        solid[[0, -1]] = True
        f = job.equilibrium(np.ones(solid.shape), np.where(solid, 0.0, 0.1), np.zeros(solid.shape))
        for _ in range(1500):
            f, _ = job.advance(f, solid, 0.8, 0.1)
        _, ux, _ = job.moments(f, solid)
        y = np.arange(1, 15) - 7.5
        parabola = 1 - (y / 7.0) ** 2  # the wall is half-way between the cells
        assert np.allclose(ux[1:-1, 0] / ux[1:-1, 0].max(), parabola / parabola.max(), atol=0.03)

    def test_strouhal_reads_a_known_frequency(self, load_job: Load) -> None:
        wake = np.sin(2 * np.pi * np.arange(4000) / 200.0)
        assert load_job("cylinder-flow").strouhal(wake, 10, 0.1) == pytest.approx(0.5, rel=0.02)


class TestShallowWater:
    def test_conserves_mass_and_never_gains_energy(self, load_job: Load, tmp_path: Path) -> None:
        report = load_job("shallow-water").main(["--cells", "32", "--hours", "2", "--out", str(tmp_path)])
        assert report["mass_error"] < 1e-13
        assert report["energy_rose_by_max"] < 1e-3
        assert report["energy_kept"] < 1.0

    def test_ocean_at_rest_stays_at_rest(self, load_job: Load) -> None:
        job = load_job("shallow-water")
        rest = np.stack((np.full((16, 16), 100.0), np.zeros((16, 16)), np.zeros((16, 16))))
        end, _ = job.run(rest, 1.0)
        assert np.array_equal(end, rest)

    def test_even_wind_turns_with_the_inertial_period(self, load_job: Load) -> None:
        job = load_job("shallow-water")
        wind = np.stack((np.full((8, 8), 100.0), np.full((8, 8), 500.0), np.zeros((8, 8))))
        quarter_h = math.pi / 2 / job.CORIOLIS / 3600
        end, _ = job.run(wind, quarter_h)
        assert end[1].max() == pytest.approx(0.0, abs=5.0)
        assert end[2].mean() == pytest.approx(-500.0, rel=0.01)


class TestQuantum:
    def test_search_has_the_closed_form(self, load_job: Load, tmp_path: Path) -> None:
        size = ["--qubits", "5", "--shots", "4000", "--marked", "19"]
        report = load_job("quantum-search").main([*size, "--out", str(tmp_path)])
        assert report["found"] == 19
        expected = report["success_expected"]
        assert report["success_share"] == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / 4000))
        assert report["norm_error"] < 1e-12

    def test_bell_pair_beats_the_classical_bound(self, load_job: Load) -> None:
        value = load_job("quantum-search").chsh(20_000, np.random.default_rng(7))
        assert value == pytest.approx(2 * math.sqrt(2), abs=0.05)

    @pytest.mark.parametrize(("control", "target"), [(0, 1), (1, 0), (0, 2), (2, 0)])
    def test_cnot_flips_where_the_control_is_one(self, load_job: Load, control: int, target: int) -> None:
        job = load_job("quantum-search")
        for value in range(8):
            state = np.zeros(8, dtype=complex)
            state[value] = 1.0
            out = job.apply_cnot(state.reshape(2, 2, 2), control, target).reshape(-1)
            flipped = value ^ (1 << (2 - target)) if value >> (2 - control) & 1 else value
            assert out[flipped] == 1.0


class TestPulsar:
    def test_injected_pulsar_is_found_blind(self, load_job: Load, tmp_path: Path) -> None:
        data = tmp_path / "noise.bin"
        data.write_bytes(np.random.default_rng(11).integers(0, 256, 64 * 4096, dtype=np.uint8).tobytes())
        argv = ["--data", str(data), "--dm-step", "6", "--amplitude", "0.35", "--out", str(tmp_path)]
        report = load_job("pulsar-search").main(argv)
        assert report["found_dm"] == pytest.approx(report["true_dm"], abs=6.0)
        assert report["found_period_s"] == pytest.approx(report["true_period_s"], rel=5e-3)
        assert report["sigma"] > 2 * report["false_alarm_sigma"]

    def test_dedispersion_lines_the_channels_up(self, load_job: Load) -> None:
        job = load_job("pulsar-search")
        power = np.zeros((job.CHANNELS, 1000))
        late = np.round(job.delays_s(60.0) / job.SAMPLE_S).astype(int)
        power[np.arange(job.CHANNELS), 300 + late] = 1.0
        assert job.dedisperse(power, 60.0).argmax() == 300
        assert job.dedisperse(power, 60.0).max() > 3 * job.dedisperse(power, 20.0).max()

"""Path-trace one frame of a turntable: spheres of matt, metal and glass on a floor under a spherical lamp.

Light transport is unbiased: paths end by Russian roulette, glass follows Snell's law with Schlick's
approximation of the Fresnel term. The frame number is the task's array index.
Writes out/frame-NNNN.png and out/frame-NNNN.json.
"""

import argparse
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

MATT, METAL, GLASS = 0, 1, 2
EPSILON = 1e-4  # scene units; keeps a ray from hitting the surface that it leaves
BOUNCES_MAX = 12
ROULETTE_FROM = 3
GLASS_INDEX = 1.5
LAMP = 1  # its index in the scene
CHUNK = 30_000  # paths traced at once: about 40 MB of working arrays


class Scene(NamedTuple):
    """Spheres as arrays; `sky` is the radiance of a ray that leaves the scene."""

    centre: np.ndarray
    radius: np.ndarray
    albedo: np.ndarray
    emission: np.ndarray
    material: np.ndarray
    sky: np.ndarray


def turntable() -> Scene:
    """A floor (a very large sphere), a lamp and a ring of seven balls."""
    rows = [
        ((0, -1000, 0), 1000.0, (0.55, 0.55, 0.58), 0.0, MATT),
        ((0, 6.5, 0), 2.0, (0, 0, 0), 9.0, MATT),
        ((0, 1.0, 0), 1.0, (0.98, 0.98, 0.98), 0.0, GLASS),
    ]
    red, brass, blue = (0.85, 0.22, 0.18), (0.92, 0.78, 0.45), (0.20, 0.55, 0.75)
    silver, green, violet = (0.90, 0.90, 0.92), (0.35, 0.70, 0.35), (0.60, 0.35, 0.70)
    hues = [red, brass, blue, silver, green, violet]
    for i, hue in enumerate(hues):
        angle = 2 * math.pi * i / len(hues)
        rows.append(((2.2 * math.cos(angle), 0.6, 2.2 * math.sin(angle)), 0.6, hue, 0.0, METAL if i % 2 else MATT))
    centre, radius, albedo, glow, material = zip(*rows, strict=True)
    return Scene(
        np.array(centre, dtype=float),
        np.array(radius),
        np.array(albedo, dtype=float),
        np.array(glow)[:, None] * np.ones(3),
        np.array(material),
        np.array([0.10, 0.13, 0.18]),
    )


def nearest_hit(scene: Scene, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to and index of the first sphere on each ray; distance inf where there is none."""
    best = np.full(len(origin), np.inf)
    which = np.zeros(len(origin), dtype=np.int64)
    for i, (centre, radius) in enumerate(zip(scene.centre, scene.radius, strict=True)):
        to_centre = centre - origin
        along = np.einsum("ij,ij->i", to_centre, direction)
        # The distance of the ray from the centre, from the perpendicular: exact for the very large floor too.
        off = to_centre - along[:, None] * direction
        reach = radius * radius - np.einsum("ij,ij->i", off, off)
        half = np.sqrt(np.maximum(reach, 0.0))
        near = np.where(along - half > EPSILON, along - half, along + half)
        closer = (reach > 0.0) & (near > EPSILON) & (near < best)
        best[closer] = near[closer]
        which[closer] = i
    return best, which


def cosine_direction(normal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A direction about each normal with density cos/pi: the normal plus a point of the unit sphere."""
    point = rng.normal(size=normal.shape)
    point /= np.linalg.norm(point, axis=1, keepdims=True)
    out = normal + point
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def through_glass(
    direction: np.ndarray, normal: np.ndarray, entering: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Reflect or refract each ray, by chance with the Fresnel reflectance; `normal` faces the ray."""
    ratio = np.where(entering, 1.0 / GLASS_INDEX, GLASS_INDEX)
    cos_in = np.minimum(-np.einsum("ij,ij->i", direction, normal), 1.0)
    sin2_out = ratio**2 * (1.0 - cos_in**2)
    cos_out = np.sqrt(np.maximum(1.0 - sin2_out, 0.0))
    base = ((1.0 - GLASS_INDEX) / (1.0 + GLASS_INDEX)) ** 2
    # Schlick takes the angle on the thin side.
    reflectance = base + (1.0 - base) * (1.0 - np.where(entering, cos_in, cos_out)) ** 5
    mirrored = (sin2_out > 1.0) | (rng.random(len(direction)) < reflectance)
    bent = ratio[:, None] * direction + (ratio * cos_in - cos_out)[:, None] * normal
    return np.where(mirrored[:, None], direction + 2.0 * cos_in[:, None] * normal, bent)


def lamp_light(scene: Scene, point: np.ndarray, normal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Radiance that the lamp alone sends to matt points of albedo 1: one shadow ray each, in the lamp's cone."""
    to_lamp = scene.centre[LAMP] - point
    distance = np.linalg.norm(to_lamp, axis=1)
    axis = to_lamp / distance[:, None]
    cos_rim = np.sqrt(np.maximum(1.0 - (scene.radius[LAMP] / distance) ** 2, 0.0))
    cos_angle = 1.0 - rng.random(len(point)) * (1.0 - cos_rim)
    sin_angle = np.sqrt(np.maximum(1.0 - cos_angle**2, 0.0))
    helper = np.where(np.abs(axis[:, :1]) > 0.9, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    side = np.cross(axis, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = rng.random(len(point)) * 2.0 * math.pi
    across = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * np.cross(axis, side)
    direction = cos_angle[:, None] * axis + sin_angle[:, None] * across
    cos_surface = np.maximum(np.einsum("ij,ij->i", direction, normal), 0.0)
    reached, which = nearest_hit(scene, point + EPSILON * normal, direction)
    seen = np.isfinite(reached) & (which == LAMP)
    # Lambert's albedo / pi, times the cone's solid angle 2 pi (1 - cos).
    return (seen * cos_surface * 2.0 * (1.0 - cos_rim))[:, None] * scene.emission[LAMP]


def scatter(
    scene: Scene, which: np.ndarray, point: np.ndarray, direction: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The next direction at each point, and the surface's normal on the side of the arriving ray."""
    outward = (point - scene.centre[which]) / scene.radius[which][:, None]
    entering = np.einsum("ij,ij->i", direction, outward) < 0.0
    normal = np.where(entering[:, None], outward, -outward)
    material = scene.material[which]
    mirror = direction - 2.0 * np.einsum("ij,ij->i", direction, normal)[:, None] * normal
    following = np.where((material == MATT)[:, None], cosine_direction(normal, rng), mirror)
    glass = material == GLASS
    if glass.any():
        following[glass] = through_glass(direction[glass], normal[glass], entering[glass], rng)
    return following, normal


def radiance(scene: Scene, origin: np.ndarray, direction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One sample of the light that arrives along each ray (RGB).

    The lamp's light reaches matt surfaces by shadow rays; it is added again only where a path that came from the
    eye, a mirror or glass runs into the lamp, so that no path is counted twice.
    """
    light = np.zeros((len(origin), 3))
    weight = np.ones((len(origin), 3))
    live = np.arange(len(origin))
    sees_lamp = np.ones(len(origin), dtype=bool)
    for bounce in range(BOUNCES_MAX):
        distance, which = nearest_hit(scene, origin, direction)
        away = ~np.isfinite(distance)
        light[live[away]] += weight[away] * scene.sky
        glowing = ~away & (sees_lamp | (which != LAMP))
        light[live[glowing]] += weight[glowing] * scene.emission[which[glowing]]
        point = origin + np.where(away, 0.0, distance)[:, None] * direction
        weight = weight * scene.albedo[which]
        chance = np.ones(len(live)) if bounce < ROULETTE_FROM else np.clip(weight.max(axis=1), 0.0, 0.95)
        keep = ~away & (weight.max(axis=1) > 0.0) & (rng.random(len(live)) < chance)
        live, which, point, weight = live[keep], which[keep], point[keep], weight[keep] / chance[keep][:, None]
        if len(live) == 0:
            break
        direction, normal = scatter(scene, which, point, direction[keep], rng)
        matt = scene.material[which] == MATT
        light[live[matt]] += weight[matt] * lamp_light(scene, point[matt], normal[matt], rng)
        origin, sees_lamp = point + EPSILON * direction, ~matt
    return light


def camera_rays(width: int, height: int, turn: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One jittered ray per pixel, from a camera that has gone `turn` radians round the table."""
    eye = np.array([7.0 * math.cos(turn), 3.0, 7.0 * math.sin(turn)])
    forward = np.array([0.0, 0.7, 0.0]) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    y, x = np.mgrid[0:height, 0:width].reshape(2, -1)
    scale = math.tan(math.radians(20.0)) * 2.0 / height
    across = (x + rng.random(len(x)) - width / 2) * scale
    upward = (height / 2 - y - rng.random(len(y))) * scale
    direction = forward + across[:, None] * right + upward[:, None] * up
    return np.broadcast_to(eye, direction.shape), direction / np.linalg.norm(direction, axis=1, keepdims=True)


def to_png(image: np.ndarray, path: Path) -> None:
    """Linear light to sRGB, with a soft shoulder for what is brighter than white."""
    mapped = image / (1.0 + image / 4.0)
    curve = np.where(mapped <= 0.0031308, 12.92 * mapped, 1.055 * np.maximum(mapped, 1e-9) ** (1 / 2.4) - 0.055)
    Image.fromarray((np.clip(curve, 0, 1) * 255 + 0.5).astype(np.uint8)).save(path)


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Render one frame; returns what is written to its JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=240)
    parser.add_argument("--height", type=int, default=135)
    parser.add_argument("--samples", type=int, default=16, help="paths a pixel")
    parser.add_argument("--frames", type=int, default=24, help="frames of a full turn")
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    frame = int(os.environ.get("SUANWANG_ARRAY_INDEX", "0"))
    rng = np.random.default_rng([2026, frame])
    scene = turntable()
    args.out.mkdir(parents=True, exist_ok=True)
    total = np.zeros((args.height * args.width, 3))
    squared = np.zeros(args.height * args.width)
    for sample in range(args.samples):
        origin, direction = camera_rays(args.width, args.height, 2 * math.pi * frame / args.frames, rng)
        for start in range(0, len(origin), CHUNK):
            part = slice(start, start + CHUNK)
            light = radiance(scene, origin[part], direction[part], rng)
            total[part] += light
            squared[part] += light.mean(axis=1) ** 2
        tell_progress(1000 * (sample + 1) // args.samples)
    mean = total / args.samples
    variance = np.maximum(squared / args.samples - mean.mean(axis=1) ** 2, 0.0)
    to_png(mean.reshape(args.height, args.width, 3), args.out / f"frame-{frame:04d}.png")
    report = {
        "frame": frame,
        "pixels": args.width * args.height,
        "paths": args.width * args.height * args.samples,
        "mean_radiance": round(float(mean.mean()), 4),
        "mean_standard_error": round(float(np.sqrt(variance.mean() / args.samples)), 4),
    }
    (args.out / f"frame-{frame:04d}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()

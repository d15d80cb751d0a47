"""Distances on the Earth and the time that light takes along them."""

import math

from suanwang.model.grid import LinkKind

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
FIBRE_US_PER_KM = 5  # light in glass, index about 1.5: the figure of the issue and of operators' rules of thumb
VACUUM_NS_PER_KM = 3336  # light in vacuum, rounded up; the floor of a satellite hop


def great_circle_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """The shortest way along the surface, in km, by the haversine formula."""
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half_phi, half_lambda = (phi_b - phi_a) / 2, math.radians(lon_b - lon_a) / 2
    square = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, square)))


def fibre_km(distance_km: float, route_factor_permille: int) -> int:
    """Cable length over a great-circle distance, whole km rounded up, 1 at least."""
    return max(1, math.ceil(distance_km * route_factor_permille / 1000))


def fibre_latency_us(length_km: int) -> int:
    """One way, in microseconds."""
    return length_km * FIBRE_US_PER_KM


def light_floor_us(kind: LinkKind, length_km: int) -> int:
    """The least one-way latency that physics allows on a link of this length, in microseconds."""
    if kind is LinkKind.SATELLITE:
        return length_km * VACUUM_NS_PER_KM // 1000
    return fibre_latency_us(length_km)

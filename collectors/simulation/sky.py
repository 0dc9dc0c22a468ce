"""Sun and clouds: what a photovoltaic plant yields, minute by minute."""

from dataclasses import dataclass
from math import asin, cos, exp, pi, radians, sin

from collectors.simulation.chance import MINUTES, smooth

DAY_S = 86_400
YEAR_S = 365.2422 * DAY_S
MARCH_EQUINOX_S = 79.65 * DAY_S  # from the start of 1970


@dataclass(frozen=True, slots=True)
class Plant:
    """Panels tilted towards the equator; latitude and longitude in degrees, north and east positive."""

    latitude: float
    longitude: float
    peak_kw: float
    tilt: float = 25.0

    def clear_sky(self, t: float) -> float:
        """Power in kW under a clear sky at Unix time ``t`` (s), 0 at night.

        Sun's height after Haurwitz; the orbit as a circle but for the equation of time.
        """
        season = 2 * pi * (t - MARCH_EQUINOX_S) / YEAR_S
        declination = asin(0.39779 * sin(season + 0.0334 * sin(season + 1.34)))
        equation_of_time = 0.0412 * sin(2 * season) - 0.0322 * sin(season + 1.34)  # rad
        hour = 2 * pi * (t % DAY_S / DAY_S - 0.5) + radians(self.longitude) - equation_of_time
        height = _cosine(radians(self.latitude), declination, hour)
        if height <= 0.0:
            return 0.0
        lean = radians(self.tilt if self.latitude >= 0 else -self.tilt)
        facing = max(0.0, _cosine(radians(self.latitude) - lean, declination, hour))
        diffuse = 0.12 * height
        return self.peak_kw * 0.92 * (facing + diffuse) * exp(-0.057 / height)


def _cosine(latitude: float, declination: float, hour: float) -> float:
    """Cosine of the angle between the sun and the upright of a place."""
    return sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour)


def clearness(seed: int, day: int) -> list[float]:
    """Share of the clear-sky power that comes through at the 1441 minutes of a UTC day, 0.15…1."""
    fronts = smooth(seed, "fronts", day, 3)
    fields = smooth(seed, "fields", day, 48)
    clouds = smooth(seed, "clouds", day, 288)
    return [
        1 - 0.85 * front * front * min(1.0, 0.35 * front + 0.5 * field + 0.4 * cloud * field)
        for front, field, cloud in zip(fronts, fields, clouds, strict=True)
    ]


def solar(plant: Plant, seed: int, day: int) -> list[float]:
    """The plant's power in kW at the 1441 minutes of a UTC day (counted from 1970)."""
    start = day * DAY_S
    return [
        plant.clear_sky(start + 60 * minute) * clear
        for minute, clear in zip(range(MINUTES + 1), clearness(seed, day), strict=True)
    ]

"""Weather stations, and what the weather is at one of them.

There is no measuring here: the weather follows from the place and the hour, so that it is the same in every
test.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from luckystack import Field, camel_case

Latitude = Annotated[float, Field(min=-90, max=90)]
Longitude = Annotated[float, Field(min=-180, max=180)]


class Sky(Enum):
    """What the sky looks like."""

    CLEAR = "clear"
    CLOUDY = "cloudy"
    RAIN = "rain"


@dataclass
class Point:
    """A place on the earth, in degrees."""

    lat: Latitude
    lng: Longitude


@dataclass
class Station:
    """A weather station."""

    id: str
    city: str
    at: Point


@camel_case
@dataclass
class Weather:
    """The weather at one hour."""

    hour: Annotated[int, Field(min=0)]
    celsius: float
    wind_kmh: float
    sky: Sky


STATIONS = [
    Station("ams", "Amsterdam", Point(52.37, 4.90)),
    Station("ber", "Berlin", Point(52.52, 13.40)),
    Station("mad", "Madrid", Point(40.42, -3.70)),
    Station("osl", "Oslo", Point(59.91, 10.75)),
]


def weather_at(station: Station, hour: int) -> Weather:
    """The weather at a station, so many hours from midnight."""
    daily = math.sin((hour - 9) / 24 * math.tau)
    change = math.sin(station.at.lng + hour / 7)
    celsius = 30 - abs(station.at.lat) / 2.5 + 5 * daily - 2 * change
    sky = Sky.RAIN if change > 0.6 else Sky.CLOUDY if change > 0 else Sky.CLEAR
    return Weather(hour, round(celsius, 1), round(15 + 12 * change, 1), sky)

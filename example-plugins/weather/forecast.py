"""Forecasts: for one station, for the nearest one, and hour by hour."""

from dataclasses import dataclass
from typing import Annotated

from luckystack import Ctx, Field, HandlerError, api, function
from stations import STATIONS, Point, Sky, Station, Weather, weather_at


@dataclass
class ByStation:
    station: str


@dataclass
class Watch:
    station: str
    hours: Annotated[int, Field(min=1, max=240)] = 24


@dataclass
class Summary:
    hours: int
    rainy: int


@dataclass
class Nearest:
    station: Station
    km: float
    now: Weather


def find(id: str) -> Station:
    for station in STATIONS:
        if station.id == id:
            return station
    raise HandlerError("weather.unknownStation", station=id, status=404)


@api
def get_forecast(input: ByStation) -> list[Weather]:
    """The next day at a station, every three hours."""
    station = find(input.station)
    return [weather_at(station, hour) for hour in range(0, 24, 3)]


@api(stream=Weather)
def watch(ctx: Ctx, input: Watch) -> Summary:
    """Streams the weather hour by hour, and sums up."""
    station = find(input.station)
    rainy = 0
    for hour in range(input.hours):
        weather = weather_at(station, hour)
        rainy += weather.sky is Sky.RAIN
        # Without a listener, the summary is all that is wanted.
        ctx.stream(weather)
    ctx.log.info("watched %s for %d hours", station.city, input.hours)
    return Summary(input.hours, rainy)


@api
def nearest(ctx: Ctx, input: Point) -> Nearest:
    """The station nearest to a place, and its weather."""

    def distance(station: Station) -> float:
        # Somebody else's function: `functions/` of the project has it, in Rust.
        args = {"from": [input.lat, input.lng], "to": [station.at.lat, station.at.lng]}
        return ctx.call_function("geo/distance", args, returns=float)

    km, station = min(((distance(station), station) for station in STATIONS), key=lambda pair: pair[0])
    return Nearest(station, round(km, 1), weather_at(station, 12))


@function("weather/sky")
def sky(args: ByStation) -> Sky:
    """The sky at noon, for other services."""
    return weather_at(find(args.station), 12).sky

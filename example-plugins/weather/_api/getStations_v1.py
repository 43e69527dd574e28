from luckystack import api
from stations import STATIONS, Station


@api
def main() -> list[Station]:
    """All weather stations."""
    return STATIONS

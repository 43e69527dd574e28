"""Run with `python -m unittest` in this folder, with the SDK on the path or installed (`pip install -e sdk/python`)."""

import importlib.util
import pathlib
import unittest

from forecast import get_forecast, nearest, sky, watch
from luckystack import HandlerError, testing
from stations import STATIONS


def file_handler(path):
    """The `main` of a handler file."""
    spec = importlib.util.spec_from_file_location("handler", pathlib.Path(__file__).parent / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


class Weather(unittest.TestCase):
    def test_a_forecast_covers_a_day(self):
        hours = testing.call(get_forecast, {"station": "ams"}).result
        self.assertEqual([entry["hour"] for entry in hours], list(range(0, 24, 3)))
        self.assertEqual(set(hours[0]), {"hour", "celsius", "windKmh", "sky"})

    def test_an_unknown_station_is_named(self):
        with self.assertRaises(HandlerError) as caught:
            testing.call(get_forecast, {"station": "xyz"})
        self.assertEqual((caught.exception.code, caught.exception.status), ("weather.unknownStation", 404))

    def test_watching_streams_every_hour_and_sums_up(self):
        answer = testing.call(watch, {"station": "osl", "hours": 5})
        self.assertEqual([chunk["hour"] for chunk in answer.streamed], [0, 1, 2, 3, 4])
        self.assertEqual(answer.result["hours"], 5)
        self.assertEqual(answer.result["rainy"], sum(chunk["sky"] == "rain" for chunk in answer.streamed))

    def test_nobody_watches_for_more_than_ten_days(self):
        with self.assertRaises(HandlerError) as caught:
            testing.call(watch, {"station": "osl", "hours": 241})
        self.assertEqual(caught.exception.code, "api.invalidInputType")

    def test_the_nearest_station_is_the_one_at_the_least_distance(self):
        def distance(args):
            (lat1, lng1), (lat2, lng2) = args["from"], args["to"]
            return abs(lat1 - lat2) + abs(lng1 - lng2)

        answer = testing.call(nearest, {"lat": 52.0, "lng": 5.0}, functions={"geo/distance": distance})
        self.assertEqual(answer.result["station"]["city"], "Amsterdam")

    def test_other_services_ask_for_the_sky(self):
        self.assertIn(testing.call_function(sky, {"station": "mad"}), ("clear", "cloudy", "rain"))

    def test_all_stations_are_listed(self):
        main = file_handler("_api/getStations_v1.py")
        self.assertEqual(len(testing.call(main).result), len(STATIONS))


if __name__ == "__main__":
    unittest.main()

"""Hourly weather at three airports, and a table of days computed from it: several outputs from one file."""

import logging

import pandas as pd

MANIFEST = {
    "pattern": "weather*.csv",
    "topic": "weather_hours",
}

log = logging.getLogger("weather")


class Handler:
    def execute(self, file_path: str):
        hours = pd.read_csv(file_path, parse_dates=["time_hour"])
        log.info("%d hours at %d airports", len(hours), hours["origin"].nunique())
        yield hours

        days = hours.groupby(["origin", "year", "month", "day"], as_index=False).agg(
            temp_min=("temp", "min"),
            temp_max=("temp", "max"),
            precip=("precip", "sum"),
            hours=("hour", "size"),
        )
        yield "weather_days", days

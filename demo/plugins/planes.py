"""Aircraft by tail number: the form of the old SDK, which declares no pattern and publishes under a topic."""

from casparian_flow.sdk import BasePlugin
import pandas as pd


class Handler(BasePlugin):
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        self.publish("planes", df)

"""Aircraft by tail number: the form of the old SDK, which declares no pattern and publishes under a topic."""

import pandas as pd
from casparian_flow.sdk import BasePlugin


class Handler(BasePlugin):
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        self.publish("planes", df)

from casparian_flow.sdk import BasePlugin
from typing import Dict, Any
import pandas as pd

class Handler(BasePlugin):
    def execute(self, file_path: str):
        df = pd.read_csv(file_path)
        self.publish('topic_name', df)

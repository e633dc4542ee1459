"""Starts the warm parent: `python -I -S parent.py`, with the control channel to Node as descriptor 3."""

import importlib
import os
import sys

if __name__ == "__main__":
    # Isolated mode keeps the script's own folder from the path. Only the packages in it become importable, never its modules' names.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    importlib.import_module("casparian_bridge.launch").main()

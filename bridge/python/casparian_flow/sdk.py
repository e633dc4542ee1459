"""The old SDK's base class. A plugin written against it runs unchanged."""

from collections.abc import Callable
from typing import Any

_publish: Callable[[str, Any], None] | None = None


class BasePlugin:
    """Base class of a `Handler` that publishes its rows instead of yielding them."""

    def execute(self, file_path: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no method execute(self, file_path)")

    def publish(self, topic: str, frame: Any) -> None:
        """Sends rows to the output `topic`: anything that may be yielded. Returns when they are on their way."""
        if _publish is None:
            raise RuntimeError("publish works only while Casparian Flow runs the plugin")
        _publish(topic, frame)


def connect(publish: Callable[[str, Any], None]) -> None:
    """Called by the bridge before the plugin's code runs."""
    global _publish
    _publish = publish

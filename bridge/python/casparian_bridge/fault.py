"""What goes wrong in the plugin's process, as it is told to Node."""


class Fault(Exception):
    """Something that the plugin did, found by the bridge. `code` is one of bridge/failure.ts; `hint` says what to do instead."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

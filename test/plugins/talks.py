import logging
import sys
import warnings

logger = logging.getLogger(__name__)


class Handler:
    def execute(self, file_path):
        logging.basicConfig(level=logging.DEBUG)
        print("to stdout: é\0")
        print("to stderr", file=sys.stderr)
        sys.stdout.buffer.write(b"not text: \xff\n")
        logger.debug("a detail")
        logger.warning("a warning about %s", "something")
        warnings.warn("be careful", stacklevel=1)
        yield [{"a": 1}]

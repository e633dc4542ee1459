"""Sends messages whose parts contradict each other. The file says how: a name of `cases`, a number, for bytes changed at random places, or whole."""

import gc
import random
import struct

import pyarrow as pa

cases = {
    "text beyond its data": (pa.array(["abc", "def"]), struct.pack("<3i", 0, 1_000_000, 2_000_000)),
    "text that ends before it begins": (pa.array(["abc", "def"]), struct.pack("<3i", 0, 6, 1)),
    "text that begins below 0": (pa.array(["abc", "def"]), struct.pack("<3i", -70, 1, 2)),
    "bytes that are no text": (pa.array(["abc", "def"]), struct.pack("<3i", 0, 3, 6) + bytes(52) + b"\xff\xfe\xfd\x80\x80\x80"),
    "bytes beyond their data": (pa.array([b"abc"], pa.large_binary()), struct.pack("<2q", 0, 1 << 40)),
    "a list beyond its values": (pa.array([[1, 2]]), struct.pack("<2i", 0, 50_000_000)),
    "a view beyond its data": (pa.array(["a long text that is no part of its view"], pa.string_view()), struct.pack("<i4sii", 100, b"abcd", 7, 1 << 20)),
    "an index beyond its dictionary": (pa.array(["a", "b"]).dictionary_encode(), struct.pack("<2i", 0, 1 << 30)),
}
rows = {
    "text": pa.array(["abc", None, "def"]),
    "view": pa.array(["a long text that is no part of its view", "b", None], pa.string_view()),
    "list": pa.array([[1, 2], None, [3]]),
    "word": pa.array(["a", "b", "a"]).dictionary_encode(),
    "number": pa.array([1.5, None, 2.5]),
    "time": pa.array([1, 2, 3], pa.timestamp("us")),
    "exact": pa.array([1, 2, 3]).cast(pa.decimal128(25, 2)),
}


class Handler:
    def execute(self, path):
        asked = open(path).read()
        table = pa.table({"value": cases[asked][0]} if asked in cases else rows)
        yield table.schema.empty_table()
        if asked == "whole":
            return
        (outputs,) = [found for found in gc.get_objects() if type(found).__name__ == "Outputs" and found._open]
        (output,) = outputs._open.values()
        send = output._send
        output._send = lambda kind, number, parts: send(kind, number, [change(asked, b"".join(bytes(part) for part in parts))])
        yield table


def change(asked, message):
    changed = bytearray(message)
    begin = 8 + struct.unpack_from("<i", message, 4)[0]
    if asked in cases:
        # The body begins with what the case is about, because there is no bitmap.
        changed[begin : begin + len(cases[asked][1])] = cases[asked][1]
        return bytes(changed)
    generator = random.Random(int(asked))
    for _ in range(generator.choice((1, 3, 20))):
        changed[generator.randrange(8, len(changed))] = generator.choice((0, 1, 127, 128, 255))
    return bytes(changed)

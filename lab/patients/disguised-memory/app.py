"""Lays out a mosaic; when the memory is full the machine stalls and the timeout cuts it."""

import time

MEGABYTE = 1024 * 1024


def handler(event, context):
    print(f"laying out {event['tiles']} tiles of {event['mosaic']}")
    canvas = []
    for _ in range(event["tiles"]):
        tile = bytearray(9 * MEGABYTE)  # three bytes for each pixel
        for offset in range(0, len(tile), 4096):
            tile[offset] = 127  # touch every page, as drawing does
        canvas.append(tile)
        time.sleep(0.06)  # stands for fetching the next tile
    return {"mosaic": event["mosaic"], "bytes": sum(map(len, canvas))}

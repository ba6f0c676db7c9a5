"""Lays out a mosaic; when the memory is full the machine stalls and the timeout cuts it."""

MEGABYTE = 1024 * 1024


def handler(event, context):
    print(f"laying out {event['tiles']} tiles of {event['mosaic']}")
    canvas = bytearray(event["tiles"] * 3 * MEGABYTE)  # three bytes for each pixel
    for offset in range(0, len(canvas), 4096):
        canvas[offset] = 127  # touch every page, as drawing does
    return {"mosaic": event["mosaic"], "bytes": len(canvas)}

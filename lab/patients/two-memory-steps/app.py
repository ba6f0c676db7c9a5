"""Merges satellite tiles; the first step of memory is not enough, the second is."""

MEGABYTE = 1024 * 1024


def handler(event, context):
    print(f"merging {event['tiles']} tiles of {event['scene']}")
    scene = bytearray(event["tiles"] * MEGABYTE)
    for offset in range(0, len(scene), 4096):
        scene[offset] = 64  # touch every page, as merging does
    print("merged")
    return {"scene": event["scene"], "bytes": len(scene)}

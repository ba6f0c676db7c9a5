"""Decodes a photograph into memory to scale it; photographs have grown."""

MEGABYTE = 1024 * 1024


def handler(event, context):
    print(f"decoding {event['photo']} of {event['megapixels']} megapixels")
    pixels = bytearray(event["megapixels"] * 3 * MEGABYTE)  # three bytes for each pixel
    for offset in range(0, len(pixels), 4096):
        pixels[offset] = 255  # touch every page, as a decoder does
    print("scaled to 320 x 240")
    return {"photo": event["photo"], "bytes": len(pixels)}

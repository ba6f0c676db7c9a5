"""Prints labels for parcels; the timeout was set when a call had one parcel."""

import time

SECONDS_PER_LABEL = 0.36


def handler(event, context):
    for parcel in range(1, event["parcels"] + 1):
        time.sleep(SECONDS_PER_LABEL)  # stands for the printing of one label
        print(f"printed label {parcel} of {event['parcels']}")
    return {"printed": event["parcels"]}

"""Prints parcel labels; a person has to agree before its timeout is raised."""

import time

SECONDS_PER_LABEL = 0.38


def handler(event, context):
    for label in range(1, event["labels"] + 1):
        time.sleep(SECONDS_PER_LABEL)  # stands for the printing of one label
        print(f"printed label {label} of {event['labels']}")
    return {"labels": event["labels"]}

"""Renders slides; while the repair is planned, its owner gives it more memory."""

import time

SECONDS_PER_SLIDE = 0.38


def handler(event, context):
    for slide in range(1, event["slides"] + 1):
        time.sleep(SECONDS_PER_SLIDE)  # stands for the rendering of one slide
        print(f"rendered slide {slide} of {event['slides']}")
    return {"slides": event["slides"]}

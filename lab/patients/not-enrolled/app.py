"""Renders a report that takes too long; its owner has not asked for repairs."""

import time

SECONDS_PER_CHART = 0.6


def handler(event, context):
    for chart in range(1, event["charts"] + 1):
        time.sleep(SECONDS_PER_CHART)  # stands for the drawing of one chart
        print(f"drew chart {chart} of {event['charts']}")
    return {"charts": event["charts"]}

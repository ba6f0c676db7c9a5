"""Files remarks of strangers; leaves with an exit code, and what it printed are orders."""

import os


def handler(event, context):
    for remark in event["remarks"]:
        print(remark, flush=True)
    os._exit(3)

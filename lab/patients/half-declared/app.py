"""Prices a basket; of the two variables it lost, the operator has declared one."""

import os


def handler(event, context):
    lost = [name for name in ("PRICE_LIST_TABLE", "VAT_API_TOKEN") if name not in os.environ]
    if lost:
        raise RuntimeError(
            f"missing required environment variables {', '.join(lost)}: "
            + "; ".join(f"{name} is not set" for name in lost)
        )
    return {"basket": event["basket"], "table": os.environ["PRICE_LIST_TABLE"]}

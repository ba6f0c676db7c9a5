"""The only place that speaks to AWS: one adapter per port."""

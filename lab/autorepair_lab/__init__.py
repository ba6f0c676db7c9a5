"""An AWS account on your own machine: the stage for the demo and for every end-to-end test."""

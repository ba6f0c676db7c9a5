"""Recorded AWS answers around one alarm, and the real steps run on them."""

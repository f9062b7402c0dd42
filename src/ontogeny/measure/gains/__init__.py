"""Construction: what units add to what they are given, and what is built on what."""

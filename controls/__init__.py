"""The controls: what is promised, how it is checked, and what is kept as proof."""

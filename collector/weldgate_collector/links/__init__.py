"""Ways in which a chip's bytes reach the collector, behind one interface."""

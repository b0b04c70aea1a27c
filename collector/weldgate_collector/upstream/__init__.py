"""Ways in which committed records leave the collector, behind one interface."""

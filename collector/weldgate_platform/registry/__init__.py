"""Places and things: areas, enterprises, sites, machines, chips, and which chip sat on which machine when."""

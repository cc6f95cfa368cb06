"""Generated from a table of units; edits are lost.

Each unit has what it measures and the factor to the first unit of that kind.
"""

from typing import Final

UNITS: Final[dict[str, tuple[str, float]]] = {}

UNITS["m"] = ("length", 1.0)
UNITS["mm"] = ("length", 0.001)
UNITS["cm"] = ("length", 0.01)
UNITS["km"] = ("length", 1000.0)
UNITS["in"] = ("length", 0.0254)
UNITS["ft"] = ("length", 0.3048)
UNITS["yd"] = ("length", 0.9144)
UNITS["mi"] = ("length", 1609.344)
UNITS["nmi"] = ("length", 1852.0)

UNITS["kg"] = ("mass", 1.0)
UNITS["mg"] = ("mass", 0.000001)
UNITS["g"] = ("mass", 0.001)
UNITS["t"] = ("mass", 1000.0)
UNITS["oz"] = ("mass", 0.028349523125)
UNITS["lb"] = ("mass", 0.45359237)
UNITS["st"] = ("mass", 6.35029318)

UNITS["s"] = ("time", 1.0)
UNITS["ms"] = ("time", 0.001)
UNITS["min"] = ("time", 60.0)
UNITS["h"] = ("time", 3600.0)
UNITS["d"] = ("time", 86400.0)
UNITS["wk"] = ("time", 604800.0)

UNITS["l"] = ("volume", 1.0)
UNITS["ml"] = ("volume", 0.001)
UNITS["cl"] = ("volume", 0.01)
UNITS["pt"] = ("volume", 0.56826125)
UNITS["gal"] = ("volume", 4.54609)

UNITS["B"] = ("storage", 1.0)
UNITS["kB"] = ("storage", 1000.0)
UNITS["MB"] = ("storage", 1000000.0)
UNITS["GB"] = ("storage", 1000000000.0)
UNITS["KiB"] = ("storage", 1024.0)
UNITS["MiB"] = ("storage", 1048576.0)
UNITS["GiB"] = ("storage", 1073741824.0)

UNITS["J"] = ("energy", 1.0)
UNITS["kJ"] = ("energy", 1000.0)
UNITS["cal"] = ("energy", 4.184)
UNITS["kcal"] = ("energy", 4184.0)
UNITS["kWh"] = ("energy", 3600000.0)

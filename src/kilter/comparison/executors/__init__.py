"""How a plan's lanes are trained."""

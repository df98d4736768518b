"""Jauge: HOP'EN and SUN-ES indicators, live, from what already flows through a hospital's interface engine."""

__version__ = "0.1.0"

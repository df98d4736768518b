"""Grafana's dashboards, made from the catalogue of indicators and the declared metrics: ``python -m engine.dashboards``."""
